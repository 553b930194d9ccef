"""The durability benchmark runs every part at a tiny size, each beside its peer, and counts what it wrote."""

import json
from pathlib import Path

import pytest

from benchmarks import durability
from benchmarks.durability import BATCHES, TITLES, Sizes

TINY = Sizes(items=400, batches=4, turns=2, blob=600_000, trimmed=300, singles=20, starts=1, epochs=1)


@pytest.mark.long
def test_every_part_is_measured_beside_its_peer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Appends, replays, starts after kill -9, pauses, waits and bytes; figures are there, and none is judged."""
    monkeypatch.setattr(durability, "QUICK", TINY)
    file = tmp_path / "report.json"

    durability.main(["--quick", "--json", str(file)])

    report = json.loads(file.read_text(encoding="utf-8"))
    assert list(BATCHES) == [row["batch"] for row in report["append"]]
    assert all(
        row["of_batch"] > 0 and row["of_items"] > 0 and row["of_unchecked"] > 0 for row in report["append"]
    )
    # The first entry of a log is its parameters, and takes a place.
    assert [(401, 401), (26, 401)] == [(row["entries"], row["items"]) for row in report["replay"][:2]]
    assert [0, 401] == [row["entries"] for row in report["ready"][:2]]
    assert all(row["ready_s"] > 0 for row in report["ready"])
    assert all(row["longest_ms"] >= row["p99_ms"] > 0 for row in report["pause"] if row["way"] != "nothing")
    assert [20, 20] == [row["items"] for row in report["acks"]]
    assert 2 * len(BATCHES) == len(report["bytes"])
    assert all(
        row["together"] >= row["log"] > 192 for row in report["bytes"]
    )  # 96 features of two bytes each


def test_parts_can_be_measured_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_dir: Path
) -> None:
    """With a bundle of one's own, which need not have a stream gate."""
    monkeypatch.setattr(durability, "QUICK", TINY)
    file = tmp_path / "report.json"

    durability.main(
        ["--quick", "--only", "append", "bytes", "--bundle", str(bundle_dir), "--json", str(file)]
    )

    report = json.loads(file.read_text(encoding="utf-8"))
    assert {"append", "bytes"} == TITLES.keys() & report.keys()
    assert all(row["verdict"] > 0 for row in report["bytes"])
