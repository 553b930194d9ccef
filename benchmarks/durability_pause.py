"""How long does a server not answer, seen from outside?

    python -m benchmarks.durability_pause SOCKET        # a PING every millisecond, until standard input ends

Prints the longest and the 99th percentile of the waits for the answer, in milliseconds, as JSON. It is a process of its
own that loads nothing, so that what it sees is the server's doing and not that of the Python program which keeps that
server busy. What the machine itself holds it up is in the figures; so there is always a row in which nothing happens.
"""

import asyncio
import json
import select
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

_EVERY_S = 0.001


@dataclass(kw_only=True)
class Waits:
    """Filled when the watch ends. Milliseconds."""

    pings: int = 0
    longest_ms: float = 0.0
    p99_ms: float = 0.0


@asynccontextmanager
async def watched(server: Path) -> AsyncIterator[Waits]:
    """Ping a server on a unix socket from a process of its own, for as long as the context is open."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.durability_pause", str(server)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()  # it has begun
    waits = Waits()
    try:
        yield waits
    finally:
        answer, _ = await process.communicate(b"")
    waits.__dict__.update(json.loads(answer))


def ping(server: str) -> dict[str, float]:
    """Ping until standard input ends."""
    waits = []
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server)
        print("begun", flush=True)
        while not select.select([sys.stdin], [], [], _EVERY_S)[0]:
            start = perf_counter()
            client.sendall(b"PING\r\n")
            client.recv(64)
            waits.append(1e3 * (perf_counter() - start))
    waits.sort()
    return {
        "pings": len(waits),
        "longest_ms": round(waits[-1], 2) if waits else 0.0,
        "p99_ms": round(waits[int(0.99 * len(waits))], 2) if waits else 0.0,
    }


if __name__ == "__main__":
    print(json.dumps(ping(sys.argv[1])))
