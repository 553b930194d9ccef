"""Tables and JSON of the benchmarks."""

import json
from pathlib import Path

import pytest

from benchmarks.report import machine, parser, publish, table


def test_numbers_are_aligned_right_and_words_left() -> None:
    """So that magnitudes can be compared by eye."""
    rows = [{"who": "a", "n": 12345, "ratio": None}, {"who": "long", "n": 7, "ratio": 0.25}]

    assert table("T", rows).splitlines() == [
        "T",
        "  who        n  ratio",
        "  a     12,345      -",
        "  long       7   0.25",
    ]


def test_no_rows_is_said() -> None:
    """An empty table is not an error."""
    assert table("T", []) == "T\n  (nothing)\n"


def test_the_report_is_written_where_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders are made; the tables are printed all the same."""
    file = tmp_path / "a" / "b.json"

    publish({"x": 1}, [("T", [{"n": 1}])], file)

    assert json.loads(file.read_text(encoding="utf-8")) == {"x": 1}
    assert "T\n  n\n  1\n" in capsys.readouterr().out


def test_a_missing_package_is_no_error() -> None:
    """A report says null for what is not installed."""
    found = machine(["numpy", "no-such-distribution"])["versions"]

    assert found["numpy"] is not None
    assert found["no-such-distribution"] is None


def test_the_common_options() -> None:
    """Every benchmark takes --quick and --json."""
    given = parser("what").parse_args(["--quick", "--json", "x.json"])

    assert (given.quick, given.json) == (True, Path("x.json"))
