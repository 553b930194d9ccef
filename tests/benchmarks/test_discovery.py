"""The whole of it in small: one report, as tables and as JSON."""

import json
from pathlib import Path

import pytest

from benchmarks import discovery
from benchmarks.discovery import main, measure
from benchmarks.discovery_cells import VARIANTS
from benchmarks.discovery_report import tables
from benchmarks.discovery_runs import Setup
from benchmarks.discovery_suite import Group

TINY = Group(
    name="digits, 3 and 7 unseen",
    config="digits",
    changes={"epochs": 1, "max_items": 700},
    reported=(("3", "7"),),
    design=(("1", "5"),),
    length=150,
)


def setup(cache: Path) -> Setup:
    return Setup(data_dir=None, cache=cache, streams=1, entries=(), encoder="none that there is")


def test_only_what_is_asked_for_is_measured(tmp_path: Path) -> None:
    """By the beginning of its name; a sentence encoder is no affair of digits."""
    report = measure((TINY,), setup(tmp_path), only=["digits"])

    assert [TINY.name] == list(report["groups"])
    assert ([], []) == (report["rbf"], report["intents"])
    assert list(VARIANTS) == [row["method"] for row in report["nulls"]]
    json.dumps(report)


def test_nothing_that_is_asked_for_is_an_empty_report(tmp_path: Path) -> None:
    """And trains nothing."""
    report = measure((TINY,), setup(tmp_path), only=["no such group"])

    assert [] == list(tables(report)) == report["goals"]
    assert [] == list(tmp_path.iterdir())


def test_the_report_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table a group, then streams without anything new, then goals; the JSON has the runs behind them."""
    monkeypatch.setattr(discovery, "QUICK", (TINY,))
    monkeypatch.setattr(discovery, "ENTRIES", ())
    file = tmp_path / "discovery.json"
    main(["--quick", "--only", "digits", "--cache", str(tmp_path / "cells"), "--json", str(file)])
    shown, report = capsys.readouterr().out, json.loads(file.read_text(encoding="utf-8"))

    assert shown.index(TINY.name) < shown.index("without anything new") < shown.index("Goals")
    merge = ["--merge", str(file), "--json", str(tmp_path / "all.json")]
    main(merge)
    again, all_of_it = (
        capsys.readouterr().out,
        json.loads((tmp_path / "all.json").read_text(encoding="utf-8")),
    )

    assert shown == again
    assert report == {key: value for key, value in all_of_it.items() if key != "machines"}
    assert {"splits", "settings", "rows", "items", "goals", "runs", "nulls", "cells"} == set(
        report["groups"][TINY.name]
    )


def test_a_file_that_is_not_there_cannot_be_merged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says which."""
    with pytest.raises(SystemExit):
        main(["--merge", str(tmp_path / "absent.json")])

    assert "absent.json" in capsys.readouterr().err
