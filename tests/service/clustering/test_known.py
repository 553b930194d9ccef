"""The known gate keeps the operator's rate, and an item's decision does not depend on its batch."""

import numpy as np
import pytest
from scipy.stats import binom

from model.calibrate import p_values
from service.clustering.known import KnownGate
from tests.service.clustering.conftest import World


def test_it_equals_the_reference(world: World) -> None:
    """Nearest class and p-value are those of the trainer's own, plain implementation."""
    z = world.items(np.random.default_rng(0), n=300, share_new=0.2)
    said = KnownGate(world.known).decide(z)
    reference = p_values(world.known.gate(z), world.known)

    np.testing.assert_array_equal(said.p, reference.max(axis=1))
    assert (reference[np.arange(len(z)), said.nearest] == said.p).all()


def test_distance_is_mahalanobis_to_the_nearest_prototype(world: World) -> None:
    """A prototype is at distance 0 of its own class; on paper, |(z - m) W|."""
    gate = KnownGate(world.known)
    z = world.known.prototypes
    moved = z + np.float32(0.1)
    step = np.full(z.shape[1], 0.1) @ world.known.class_whitener.astype(np.float64)

    assert [0, 1, 2] == gate.decide(z).nearest.tolist()
    np.testing.assert_allclose(gate.decide(z).distance, 0.0, atol=1e-5)
    np.testing.assert_allclose(gate.decide(moved).distance, np.linalg.norm(step), rtol=1e-4)


@pytest.mark.parametrize("rate", [0.01, 0.02, 0.1])
def test_no_more_known_items_are_refused_than_the_operator_allows(world: World, rate: float) -> None:
    """Of 3,000 fresh known items the share refused is no more than the rate, give or take calibration's luck."""
    z = world.items(np.random.default_rng(1), n=3000)
    refused = int((~KnownGate(world.known).decide(z).accepted(rate)).sum())
    # The realised rate of a conformal test is Beta distributed around the nominal one; n = 600 calibration items.
    allowed = rate + 4 * np.sqrt(rate * (1 - rate) / 600)

    assert binom.sf(refused - 1, 3000, allowed) > 1e-3


def test_new_items_are_refused(world: World) -> None:
    """Items of a class far from the known ones are not taken for known."""
    z = world.items(np.random.default_rng(2), n=200, share_new=1.0)

    assert not KnownGate(world.known).decide(z).accepted(0.02).any()


def test_bits_do_not_depend_on_the_batch(world: World) -> None:
    """One by one, in odd batches or all at once: the same bits."""
    gate = KnownGate(world.known)
    z = world.items(np.random.default_rng(3), n=97, share_new=0.3)
    whole = gate.decide(z)
    for size in (1, 2, 7, 64):
        parts = [gate.decide(z[start : start + size]) for start in range(0, len(z), size)]

        np.testing.assert_array_equal(whole.p, np.concatenate([part.p for part in parts]))
        np.testing.assert_array_equal(whole.nearest, np.concatenate([part.nearest for part in parts]))
        np.testing.assert_array_equal(whole.distance, np.concatenate([part.distance for part in parts]))


def test_no_items_no_decisions(world: World) -> None:
    """An empty batch is fine."""
    assert 0 == len(KnownGate(world.known).decide(np.empty((0, 8), dtype=np.float32)).p)
