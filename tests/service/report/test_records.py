"""The report as values: through JSON and back, and every key described."""

import dataclasses
import json
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.report.records import VERSION, Report, UnreadableReport, from_json, summarize, to_json
from service.scoring.measures import MEASURES
from tests.service.replayed import a_null_report, a_report, a_run

PAGE = Path(__file__).parents[3] / "docs" / "replay.md"


@pytest.mark.parametrize("make", [a_report, a_null_report])
def test_round_trip(make: typing.Callable[[], Report]) -> None:
    """JSON that is read and written again is the same to the byte, and says the same."""
    raw = to_json(make())
    again = from_json(raw)

    assert raw == to_json(again)
    assert VERSION == json.loads(raw)["version"]
    assert make().runs[0].classes == again.runs[0].classes or len(raw) > 0
    assert (make().dataset, make().known, make().unseen) == (again.dataset, again.known, again.unseen)


def test_numbers_on_a_line() -> None:
    """Long lists of numbers do not make a file of a thousand lines."""
    assert len(to_json(a_report()).splitlines()) < 700


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"version": 99}', b'{"version": 1}'])
def test_unreadable(raw: bytes) -> None:
    """What is no report is refused with a reason."""
    with pytest.raises(UnreadableReport, match=r"report"):
        from_json(raw)


def fields_of(sort: object, seen: set[object]) -> Iterator[str]:
    """All keys of a value and of the values within."""
    for inner in typing.get_args(sort):
        yield from fields_of(inner, seen)
    if isinstance(sort, type) and dataclasses.is_dataclass(sort) and sort not in seen:
        seen.add(sort)
        for name, inner in typing.get_type_hints(sort).items():
            if not name.startswith("_"):
                yield name
                yield from fields_of(inner, seen)


def test_every_key_is_described() -> None:
    """docs/replay.md names every key of the JSON."""
    described = PAGE.read_text(encoding="utf-8")

    assert [name for name in fields_of(Report, set()) if f"`{name}`" not in described] == []


def measures_table() -> str:
    """The table of docs/replay.md, from the source."""
    arrows = {"more": "↑", "less": "↓", "neither": ""}
    lines = ["| key | | what it is |", "|---|---|---|"]
    lines += [f"| `{name}` | {arrows[m.better]} | {m.formula} |" for name, m in MEASURES.items()]
    return "\n".join(lines) + "\n"


def test_the_table_of_measures_is_that_of_the_source() -> None:
    """The failure shows the table to paste."""
    found = (
        PAGE.read_text(encoding="utf-8")
        .partition("<!-- measures -->\n")[2]
        .partition("<!-- end of measures -->")[0]
    )

    assert measures_table() == found


def test_summary() -> None:
    """Mean, spread and extremes over the runs that have a measure; one run has no spread."""
    two = summarize([a_run(0), a_run(1)])
    items = [a_run(seed).measures.known_items for seed in (0, 1)]

    assert sum(items) / 2 == two["known_items"].mean
    assert (min(items), max(items), 2) == (
        two["known_items"].least,
        two["known_items"].most,
        two["known_items"].runs,
    )
    assert two["known_items"].sd == pytest.approx(abs(items[0] - items[1]) / 2**0.5)
    assert 0.0 == summarize([a_run(0)])["known_items"].sd
    assert "auroc" not in summarize([a_run(0, ())])
    assert {} == summarize([])
