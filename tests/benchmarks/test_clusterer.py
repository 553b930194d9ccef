"""The clusterer benchmark runs at a tiny size and reports what it says it reports."""

import json
from pathlib import Path

import pytest

from benchmarks import clusterer
from benchmarks.clusterer import QUICK, Sizes
from benchmarks.clusterer_churn import ChurnSizes
from benchmarks.clusterer_grids import ENTRIES, Entry
from benchmarks.clusterer_quality import KINDS, QualitySizes
from benchmarks.clusterer_speed import SpeedSizes


def small(entry: Entry) -> Entry:
    """With one point of its grid."""
    return Entry(
        name=entry.name,
        module=entry.module,
        told_k=entry.told_k,
        make=entry.make,
        grid={name: values[-1:] for name, values in entry.grid.items()},
    )


TWO = tuple(small(entry) for entry in ENTRIES[:2])
MISSING = Entry(name="missing", module="no_such_package", make=ENTRIES[0].make, grid={})
TINY = Sizes(
    speed=SpeedSizes(
        dimensions=(2, 3),
        micro_clusters=(20,),
        budget_s=0.001,
        rounds=1,
        warm_up_visits=3,
        calls=3,
        flat_d=2,
        flat_micro_clusters=20,
        flat_marks=(5000,),
    ),
    quality=QualitySizes(items=200, seeds=1, limit_ms=100.0, entries=(*TWO, MISSING)),
    churn=ChurnSizes(items=400, seeds=1, settled=0, entries=TWO),
)


@pytest.mark.long
def test_all_that_was_measured_is_printed_written_and_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each stream, size and peer; what is not installed is named; folders are made."""
    monkeypatch.setattr(clusterer, "QUICK", TINY)
    file, folder = tmp_path / "new" / "report.json", tmp_path / "newer" / "plots"

    clusterer.main(["--quick", "--json", str(file), "--plots", str(folder)])

    report = json.loads(file.read_text(encoding="utf-8"))
    names = [entry.name for entry in TWO]
    assert {(s, d, 20) for s in ("filaments", "blobs") for d in (2, 3)} == {
        (row["stream"], row["d"], row["M"]) for row in report["speed"]
    }
    assert [5000] == [row["items_learnt"] for row in report["flatness"]]
    assert [(kind, name) for kind in KINDS for name in names] == [
        (row["stream"], row["clusterer"]) for row in report["quality"]
    ]
    assert list(KINDS) == [row["stream"] for row in report["verdict"]]
    assert [*names, *(f"{name}, forgets" for name in names)] == sorted(
        (row["clusterer"] for row in report["churn"]), key=lambda name: ("forgets" in name, name)
    )
    assert ["missing"] == report["not_installed"]
    assert {"speed.svg", "flatness.svg", "quality.svg", "churn.svg"} == {p.name for p in folder.iterdir()}
    printed = capsys.readouterr()
    for said in (
        "Speed",
        "microseconds",
        "Cost of an item",
        "Answers",
        "best peer",
        "Probes",
        "Not installed",
    ):
        assert said in printed.out
    assert "quality: digits, river DBSTREAM" in printed.err


def test_quick_is_what_it_is_said_to_be() -> None:
    """One size, one kind of stream, no package that may be missing."""
    assert ((32,), (1000,)) == (QUICK.speed.dimensions, QUICK.speed.micro_clusters)
    assert ("moons+circles",) == QUICK.quality.kinds
    assert {"service", "river", "sklearn"} == {entry.module for entry in QUICK.quality.entries}
    assert QUICK.churn.entries == ()


def test_the_full_run_compares_everybody_everywhere() -> None:
    """Every dimension, every number of micro-clusters, every stream, every peer."""
    full = Sizes()

    assert (2, 16, 32, 64, 384) == full.speed.dimensions
    assert (10, 100, 1000, 5000) == full.speed.micro_clusters
    assert full.speed.flat_marks[-1] == 10_000_000
    assert tuple(KINDS) == full.quality.kinds
    assert ENTRIES == full.quality.entries == full.churn.entries


def test_one_question_alone_is_measured_printed_and_drawn_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Churn chooses settings for itself then."""
    monkeypatch.setattr(clusterer, "QUICK", TINY)

    clusterer.main(["--quick", "--only", "churn", "--plots", str(tmp_path)])

    assert ["churn.svg"] == [path.name for path in tmp_path.iterdir()]
    printed = capsys.readouterr()
    assert "Probes" in printed.out
    assert "Speed" not in printed.out
    assert "quality: topic turnover" in printed.err
    assert "quality: digits" not in printed.err
