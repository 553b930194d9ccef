"""The space of the clusterer: the same bits in any batch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.cluster_space import ClusterSpace
from tests.service.clustering.conftest import World


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4), seed=st.integers(0, 100))
def test_bits_do_not_depend_on_the_batch(world: World, sizes: list[int], seed: int) -> None:
    """Cut anywhere, also where the projection itself is cut."""
    space = ClusterSpace(world.known)
    z = world.items(np.random.default_rng(seed), n=sum(sizes))
    cuts = np.cumsum(sizes)[:-1]
    parts = [space.project(part) for part in np.split(z, cuts)]

    np.testing.assert_array_equal(space.project(z), np.concatenate(parts))


def test_it_is_the_bundles_projection(world: World) -> None:
    """(z - mean) @ projection; known classes have a radius of 1 there."""
    known, space = world.known, ClusterSpace(world.known)
    z = world.items(np.random.default_rng(0), n=900)
    plain = (z.astype(np.float64) - known.cluster_mean) @ known.cluster_projection.astype(np.float64)
    around = space.project(z)[:, None] - space.project(known.prototypes)[None]
    radius = np.sqrt(np.square(around).sum(axis=-1).min(axis=1).mean())

    np.testing.assert_allclose(plain, space.project(z), atol=1e-9)
    assert 0.8 < radius < 1.2
    assert (0, space.dim) == space.project(z[:0]).shape
