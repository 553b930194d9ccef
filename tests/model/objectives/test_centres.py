"""Well-separated centres."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.objectives.centres import well_separated


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 20), st.integers(1, 12), st.floats(0.1, 50), st.integers(0, 100))
def test_the_closest_pair_is_exactly_the_separation_apart(
    classes: int, dim: int, separation: float, seed: int
) -> None:
    """Whatever K and D, the closest two centres are `separation` apart and the mean is the origin."""
    centres = well_separated(classes, dim, separation, seeded(seed))

    assert (classes, dim) == tuple(centres.shape)
    assert separation == pytest.approx(float(torch.pdist(centres.double()).min()), rel=1e-4)
    assert float(centres.mean(0).abs().max()) < 1e-5 * separation * classes


@pytest.mark.parametrize(("classes", "dim"), [(2, 1), (3, 2), (8, 7), (8, 32)])
def test_up_to_one_class_more_than_dimensions_all_pairs_are_equally_far(classes: int, dim: int) -> None:
    """With K up to D + 1 the centres are a regular simplex."""
    gaps = torch.pdist(well_separated(classes, dim, 3.0, seeded()))

    torch.testing.assert_close(torch.full_like(gaps, 3.0), gaps)


def test_on_a_crowded_sphere_centres_are_not_wasted() -> None:
    """Eight centres on a circle, 2 apart, lie within twice the best possible circle's diameter."""
    diameter = float(torch.pdist(well_separated(8, 2, 2.0, seeded())).max())
    best = 2 / math.sin(math.pi / 8)

    assert diameter < 2 * best + 1e-5


def test_one_class_gets_the_origin() -> None:
    """A single class has nothing to be apart from."""
    assert well_separated(1, 2, 5.0, seeded()).tolist() == [[0.0, 0.0]]


def test_the_generator_decides() -> None:
    """The same generator state gives the same centres, another gives others."""
    first, again, other = (well_separated(5, 3, 1.0, seeded(seed)) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
