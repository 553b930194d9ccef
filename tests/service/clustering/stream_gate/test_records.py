"""A fit of another shape, or of numbers that nothing can be decided by, is refused with what is wrong."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.clustering.stream_gate import Misfit, StreamFit, constants
from service.clustering.stream_gate.records import check_fit, membership_width

F, K = 3, 2


def fit(**changes: Any) -> StreamFit:
    members = np.ones((2, membership_width(F)), dtype=np.float32)
    sound = StreamFit(
        weights=np.zeros(F + 1, np.float32),
        shares=np.full(K, 0.5, np.float32),
        members=members,
        clusters=np.array([4, 2]),
        joins=np.array([[4, 2]]),
        partings=np.array([[4, 9], [4, 11]]),
    )
    return replace(sound, **changes)


def no_reach() -> Any:
    members = np.ones((2, membership_width(F)), dtype=np.float32)
    members[1, -1] = 0
    return members


def test_a_sound_one_passes() -> None:
    """With memberships and joins, or without."""
    check_fit(fit(), F=F, K=K)
    check_fit(
        fit(
            members=np.empty((0, membership_width(F))),
            clusters=np.empty(0, int),
            joins=np.empty((0, 2), int),
            partings=np.empty((0, 2), int),
        ),
        F=F,
        K=K,
    )


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"weights": np.zeros(F, np.float32)}, "weights of shape"),
        ({"weights": np.full(F + 1, np.nan, np.float32)}, "weights that are no numbers"),
        ({"shares": np.ones(K + 1, np.float32)}, "shares of shape"),
        ({"shares": np.array([1, 0], np.float32)}, "shares that are not above 0"),
        ({"shares": np.array([1, np.inf], np.float32)}, "shares that are no numbers"),
        ({"members": np.ones((2, F), np.float32)}, "members of shape"),
        ({"members": np.ones((1, membership_width(F)), np.float32)}, "members of shape"),
        ({"members": no_reach()}, "without reach"),
        ({"clusters": np.array([0, 2])}, "of no cluster"),
        ({"clusters": np.array([2, 2])}, "two of one"),
        ({"joins": np.array([4, 2])}, "joins of shape"),
        ({"joins": np.array([[4, 2**62]])}, "ids that no cluster has"),
        ({"partings": np.array([4, 2])}, "partings of shape"),
        ({"partings": np.array([[4, 9], [2, 11]])}, "parts more than one cluster"),
        ({"shares": np.array([1, 1e-31], np.float32)}, "shares that are not above 0"),
        (
            {
                "clusters": np.arange(1, constants.MOST_MEMBERSHIPS + 2),
                "members": np.ones((constants.MOST_MEMBERSHIPS + 1, membership_width(F)), np.float32),
            },
            "memberships; 64 are kept",
        ),
    ],
)
def test_others_are_refused(changes: dict[str, Any], what: str) -> None:
    """Each in words."""
    with pytest.raises(Misfit, match=what):
        check_fit(fit(**changes), F=F, K=K)
