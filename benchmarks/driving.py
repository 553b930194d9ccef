"""Requests that were put together beforehand, sent over kept connections, with next to no work on this side.

A client library costs more than the server it measures; this one writes bytes, reads a head and a length, and takes the
time. What the server's process, and its children, spent of the processor is read before and after.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import psutil


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What came of it: `cpu_s` is of the server alone, `store_s` of its children."""

    requests: int
    elapsed_s: float
    cpu_s: float
    store_s: float
    latencies_s: tuple[float, ...]

    def percentile_ms(self, q: float) -> float:
        """Of the latencies."""
        return float(np.percentile(self.latencies_s, q)) * 1e3


def request(path: str, body: bytes, *, headers: dict[str, str]) -> bytes:
    """A POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def drive(port: int, requests: Sequence[bytes], *, in_flight: int, pid: int) -> Drive:
    """Send all, so many at once.

    Raises:
        RuntimeError: An answer was not a 200.
    """
    waiting, latencies = iter(requests), []

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for data in waiting:
                start = perf_counter()
                writer.write(data)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                body = await reader.readexactly(int(length.partition(b":")[2]))
                latencies.append(perf_counter() - start)
                if b" 200 " not in head[:20]:
                    raise RuntimeError(f"{head.decode()}{body[:500].decode()}")
        finally:
            writer.close()
            await writer.wait_closed()

    own, children = cpu_of(pid)
    start = perf_counter()
    await asyncio.gather(*(sender() for _ in range(in_flight)))
    elapsed = perf_counter() - start
    own_after, children_after = cpu_of(pid)
    return Drive(
        requests=len(requests),
        elapsed_s=elapsed,
        cpu_s=own_after - own,
        store_s=children_after - children,
        latencies_s=tuple(latencies),
    )


def cpu_of(pid: int) -> tuple[float, float]:
    """Seconds of processor time of a process, and of its living children."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    children = [child.cpu_times() for child in process.children(recursive=True)]
    return own.user + own.system, sum(times.user + times.system for times in children)
