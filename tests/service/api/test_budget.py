"""A bound on what all users hold together: taken in shares, given back whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.budget import Budget
from service.errors import Overloaded, OverQuota


def test_up_to_the_bound() -> None:
    """All of it can be taken, by several; one more is refused with the message given, and nothing is taken."""
    budget = Budget(3, when_full="come back")
    with budget.share() as first, budget.share() as second:
        first.take(2)
        second.take(1)
        with pytest.raises(Overloaded, match=r"^come back$"):
            second.take(1)

        assert 3 == budget.used

    assert 0 == budget.used


def fail(budget: Budget) -> None:
    with budget.share() as share:
        share.take(2)
        raise KeyError


def test_given_back_on_failure() -> None:
    """A user that fails gives its share back, and no other's."""
    budget = Budget(3, when_full="full")
    with budget.share() as other:
        other.take(1)
        with pytest.raises(KeyError):
            fail(budget)

        assert 1 == budget.used


@given(amounts=st.lists(st.integers(0, 10)), most=st.integers(0, 30))
def test_never_over_the_bound(amounts: list[int], most: int) -> None:
    """What is used is the sum of what was granted, and never over the bound."""
    budget = Budget(most, when_full="full")
    granted = 0
    with budget.share() as share:
        for n in amounts:
            try:
                share.take(n)
            except Overloaded:
                assert granted + n > most
            else:
                granted += n

            assert granted == budget.used == share.taken <= most

    assert 0 == budget.used


def test_one_holder_leaves_something_to_others() -> None:
    """However many shares he has; what he gives back he may take again, and others have the rest."""
    budget = Budget(8, when_full="full", each=4)
    with budget.share("a") as one, budget.share("a") as two, budget.share("b") as others:
        one.take(3)
        with pytest.raises(OverQuota, match="alone has 4"):
            two.take(2)
        two.take(1)
        others.take(4)
        one.give_back(2)
        two.take(2)
        with pytest.raises(Overloaded, match="full"):
            others.take(1)

    assert 0 == budget.used
    assert not budget._by_holder
