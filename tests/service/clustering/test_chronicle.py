"""The history of a stream: whole numbers that add up, however it was cut into batches."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.blob import SnapshotUnreadable
from service.clustering.chronicle import FIRST_RUN, KINDS, LEVELS, MOST_MARKS, RUNS, Chronicle, Mark
from service.events import ClusterEvent, EventKind
from service.records import Float64s, VerdictKind
from tests.service.overview.test_map_view import cluster

Stream = tuple[Float64s, list[VerdictKind]]


def streams() -> st.SearchStrategy[Stream]:
    """Times that stand still, go on by much or little, or go back; and kinds."""
    step = st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0, 40.0, 4000.0, -2.5])
    item = st.tuples(step, st.sampled_from(KINDS))
    return st.lists(item, min_size=1, max_size=200).map(
        lambda items: (1_700_000_000.0 + np.cumsum([s for s, _ in items]), [kind for _, kind in items])
    )


def learnt(stream: Stream, *, cuts: list[int], at: int = 0) -> Chronicle:
    """A chronicle of it, a batch from cut to cut."""
    made, (t, kinds) = Chronicle(), stream
    for a, b in itertools.pairwise([0, *sorted(cuts), len(kinds)]):
        made.count(at + a, t[a:b], kinds[a:b])
    return made


def same(one: Chronicle, other: Chronicle) -> bool:
    a, b = one.state(), other.state()
    return a.keys() == b.keys() and all(a[n].tobytes() == b[n].tobytes() for n in a)


def totals(kinds: list[VerdictKind]) -> list[int]:
    return [kinds.count(kind) for kind in KINDS]


@given(stream=streams(), at=st.sampled_from([0, 1, FIRST_RUN * RUNS - 50, 10**7]), data=st.data())
def test_batches_leave_no_trace(stream: Stream, at: int, data: st.DataObject) -> None:
    """One by one, at once, or in any batches: the same to the bit, a doubling of runs on the way or not."""
    n = len(stream[1])
    cuts = data.draw(st.lists(st.integers(0, n), max_size=5))

    assert same(learnt(stream, cuts=cuts, at=at), learnt(stream, cuts=[], at=at))
    assert same(learnt(stream, cuts=cuts, at=at), learnt(stream, cuts=list(range(n)), at=at))


@given(stream=streams(), at=st.integers(0, 100_000))
def test_every_history_has_all_items(stream: Stream, at: int) -> None:
    """Sums are the counts of verdicts, as long as nothing had to leave."""
    state = learnt(stream, cuts=[], at=at).state()

    assert totals(stream[1]) == state["counts"].sum(axis=0).tolist()
    for width, _ in LEVELS:
        assert totals(stream[1]) == state[f"rows.{width}"][:, 3:].sum(axis=0).tolist()


@given(stream=streams(), cut=st.integers(0, 200))
def test_it_goes_on_from_what_was_stored(stream: Stream, cut: int) -> None:
    """To the bit."""
    t, kinds = stream
    cut = min(cut, len(kinds))
    before = learnt((t[:cut], kinds[:cut]), cuts=[])
    again = Chronicle()
    again.restore(before.state(), before.marks, seq=cut)
    again.count(cut, t[cut:], kinds[cut:])

    assert same(learnt(stream, cuts=[cut]), again)


def test_bins_by_time_are_counted_by_hand() -> None:
    """Rows of one second; a clock that went back counts at the latest time there was."""
    made = Chronicle()
    K, C, O = KINDS  # noqa: E741 - as in the docstring of the module
    made.count(5, np.array([10.0, 10.9, 11.0, 10.2]), [K, O, C, C])
    made.count(9, np.array([19.0]), [K])

    assert [[10, 5, 7, 1, 0, 1], [11, 7, 9, 0, 2, 0], [19, 9, 10, 1, 0, 0]] == made.state()["rows.1"].tolist()
    assert [[1, 5, 10, 2, 2, 1]] == made.state()["rows.10"].tolist()


def test_runs_double_when_they_are_full() -> None:
    """512 of them, then 256 of twice the size; first and last times are kept."""
    made = Chronicle()
    n = FIRST_RUN * RUNS
    made.count(0, np.arange(n, dtype=np.float64), [VerdictKind.KNOWN] * n)
    full = made.state()
    made.count(n, np.array([1e6]), [VerdictKind.OUTLIER])
    halved = made.state()

    assert [FIRST_RUN] * RUNS == full["counts"][:, 0].tolist()
    assert [2 * FIRST_RUN] * (RUNS // 2) == halved["counts"][:-1, 0].tolist()
    assert [0, 0, 1] == halved["counts"][-1].tolist()
    assert [0.0, 2 * FIRST_RUN - 1.0] == halved["times"][0].tolist()
    assert 2 * FIRST_RUN == halved["size"][0]


def test_the_oldest_rows_leave() -> None:
    """Each level has its bound; what it holds is the latest."""
    made = Chronicle()
    for n in range(2000):
        made.count(n, np.array([n * 2.0]), [VerdictKind.CLUSTER])
    state = made.state()

    for width, most in LEVELS:
        assert len(state[f"rows.{width}"]) <= most
        assert 2000 == state[f"rows.{width}"][-1, 2]
    assert list(range(1400, 2000)) == state["rows.1"][:, 1].tolist()
    assert RUNS >= len(state["counts"])


def test_marks_are_bounded() -> None:
    """The latest 256 events, and the event itself comes back."""
    made = Chronicle()
    for n in range(MOST_MARKS + 3):
        event = ClusterEvent(kind=EventKind.EMERGED, seq=n, t=float(n), cluster=cluster(7), other_id=None)
        assert event is made.told(event)

    assert MOST_MARKS == len(made.marks)
    assert Mark(kind=EventKind.EMERGED, seq=3, t=3.0, cluster_id=7, other_id=None) == made.marks[0]


def _without_times(state: dict[str, Any]) -> None:
    del state["times"]


def _negative(state: dict[str, Any]) -> None:
    state["counts"][0, 0] = -1


def _more_than_there_were(state: dict[str, Any]) -> None:
    state["counts"][0, 0] = 12


def _odd_size(state: dict[str, Any]) -> None:
    state["size"][0] = FIRST_RUN + 1


def _out_of_order(state: dict[str, Any]) -> None:
    state["rows.1"] = state["rows.1"][::-1]


def _beyond_the_stream(state: dict[str, Any]) -> None:
    state["rows.10"][0, 2] = 99


def _no_time(state: dict[str, Any]) -> None:
    state["latest"][0] = math.nan


@pytest.mark.parametrize(
    "forge",
    [
        _without_times,
        _negative,
        _more_than_there_were,
        _odd_size,
        _out_of_order,
        _beyond_the_stream,
        _no_time,
    ],
)
def test_a_history_that_cannot_be_is_refused(forge: Any) -> None:
    """Anybody can write a blob with a right checksum."""
    made = learnt((np.arange(10, dtype=np.float64), [VerdictKind.KNOWN] * 10), cuts=[])
    state = made.state()
    forge(state)

    with pytest.raises(SnapshotUnreadable, match="history"):
        Chronicle().restore(state, (), seq=10)


def test_a_mark_that_cannot_be_is_refused() -> None:
    """It is of an item that there has not been."""
    mark = Mark(kind=EventKind.EMERGED, seq=3, t=3.0, cluster_id=7, other_id=None)
    Chronicle().restore(Chronicle().state(), [mark], seq=3)
    for wrong in (replace(mark, seq=4), replace(mark, t=math.inf), replace(mark, cluster_id=0)):
        with pytest.raises(SnapshotUnreadable):
            Chronicle().restore(Chronicle().state(), [wrong], seq=3)
