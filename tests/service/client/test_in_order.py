"""Answers leave in the order of their items."""

import random

import pytest

from service.client.in_order import InOrder
from service.client.items import refusal


@pytest.mark.parametrize("seed", range(5))
def test_whatever_order_they_come_in(seed: int) -> None:
    """Each once, as soon as all before it are there, and what is unread is counted."""
    order = InOrder()
    numbers = [order.number() for _ in range(50)]
    random.Random(seed).shuffle(numbers)
    taken: list[str | None] = []
    come: set[int] = set()
    for number in numbers:
        order.add(number, refusal(str(number), "no"))
        come.add(number)
        taken += [answer.id for answer in order.take()]
        first_missing = next(n for n in range(51) if n not in come)
        assert first_missing == len(taken)
        assert 50 - len(taken) == order.unread

    assert [str(n) for n in range(50)] == taken


def test_nothing() -> None:
    """Nothing has come, nothing is taken."""
    assert [] == InOrder().take()
    assert 0 == InOrder().unread
