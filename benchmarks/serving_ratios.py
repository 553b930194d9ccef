"""What a durable verdict costs beside a bare echo of the same body, in the same minute on the same machine.

    JSON    one item a request, beside FastAPI and pydantic echoing it              goal: at most 1.6 times
    raw     one item a request as octets, beside bare ASGI echoing it               goal: at most 1.6 times

The service commits every item to its embedded store before it answers, in the tier `relaxed`, whose appends do not wait
for the fsync: that wait belongs to the disk, and the other rows have it. The two are measured in turn, round by round,
and a figure is the median of its rounds. `cpu` is of the server's process, microseconds an item, with that of its
embedded store beside it; at one request in flight each item is a batch of its own.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.bare_echo import echoing
from benchmarks.driving import Drive, drive, request
from benchmarks.report import Row
from benchmarks.running import Running

GOAL = 1.6
IN_FLIGHT = (1, 32)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way in, and its echo: what turns (id, values uint8 or float32 (n,)) into a request for each."""

    name: str
    service: Callable[[str, Any], bytes]
    echo: Callable[[str, Any], bytes]


_JSON = {"content-type": "application/json"}
_OCTETS = {"content-type": "application/octet-stream"}


def _json(path: str) -> Callable[[str, Any], bytes]:
    return lambda id, x: request(path, json.dumps({"id": id, "x": x.tolist()}).encode(), headers=_JSON)


def _raw(path: str) -> Callable[[str, Any], bytes]:
    def build(id: str, x: Any) -> bytes:  # noqa: ANN401 - an array
        headers = {**_OCTETS, "firstseen-dtype": "float32", "firstseen-ids": id}
        return request(path, np.asarray(x, dtype="<f4").tobytes(), headers=headers)

    return build


JSON_WAY = Way(name="json", service=_json("/classify"), echo=_json("/json"))
RAW_WAY = Way(name="raw", service=_raw("/classify"), echo=_raw("/raw"))


async def ratios(service: Running, x: Any, *, ways: Sequence[Way], requests: int, rounds: int) -> list[Row]:  # noqa: ANN401 - an array
    """A row for each way and number in flight.

    Args:
        service: In the tier `relaxed`.
        x: Items, uint8 or float32 (N, n).
        ways: Which to measure.
        requests: A round.
        rounds: How often each is measured, in turn with its echo.
    """
    port = int(service.url.rpartition(":")[2])
    rows: list[Row] = []
    serial = 0
    async with echoing() as (echo_port, echo_pid):
        for way in ways:
            for in_flight in IN_FLIGHT:
                ours: list[Drive] = []
                theirs: list[Drive] = []
                for _ in range(rounds):
                    items = [(f"{way.name}-{serial + n}", x[(serial + n) % len(x)]) for n in range(requests)]
                    serial += requests
                    bodies = [way.service(*item) for item in items]
                    echoes = [way.echo(*item) for item in items]
                    ours.append(await drive(port, bodies, in_flight=in_flight, pid=service.pid))
                    theirs.append(await drive(echo_port, echoes, in_flight=in_flight, pid=echo_pid))
                rows.append(_row(way.name, in_flight, ours, theirs))
    return rows


def _row(name: str, in_flight: int, ours: Sequence[Drive], theirs: Sequence[Drive]) -> Row:
    def of(drives: Sequence[Drive], figure: Callable[[Drive], float]) -> float:
        return median(figure(d) for d in drives)

    p50 = of(ours, lambda d: d.percentile_ms(50)), of(theirs, lambda d: d.percentile_ms(50))
    cpu = of(ours, lambda d: 1e6 * d.cpu_s / d.requests), of(theirs, lambda d: 1e6 * d.cpu_s / d.requests)
    rate = of(ours, lambda d: d.requests / d.elapsed_s), of(theirs, lambda d: d.requests / d.elapsed_s)
    return {
        "way": name,
        "in_flight": in_flight,
        "p50_ms": round(p50[0], 3),
        "echo_p50_ms": round(p50[1], 3),
        "latency_ratio": round(p50[0] / p50[1], 2),
        "cpu_us": round(cpu[0], 1),
        "store_cpu_us": round(of(ours, lambda d: 1e6 * d.store_s / d.requests), 1),
        "echo_cpu_us": round(cpu[1], 1),
        "cpu_ratio": round(cpu[0] / max(cpu[1], 1e-9), 2),
        "items_per_s": round(rate[0], 1),
        "rate_ratio": round(rate[1] / rate[0], 2),
        "goal": GOAL,
    }
