"""The history is shown in as many bins as are wanted, and they stay where they are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.chronicle import FIRST_RUN, KINDS, Chronicle
from service.overview.timeline import Bin, Timeline, by_items, by_time
from service.records import VerdictKind

T0 = 1_700_000_000.0


def history(steps: list[tuple[float, int, VerdictKind]]) -> tuple[Chronicle, int]:
    """Each step: seconds that pass, then so many items of a kind."""
    made, t, seq = Chronicle(), T0, 0
    for passes, items, kind in steps:
        t += passes
        made.count(seq, np.full(items, t), [kind] * items)
        seq += items
    return made, seq


def sums(found: Timeline) -> list[int]:
    return [sum(getattr(one, kind.value) for one in found.bins) for kind in KINDS]


steps = st.lists(
    st.tuples(st.sampled_from([0.0, 0.4, 3.0, 500.0, 50_000.0]), st.integers(1, 300), st.sampled_from(KINDS)),
    min_size=1,
    max_size=30,
)


@given(steps=steps, bins=st.integers(2, 40))
def test_bins_add_up_to_the_verdicts(steps: list[tuple[float, int, VerdictKind]], bins: int) -> None:
    """No more of them than asked for, in order, none empty, no item twice or left out."""
    made, seq = history(steps)
    expected = [sum(items for _, items, kind in steps if kind is own) for own in KINDS]

    for found in (
        by_items(made.state(), seq=seq, bins=bins, start=None, stop=None),
        by_time(made.state(), bins=bins, start=None, stop=None),
    ):
        assert expected == sums(found)
        assert 0 < len(found.bins) <= bins
        assert all(one.known + one.cluster + one.outlier > 0 for one in found.bins)
        assert all(a.to_seq <= b.from_seq for a, b in zip(found.bins, found.bins[1:], strict=False))
        assert all(a.from_t <= a.to_t for a in found.bins)
        assert seq == found.bins[-1].to_seq


@given(steps=steps, more=steps)
def test_what_is_past_stays_where_it_is(
    steps: list[tuple[float, int, VerdictKind]], more: list[tuple[float, int, VerdictKind]]
) -> None:
    """While there are bins enough for all, a stream that goes on changes the last one alone."""
    made, seq = history(steps)
    before = by_items(made.state(), seq=seq, bins=512, start=None, stop=None)
    made, seq = history([*steps, *more])
    after = by_items(made.state(), seq=seq, bins=512, start=None, stop=None)

    if before.unit == after.unit:
        assert before.bins[:-1] == after.bins[: len(before.bins) - 1]


def test_bins_by_time_lie_at_multiples_of_their_width() -> None:
    """By hand: two items a second for six seconds, in three bins."""
    made, _ = history([(1.0, 2, VerdictKind.KNOWN)] * 6)
    found = by_time(made.state(), bins=4, start=None, stop=None)

    assert 1 == found.unit
    assert [T0, T0 + 2, T0 + 4, T0 + 6] == [one.from_t for one in found.bins]
    assert [2, 4, 4, 2] == [one.known for one in found.bins]
    assert (
        Bin(from_seq=2, to_seq=6, from_t=T0 + 2, to_t=T0 + 4, known=4, cluster=0, outlier=0) == found.bins[1]
    )


def test_the_finest_history_that_reaches_back_is_taken() -> None:
    """Of an hour of seconds the first are gone: the whole hour in tens of seconds, its end in seconds."""
    made, _ = history([(1.0, 1, VerdictKind.OUTLIER)] * 3600)

    assert 10 == by_time(made.state(), bins=100, start=None, stop=None).unit
    assert 1 == by_time(made.state(), bins=100, start=T0 + 3300, stop=None).unit
    assert [0, 0, 3600] == sums(by_time(made.state(), bins=100, start=None, stop=None))


def test_a_part_of_it() -> None:
    """Bins that lie between two places, or two times, at least in part."""
    made, seq = history([(1.0, FIRST_RUN, VerdictKind.KNOWN)] * 10)
    places = by_items(made.state(), seq=seq, bins=50, start=FIRST_RUN + 1, stop=3 * FIRST_RUN)
    times = by_time(made.state(), bins=50, start=T0 + 2.5, stop=T0 + 4)

    assert [FIRST_RUN, 2 * FIRST_RUN] == [one.from_seq for one in places.bins]
    assert [T0 + 2, T0 + 3] == [one.from_t for one in times.bins]
    assert () == by_items(made.state(), seq=seq, bins=5, start=1e9, stop=None).bins
    assert () == by_time(made.state(), bins=5, start=None, stop=1.0).bins


def test_before_the_first_item_there_is_none() -> None:
    """An empty stream has an empty timeline."""
    made = Chronicle()

    assert () == by_items(made.state(), seq=0, bins=5, start=None, stop=None).bins
    assert () == by_time(made.state(), bins=5, start=None, stop=None).bins
