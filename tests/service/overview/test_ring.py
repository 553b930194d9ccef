"""The ring has the latest rows, in order, and says what it lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.overview.ring import POINT, Points, Ring


def rows(*seqs: int) -> Points:
    made = np.zeros(len(seqs), dtype=POINT)
    made["seq"] = seqs
    made["x"] = [seq / 2 for seq in seqs]
    return made


@given(
    room=st.integers(1, 3000),
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 700)), max_size=25),
)
def test_it_is_the_tail_of_all_that_came(room: int, steps: list[tuple[int, int]]) -> None:
    """Over gaps, growth, wraps and additions larger than it: the same as a list cut to its end."""
    ring, came, seq = Ring(room), list[int](), 0
    for gap, count in steps:
        seq += gap
        ring.add(rows(*range(seq, seq + count)))
        came += range(seq, seq + count)
        seq += count
        kept = came[-room:]
        assert kept == ring.all()["seq"].tolist()
        assert [n / 2 for n in kept] == ring.all()["x"].tolist()
        assert len(kept) == len(ring)
        assert (came[-room - 1] + 1 if len(came) > room else 0) == ring.lost_to
        assert (came[-1] + 1 if came else 0) == ring.next_seq


@given(at=st.integers(0, 120))
def test_since_a_place(at: int) -> None:
    """What came from there on."""
    ring = Ring(50)
    ring.add(rows(*range(0, 100, 2)))
    ring.add(rows(*range(100, 110)))

    assert [n for n in [*range(20, 100, 2), *range(100, 110)] if n >= at] == ring.since(at)["seq"].tolist()


def test_what_is_there_is_not_taken_twice() -> None:
    """A log read again adds what is behind its end alone."""
    ring = Ring(10)
    ring.add(rows(1, 2, 3))
    ring.add(rows(2, 3, 4))

    assert [1, 2, 3, 4] == ring.all()["seq"].tolist()


def test_what_is_read_is_a_copy() -> None:
    """The ring goes on beneath a reader."""
    ring = Ring(4)
    ring.add(rows(1, 2, 3, 4))
    read = ring.all()
    ring.add(rows(5, 6, 7, 8))

    assert [1, 2, 3, 4] == read["seq"].tolist()


def test_no_room_keeps_nothing() -> None:
    """Then there is no dashboard."""
    ring = Ring(0)
    ring.add(rows(1, 2))

    assert 0 == len(ring)
    assert 0 == len(ring.all())


def test_cleared_it_is_as_new() -> None:
    """It takes old places again."""
    ring = Ring(2)
    ring.add(rows(5, 6, 7))
    ring.clear()
    ring.add(rows(1))

    assert ([1], 0, 2) == (ring.all()["seq"].tolist(), ring.lost_to, ring.next_seq)
