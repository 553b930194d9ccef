"""Shares from cores: right whatever they are, and not moved by what is new."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.known import KnownGate
from service.clustering.stream_gate import constants
from service.clustering.stream_gate.shares import core_confusion, cores, estimated_shares, mass
from service.records import Int32s
from tests.service.clustering.overlapping import EVEN, HIDDEN, SHIFTED, K, overlapping


def cores_of(n: int, shares: tuple[float, ...], *, at: float = 0.0) -> Int32s:
    world = overlapping()
    z, _ = world.stream(np.random.default_rng(0), n, shares=shares, new=HIDDEN, at=at)
    said = KnownGate(world.known).decide(z)
    return cores(said.nearest, said.p)


def confusion() -> np.ndarray:
    return core_confusion(overlapping().known.calibration_p, overlapping().known.calibration_labels)


def test_the_core_is_where_the_p_value_is_above_a_half() -> None:
    """Elsewhere there is none."""
    assert [2, -1, -1, 0] == cores(np.array([2, 1, 0, 0]), np.array([0.51, 0.5, 0.01, 1.0])).tolist()


def test_confusion_on_paper() -> None:
    """Two classes: of four items of the first two lie in its core and one in the other's; of the second, its one."""
    p = np.array([[0.9, 0.1], [0.6, 0.2], [0.1, 0.8], [0.3, 0.2], [0.0, 0.7]], dtype=np.float32)

    np.testing.assert_array_equal([[0.5, 0.0], [0.25, 1.0]], core_confusion(p, np.array([0, 0, 0, 0, 1])))


@pytest.mark.parametrize("shares", [EVEN, SHIFTED, (0.5, 0.5, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)])
def test_shares_are_found(shares: tuple[float, ...]) -> None:
    """From 4,000 items to a few per cent, though classes overlap."""
    found = estimated_shares(confusion(), cores_of(4000, shares))

    np.testing.assert_allclose(found, shares, atol=0.08)
    assert (found > 0).all()


def test_a_new_class_is_not_taken_for_a_larger_share() -> None:
    """A fifth of the stream is new and lies beside class 0: little of that is ascribed to it."""
    known = cores_of(4000, EVEN)
    found = estimated_shares(confusion(), cores_of(4000, EVEN, at=0.2))

    assert found.sum() < 0.95
    assert found[0] - 0.8 * estimated_shares(confusion(), known)[0] < 0.1


def test_without_any_core_all_are_alike() -> None:
    """An empty window, or one of new items only: shares are numbers above 0."""
    for window in (np.empty(0, np.int32), np.full(9, -1, np.int32)):
        np.testing.assert_array_equal(
            np.full(K, constants.LEAST_SHARE), estimated_shares(confusion(), window)
        )


@given(
    st.lists(st.floats(1e-6, 10), min_size=3, max_size=3),
    st.lists(st.integers(0, 2), min_size=1, max_size=30),
)
def test_mass_gives_each_class_its_share(shares: list[float], labels: list[int]) -> None:
    """1 in all, over the classes that have items; none is infinite."""
    y = np.array(labels)
    counts = np.bincount(y, minlength=3)
    m = mass(np.array(shares), y, counts)
    there = np.where(counts > 0, shares, 0.0)

    assert m.sum() == pytest.approx(1.0)
    for k in range(3):
        assert m[y == k].sum() == pytest.approx(there[k] / there.sum())
