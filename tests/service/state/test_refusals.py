"""Refusals of functions.lua in words."""

import pytest

from service.state.errors import LeaseHeld, SaveOvertaken, SequenceConflict, StoreMisconfigured, StreamsFull
from service.state.refusals import error_of
from service.state.wire import Refusal


@pytest.mark.parametrize(
    ("word", "rest", "error", "says"),
    [
        ("LEASEHELD", "-1 box-7", LeaseHeld, "box-7"),
        ("CONFLICT", "12", SequenceConflict, "12"),
        ("HORIZON", "50", StoreMisconfigured, "50 items, not 100"),
        ("STREAMS", "10000", StreamsFull, "10000"),
        ("SAVING", "3", SaveOvertaken, "generation 3"),
    ],
)
def test_each_word_has_its_error(word: str, rest: str, error: type[Exception], says: str) -> None:
    """With the figures that came with it."""
    found = error_of(Refusal(word, rest), stream="s", horizon=100)

    assert error is type(found)
    assert says in str(found)


def test_another_word_stays_a_refusal() -> None:
    """DUPLICATE is put into words by the append; what nobody knows says that it is a bug."""
    refusal = Refusal("DUPLICATE", "0 2")

    assert refusal is error_of(refusal, stream="s", horizon=100)
