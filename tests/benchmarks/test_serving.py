"""The serving benchmark drives a real service at a tiny size, and counts what it sent."""

import json
from pathlib import Path

import pytest

from benchmarks import serving
from benchmarks.serving import TAKES_DENSE, Sizes


@pytest.mark.long
def test_every_way_in_is_measured_beside_the_bare_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """HTTP, both encodings of the WebSocket, and the same log entries written with nothing around them."""
    monkeypatch.setattr(serving, "QUICK", Sizes(items=256, singles=5, epochs=1, rounds=1, ratio_requests=4))
    monkeypatch.delenv("FIRSTSEEN_DATA", raising=False)
    file = tmp_path / "report.json"

    serving.main(["--quick", "--json", str(file)])

    report = json.loads(file.read_text(encoding="utf-8"))
    rows = {row["way"]: row for row in report["throughput"]}
    dense = {"websocket, dense"} if TAKES_DENSE else set()
    assert {
        "http, 4 in flight",
        "websocket, json",
        "websocket, msgpack",
        "bare XADD, one by one",
        "bare XADD, pipelined",
        *dense,
    } == set(rows)
    # Three ways of 256 and 5 single ones were logged; the warm-up's 128 are not sent to the bare store.
    logged = 3 * 256 + 5 + (256 + 128 if dense else 0)
    assert logged == rows["bare XADD, pipelined"]["items"]
    assert logged + 128 == sum(report["verdicts"].values())
    assert rows["bare XADD, pipelined"]["of_bare"] == 1.0
    assert all(row["items_per_s"] > 0 for row in rows.values())
    assert 0 < report["latency"][0]["p50_ms"] <= report["latency"][0]["p99_ms"]
    assert all(row["latency_ratio"] > 0 for row in report["ratios"])
    assert 3 == len(report["alone"])
    assert ["litserve", "ray"] == [row["peer"] for row in report["peers"]]
    # No look-up: ids that are known to be new need none.
    assert {"embed", "step", "commit"} <= {row["stage"] for row in report["stages"]}
