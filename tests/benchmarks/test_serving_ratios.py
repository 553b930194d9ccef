"""Single items beside a bare echo: the rows, from figures that are known."""

import json

import numpy as np
import pytest

from benchmarks.driving import Drive
from benchmarks.serving_ratios import JSON_WAY, RAW_WAY, _row


def drive(ms: float, cpu_us: float) -> Drive:
    return Drive(
        requests=10, elapsed_s=ms / 100, cpu_s=cpu_us / 1e5, store_s=0.0, latencies_s=tuple([ms / 1000] * 10)
    )


def test_a_ratio_is_of_the_medians_of_the_rounds() -> None:
    """One bad round of three changes nothing."""
    row = _row(
        "json",
        1,
        [drive(2, 300), drive(2, 300), drive(90, 9000)],
        [drive(1, 100), drive(1, 100), drive(5, 700)],
    )

    assert 2 == pytest.approx(row["latency_ratio"])
    assert 3 == pytest.approx(row["cpu_ratio"])
    assert 300 == pytest.approx(row["cpu_us"])
    assert 100 == pytest.approx(row["echo_cpu_us"])


def test_both_sides_get_the_same_body() -> None:
    """Whatever the way."""
    x = np.arange(4, dtype=np.uint8)
    for way in (JSON_WAY, RAW_WAY):
        bodies = {build("i", x).partition(b"\r\n\r\n")[2] for build in (way.service, way.echo)}

        assert 1 == len(bodies)
    assert {"id": "i", "x": [0, 1, 2, 3]} == json.loads(JSON_WAY.service("i", x).partition(b"\r\n\r\n")[2])
    assert 16 == len(RAW_WAY.service("i", x).partition(b"\r\n\r\n")[2])
