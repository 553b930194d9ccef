"""Schedules: what can be, what cannot and why, and that files, scaling and the standard say what they mean."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.evaluation import schedule as module
from service.evaluation.schedule import (
    Arrival,
    Drift,
    InvalidSchedule,
    Schedule,
    Shift,
    along,
    as_schedule,
    describe,
    read_schedule,
    standard,
)

FULL = Schedule(
    length=1000,
    arrivals=(
        Arrival(label="x", share=0.05, spans=((200, 400), (600, 1000))),
        Arrival(label="y", share=0.02, spans=((500, 700),)),
    ),
    shifts=(Shift(label="a", weight=((0, 1.0), (500, 0.0))),),
    drifts=(Drift(kind="noise", strength=((300, 0.0), (800, 0.3)), labels=("b",)),),
    mix="uniform",
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule with up to four arrivals."""
    length = draw(st.integers(1, 400))
    arrivals = []
    for n in range(draw(st.integers(0, 4))):
        cuts = sorted(draw(st.sets(st.integers(0, length), min_size=2, max_size=6)))
        *whole, (start, stop) = zip(cuts[::2], cuts[1::2], strict=False)
        spans = (*whole, (start, stop + draw(st.integers(0, 100))))
        arrivals.append(Arrival(label=f"n{n}", share=draw(st.floats(0.01, 0.24)), spans=spans))
    return Schedule(length=length, arrivals=tuple(arrivals))


def test_standard() -> None:
    """The first new class at 20 %, the second at 50 %, a tenth of the items each."""
    a, b = standard(["A", "B"]).arrivals

    assert (("A", 0.1, ((2000, 10000),)), ("B", 0.1, ((5000, 10000),))) == (
        (a.label, a.share, a.spans),
        (b.label, b.share, b.spans),
    )


@pytest.mark.parametrize("classes", [1, 2, 3, 5, 38, 200])
def test_standard_of_many(classes: int) -> None:
    """Further ones come evenly up to 80 %, and all of them together leave half of the stream to the known ones."""
    made = standard([str(n) for n in range(classes)])
    starts = [arrival.spans[0][0] for arrival in made.arrivals]

    assert classes == len(starts)
    assert sorted(starts) == starts
    assert 2000 == starts[0]
    assert starts[-1] == {1: 2000, 2: 5000}.get(classes, 8000)
    assert made.shares().sum(axis=0).max() <= 0.5 + 1e-9


def test_standard_share() -> None:
    """A share of one's own; and one that leaves nothing to the known classes is refused."""
    assert 0.01 == standard("ab", share=0.01).arrivals[1].share
    with pytest.raises(InvalidSchedule, match="lower some share"):
        standard("abcd", share=0.3)


def test_null() -> None:
    """Nothing arrives; what known classes do stays."""
    assert () == standard([]).arrivals
    assert (FULL.shifts, FULL.drifts, ()) == (FULL.null().shifts, FULL.null().drifts, FULL.null().arrivals)


def test_shares() -> None:
    """A row an arrival, its share within its spans."""
    shares = FULL.shares()

    assert (2, 1000) == shares.shape
    assert [0.0, 0.05, 0.0, 0.05] == shares[0, [199, 200, 400, 999]].tolist()
    assert (0, 1000) == Schedule(length=1000).shares().shape


def test_names() -> None:
    """Arrivals without labels take the unseen classes in order."""
    two = Schedule(arrivals=(Arrival(share=0.1, spans=((0, 9),)), Arrival(share=0.1, spans=((5, 9),))))

    assert ["q", "r"] == [a.label for a in two.named(["q", "r", "s"]).arrivals]
    assert FULL == FULL.named(["y", "x"])
    with pytest.raises(InvalidSchedule, match="name more with --unseen"):
        two.named(["q"])
    with pytest.raises(InvalidSchedule, match="'x'"):
        FULL.named(["q", "y"])


@given(schedules(), st.integers(1, 600))
def test_scaled(made: Schedule, length: int) -> None:
    """Another length, the same stream: as many arrivals, spans in order, none empty; and to its own length, itself.

    A shorter one may have no room for all spans, but for one of each arrival.
    """
    other = made.scaled(length)

    assert length == other.length
    assert made == made.scaled(made.length)
    assert [(a.label, a.share) for a in made.arrivals] == [(a.label, a.share) for a in other.arrivals]
    for before, after in zip(made.arrivals, other.arrivals, strict=True):
        assert 1 <= len(after.spans) <= len(before.spans)
        assert length < made.length or len(after.spans) == len(before.spans)


@given(schedules())
def test_share_of_new(made: Schedule) -> None:
    """In pieces it is what the sum over arrivals is item by item."""
    starts, shares = made.share_of_new()
    lengths = np.diff(starts, append=made.length)

    assert (lengths > 0).all()
    assert np.allclose(made.shares().sum(axis=0), np.repeat(shares, lengths), rtol=0, atol=1e-12)


def test_a_long_schedule_takes_no_memory() -> None:
    """A stream is cut to its pool before anything as long as the schedule is made."""
    made = standard([str(n) for n in range(150)], length=module.LONGEST)

    assert made.scaled(1000).length == 1000
    assert len(made.share_of_new()[0]) == 151


def test_an_arrival_at_the_very_end_stays_when_scaled() -> None:
    """Its place rounds to the end, and it keeps the last item."""
    made = Schedule(length=1000, arrivals=(Arrival(label="x", share=0.1, spans=((999, 1000),)),))

    assert ((9, 10),) == made.scaled(10).arrivals[0].spans


def test_scaled_down_to_nothing() -> None:
    """Spans and knots that fall together are one."""
    small = FULL.scaled(3)

    assert ((1, 2), (2, 3)) == tuple((a.spans[0][0], a.spans[0][1]) for a in small.arrivals)
    assert len({at for at, _ in small.drifts[0].strength}) == len(small.drifts[0].strength)


@given(schedules())
def test_round_trip(made: Schedule) -> None:
    """As plain values, through JSON, and back."""
    assert made == as_schedule(json.loads(json.dumps(dataclasses.asdict(made))), source="here")


def test_files(tmp_path: Path) -> None:
    """The example at the top of the module is TOML that reads; JSON says the same."""
    lines = (module.__doc__ or "").partition("with the fields' names:")[2].splitlines()
    (tmp_path / "s.toml").write_text("\n".join(line.strip() for line in lines), encoding="utf-8")
    made = read_schedule(tmp_path / "s.toml")
    (tmp_path / "s.json").write_text(json.dumps(dataclasses.asdict(made)), encoding="utf-8")

    assert ((2000, 4000), (6000, 10000)) == made.arrivals[0].spans
    assert ("0", "noise") == (made.shifts[0].label, made.drifts[0].kind)
    assert made == read_schedule(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"lenght": 10}, "lenght: Unexpected keyword"),
        ({"length": "10"}, "length: Input should be a valid integer"),
        ({"length": 0}, "1 to 100,000,000 items, not 0"),
        ({"length": 10**12}, "1 to 100,000,000 items, not 1,000,000,000,000"),
        ({"length": 10**30}, "not a number of more than 18 digits"),
        ([], "the document"),
        ({"arrivals": [{"share": 0.1, "spans": [[5, 5]]}]}, "spans are in order"),
        ({"arrivals": [{"share": 0.1, "spans": [[5, 9], [8, 12]]}]}, "in order and apart"),
        ({"arrivals": [{"share": 0.1, "spans": []}]}, "has no span"),
        ({"arrivals": [{"share": 0.1, "spans": [[0, 10**400]]}]}, "none beyond item"),
        (
            {"length": 500, "arrivals": [{"share": 0.1, "spans": [[500, 5000]]}]},
            "comes at item 500, and the stream",
        ),
        ({"arrivals": [{"share": 1.0, "spans": [[0, 5]]}]}, "above 0 and below 1"),
        ({"arrivals": [{"spans": [[0, 5]]}]}, "arrivals.0.share"),
        ({"arrivals": [{"share": 0.1, "spans": [[0, 5]], "label": "x"}] * 2}, "'x' twice"),
        (
            {"arrivals": [{"share": 0.1, "spans": [[0, 5]], "label": n} for n in ("x", None)]},
            "all of them one, or none",
        ),
        ({"shifts": [{"label": "a", "weight": [[0, -1.0]]}]}, "a number from 0 to 1,000,000"),
        ({"shifts": [{"label": "a", "weight": [[0, 1e308]]}]}, "a number from 0 to 1,000,000"),
        ({"shifts": [{"label": "a", "weight": [[0, 1.0], [10**400, 1.0]]}]}, "none beyond item"),
        ({"drifts": [{"kind": "noise", "strength": [[0, 1e308]]}]}, "a number from -1,000,000 to 1,000,000"),
        ({"shifts": [{"label": "a", "weight": []}]}, "needs knots"),
        ({"drifts": [{"kind": "noise", "strength": [[5, 0.1], [5, 0.2]]}]}, "places that rise"),
        ({"drifts": [{"kind": "noise", "strength": [[5, float("inf")]]}]}, "strength"),
        ({"mix": "natural"}, "mix"),
    ],
)
def test_refused(document: Any, says: str) -> None:
    """What cannot be is refused with what to change, and with where it was read."""
    with pytest.raises(InvalidSchedule) as error:
        as_schedule(document, source="s.toml")

    assert says in str(error.value)
    assert str(error.value).startswith("s.toml: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.json", "{"),
        ("s.json", "[" * 200_000),
        ("s.json", "[" * 900 + "]" * 900),
        ("s.toml", "length ="),
        ("s.toml", "length = " + "[" * 200_000),
        ("none.toml", None),
    ],
)
def test_unreadable(tmp_path: Path, name: str, text: str | None) -> None:
    """A file that is none names itself."""
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSchedule, match=name):
        read_schedule(tmp_path / name)


def test_along() -> None:
    """Straight lines between knots, constant outside of them."""
    assert [0.0, 0.0, 0.0, 0.5, 1.0, 1.0] == along(((2, 0.0), (4, 1.0)), 6).tolist()
    assert np.array_equal(np.ones(3), along(((1, 1.0),), 3))


def test_described() -> None:
    """Everything that a reader must know is said."""
    said = describe(FULL)

    for part in (
        "1,000 items",
        "new class x: 0.05",
        "200 to 400 and 600 to 1,000",
        "equally likely",
        "weight 1 at 0",
    ):
        assert part in said
    assert "noise on b: strength 0 at 300, 0.3 at 800" in said
    assert "null stream" in describe(Schedule(length=5))
    assert "30 more new classes" in describe(standard([str(n) for n in range(38)]))
