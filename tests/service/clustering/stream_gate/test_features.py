"""Features: small, finite, and the same in any batch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering.stream_gate.features import FeatureSpace
from tests.service.clustering.overlapping import EVEN, overlapping


def space() -> FeatureSpace:
    return FeatureSpace(overlapping().known)


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 100))
def test_bits_do_not_depend_on_the_batch(sizes: list[int], seed: int) -> None:
    """One by one, or all at once."""
    z, _ = overlapping().stream(np.random.default_rng(seed), sum(sizes), shares=EVEN)
    parts = [space().project(part) for part in np.split(z, np.cumsum(sizes)[:-1])]

    np.testing.assert_array_equal(space().project(z), np.concatenate(parts))


def test_both_ways_are_the_bundles_projection() -> None:
    """To what float16 can tell."""
    known = overlapping().known
    z, _ = overlapping().stream(np.random.default_rng(0), 50)
    plain = (z.astype(np.float64) - known.stream_mean) @ known.stream_projection.astype(np.float64)

    for project in (space().project, space().project_portably):
        found = project(z)
        assert (np.float16, (50, space().dim)) == (found.dtype, found.shape)
        np.testing.assert_allclose(found, plain, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("far", [1e6, 1e30, 3e38])
def test_an_item_ever_so_far_has_features(far: float) -> None:
    """Also where float32 overflows on the way, and infinities meet: one NaN in the window would break every fit."""
    known = overlapping().known
    wide = FeatureSpace(replace(known, stream_projection=known.stream_projection * np.float32(100)))
    z = np.where(np.arange(16) % 2, far, -far).astype(np.float32)[None]

    assert np.isfinite(wide.project(z)).all()
    assert (1, wide.dim) == wide.project(z).shape
