"""A dismissed cluster is heard of again when it comes so much faster, or from a date on."""

import pytest

from service.clustering.arrivals import Arrivals
from service.clustering.dismissal import FEWEST, Dismissal, recent


def arrivals(*seqs: int) -> Arrivals:
    own = Arrivals()
    for seq in seqs:
        own.add(seq)
    return own


def test_the_rate_is_that_of_late() -> None:
    """Items of the latest spans, among so many of the stream; of the time since its birth where that is shorter."""
    own = arrivals(*range(0, 1000, 10))

    assert (100, 1000) == recent(own, 1000, since=0)
    assert (50, 500) == recent(own, 1000, since=500)
    assert (0, 1000) == recent(own, 5000, since=0)
    assert (0, 1) == recent(Arrivals(), 0, since=0)


@pytest.mark.parametrize(("every", "is_over"), [(40, False), (21, False), (19, True), (2, True)])
def test_it_is_over_at_so_many_times_its_rate(every: int, is_over: bool) -> None:
    """Its rate was one in forty: twice that is one in twenty."""
    dismissed = Dismissal(items=25, of=1000, until_rate=2.0)

    assert is_over is dismissed.is_over(arrivals(*range(0, 1000, every)), 1000, 0.0, since=0)


def test_few_items_are_no_flood() -> None:
    """Of a cluster that had none, so many are needed at least."""
    dismissed = Dismissal(items=0, of=1000, until_rate=1.5)

    assert not dismissed.is_over(arrivals(*range(FEWEST - 1)), 1000, 0.0, since=0)
    assert dismissed.is_over(arrivals(*range(FEWEST)), 1000, 0.0, since=0)


def test_it_is_over_at_its_date() -> None:
    """Not before; and one without either is for ever."""
    dated = Dismissal(items=1, of=1, until_t=100.0)

    assert [False, True] == [dated.is_over(arrivals(1), 2, t, since=0) for t in (99.0, 100.0)]
    assert not Dismissal(items=1, of=1000).is_over(arrivals(*range(1000)), 1000, 1e12, since=0)
