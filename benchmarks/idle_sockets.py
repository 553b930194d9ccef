"""What does a WebSocket cost that says nothing?

    python -m benchmarks.idle_sockets [--quick] [--json FILE] [--bundle FOLDER]

A `firstseen serve` is a process of its own; this one opens sockets to it, waits for the first message of each, and says
nothing more. The figure is the resident memory of the service before and after, a socket. Some are opened before the
first measurement, so that what is loaded once is not counted.

    stream, watch    as they are greeted
    used             sockets of /stream that have each sent one item and heard its verdict
    bare             the peer: uvicorn and an ASGI application of ten lines that greets and waits

Memory of the kernel (its socket buffers) is not in it.
"""

import argparse
import asyncio
import json
import resource
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from benchmarks.report import Row, machine, parser, publish
from benchmarks.running import serving
from benchmarks.training import train_digits

_SETTLE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured.

    Attributes:
        sockets: Opened for a row.
        before: Opened before the first measurement.
        epochs: Of the training, where no bundle is given; None: the default.
    """

    sockets: int = 1_000
    before: int = 50
    epochs: int | None = None


QUICK = Sizes(sockets=300, epochs=3)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--bundle", type=Path, help="of digits; trained anew when left out")
    given: argparse.Namespace = options.parse_args(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    report = asyncio.run(measure(QUICK if given.quick else Sizes(), given.bundle))
    publish(report, [("Idle sockets", report["sockets"])], given.json)


async def measure(sizes: Sizes, bundle: Path | None = None) -> dict[str, Any]:
    """All rows, as the report that `--json` writes. Each has a server of its own."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="fs-") as scratch:
        folder = Path(scratch)
        if bundle is None:
            bundle = folder / "bundle"
            train_digits(bundle, hold_out=("3", "7"), epochs=sizes.epochs)
        for way, path, is_used in (
            ("stream", "/stream", False),
            ("used", "/stream", True),
            ("watch", "/watch", False),
        ):
            home = folder / way
            home.mkdir()
            room = str(sizes.before + sizes.sockets)
            settings = {"FIRSTSEEN_WS_CONNECTIONS": room, "FIRSTSEEN_CONNECTIONS": str(2 * int(room))}
            async with serving(bundle, home, settings) as service:
                port = int(service.url.rpartition(":")[2])
                rows.append(await _row(way, service.pid, port, path, sizes, is_used=is_used))
        async with _bare() as (pid, port):
            rows.append(await _row("bare", pid, port, "/", sizes, is_used=False))
    bare = rows[-1]["kb_a_socket"]
    for row in rows:
        row["of_bare"] = round(row["kb_a_socket"] / bare, 2) if bare else None
    return {
        "question": "What does a WebSocket cost that says nothing?",
        "machine": machine(["firstseen", "starlette", "uvicorn", "uvloop", "websockets"]),
        "sizes": asdict(sizes),
        "sockets": rows,
    }


async def _row(way: str, pid: int, port: int, path: str, sizes: Sizes, *, is_used: bool) -> Row:
    opened = [await _opened(port, path, is_used=is_used) for _ in range(sizes.before)]
    await asyncio.sleep(_SETTLE_S)
    before = _resident_kb(pid)
    opened += [await _opened(port, path, is_used=is_used) for _ in range(sizes.sockets)]
    await asyncio.sleep(_SETTLE_S)
    grown = _resident_kb(pid) - before
    for one in opened:
        one.close()
    return {
        "way": way,
        "sockets": sizes.sockets,
        "mb": round(grown / 1024, 1),
        "kb_a_socket": round(grown / sizes.sockets, 1),
    }


async def _opened(port: int, path: str, *, is_used: bool) -> asyncio.StreamWriter:
    """A socket that was greeted; small on this side, too."""
    client = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client.send_request(client.connect())
    await _until_heard(client, reader, writer, 2)  # the handshake's answer, and the greeting
    if is_used:
        client.send_text(json.dumps({"type": "items", "items": [{"x": [0] * 64}]}).encode())
        await _until_heard(client, reader, writer, 2)  # verdicts and ack
    return writer


async def _until_heard(
    client: ClientProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: int
) -> None:
    writer.write(b"".join(client.data_to_send()))
    heard = 0
    while heard < messages:
        client.receive_data(await reader.read(65536))
        heard += len(client.events_received())


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """The peer: it greets and waits."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "hello"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@asynccontextmanager
async def _bare() -> AsyncIterator[tuple[int, int]]:
    """Uvicorn with the peer: its process and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.idle_sockets:bare",
            "--port",
            str(port),
            "--lifespan",
            "off",
        ),
        *("--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--log-level", "error"),
    )
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield process.pid, port
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    main()
