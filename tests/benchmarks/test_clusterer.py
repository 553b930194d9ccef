"""The clusterer benchmark runs at a tiny size and reports what it says it reports."""

import json
from pathlib import Path

import pytest

from benchmarks import clusterer
from benchmarks.clusterer import Sizes

TINY = Sizes(dimensions=(2, 3), micro_clusters=(20,), budget_s=0.01, rounds=1, shape_items=600, seeds=1)


def test_every_size_has_a_row_for_each_peer_and_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Learning, and predicting and learning, side by side, with a ratio for the peer."""
    monkeypatch.setattr(clusterer, "QUICK", TINY)
    file = tmp_path / "new" / "report.json"

    clusterer.main(["--quick", "--json", str(file)])

    report = json.loads(file.read_text(encoding="utf-8"))
    rows = report["speed"]
    expected = {
        (task, d, name)
        for task in ("learn", "predict + learn")
        for d in (2, 3)
        for name in ("firstseen", "river")
    }
    assert expected == {(row["task"], row["d"], row["clusterer"]) for row in rows}
    assert len(expected) == len(rows)
    assert all(row["items_per_s"] > 0 and row["M"] > 0 for row in rows)
    assert all((row["ratio"] is None) == (row["clusterer"] == "firstseen") for row in rows)
    assert {"firstseen", "river"} == {row["clusterer"] for row in report["quality"]}


def test_shared_density_tells_moons_and_rings_apart() -> None:
    """Four shapes that no centroid can separate come out nearly right."""
    ours = clusterer.quality(Sizes(seeds=1), clusterer.Parameters())[0]

    assert ours["clusterer"] == "firstseen"
    assert ours["ari_worst"] > 0.9
