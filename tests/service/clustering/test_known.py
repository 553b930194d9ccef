"""The known gate names the nearest class, and what it says of an item does not depend on its batch."""

import numpy as np

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


def test_every_class_is_looked_at(world: World) -> None:
    """The first in order is the one decided for, with its p-value; distances are to the class asked for."""
    gate = KnownGate(world.known)
    z = world.items(np.random.default_rng(4), n=50, share_new=0.3)
    said, looked = gate.decide(z), gate.look(z)

    np.testing.assert_array_equal(looked.order[:, 0], said.nearest)
    np.testing.assert_array_equal(looked.p.max(axis=1), said.p)
    np.testing.assert_array_equal(looked.score, world.known.gate(z))
    np.testing.assert_array_equal(gate.distances(z, said.nearest), said.distance)
    apart = gate.whitened(world.known.prototypes[:1]) - gate.whitened(world.known.prototypes[1:2])
    np.testing.assert_allclose(
        gate.distances(world.known.prototypes[:1], np.array([1])), np.linalg.norm(apart), rtol=1e-6
    )
