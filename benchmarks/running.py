"""A really running `firstseen serve` for a benchmark: a child process on a folder of its own."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import httpx

_START_S = 60.0


def device() -> str:
    """Where a measured service embeds: FIRSTSEEN_DEVICE, or on the CPU, so that two machines measure the same thing."""
    return os.environ.get("FIRSTSEEN_DEVICE", "cpu")


@dataclass(frozen=True, kw_only=True)
class Running:
    """Where it listens, and where its store's socket is.

    `pid` is its own, not the store's; `ready_s` is how long it took from its start until /readyz said so.
    """

    url: str
    ws_url: str
    store_socket: Path
    pid: int
    ready_s: float


class DidNotStart(RuntimeError):
    """The service ended, or was not ready in time; the message ends with its log."""


@asynccontextmanager
async def serving(
    bundle: Path, folder: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """`firstseen serve` on a free port, until the context closes; it may be killed before that.

    Args:
        bundle: What to serve.
        folder: Empty, or one that was served from before; gets the data folder and the log. Its path must be short
            enough for a unix socket.
        settings: By their names in the environment, `FIRSTSEEN_...`; none: as it ships.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "service.log"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTSEEN_")}
    environ |= {"FIRSTSEEN_DEVICE": device()} | dict(settings or {})
    start = perf_counter()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service.cli.main", "serve", str(bundle)),
            *("--port", str(port), "--data-dir", str(folder / "data")),
            stdout=output,
            stderr=output,
            env=environ,
        )
    try:
        await _until_ready(process, f"http://127.0.0.1:{port}", log)
        ready_s = perf_counter() - start
        yield Running(
            url=f"http://127.0.0.1:{port}",
            ws_url=f"ws://127.0.0.1:{port}",
            store_socket=folder / "data" / "redis" / "valkey.sock",
            pid=process.pid,
            ready_s=ready_s,
        )
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    deadline = perf_counter() + _START_S
    async with httpx.AsyncClient(base_url=url) as http:
        while process.returncode is None and perf_counter() < deadline:
            try:
                if (await http.get("/readyz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
    said = await asyncio.to_thread(log.read_text, encoding="utf-8")
    raise DidNotStart(f"The service did not start:\n{said[-2000:]}")
