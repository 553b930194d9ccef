"""Affine augmentation."""

import pytest
import torch

from model.augment import AffineLimits, affine

STILL = AffineLimits(rotation_degrees=0, scale=0, shift=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (2, 3, 5, 9), (1, 1, 1, 1)])
def test_limits_of_zero_change_nothing(shape: tuple[int, ...]) -> None:
    """With all limits 0 the images come back."""
    x = torch.rand(shape, generator=seeded())

    torch.testing.assert_close(x, affine(x, seeded(), STILL))


def test_values_stay_in_range_and_shapes_stay() -> None:
    """Augmented images have the same shape and stay within 0..1."""
    x = torch.rand(16, 3, 12, 7, generator=seeded())
    y = affine(x, seeded(), AffineLimits(rotation_degrees=90, scale=0.5, shift=0.5))

    assert x.shape == y.shape
    assert 0 <= float(y.min()) <= float(y.max()) <= 1 + 1e-6


def test_each_image_gets_its_own_change() -> None:
    """Equal images of a batch become different ones."""
    y = affine(torch.rand(1, 1, 8, 8, generator=seeded()).expand(4, 1, 8, 8), seeded(), AffineLimits())

    assert len({tuple(image.flatten().tolist()) for image in y}) == 4


def test_the_generator_decides() -> None:
    """The same generator state gives the same images, another gives others."""
    x = torch.rand(4, 1, 8, 8, generator=seeded())
    first, again, other = (affine(x, seeded(seed), AffineLimits()) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_turned_wide_image_keeps_its_shapes() -> None:
    """A dot beside the centre of a wide image stays about as far from it, in pixels, when turned."""
    x = torch.zeros(64, 1, 21, 61)
    x[:, :, 10, 38] = 1
    y = affine(x, seeded(), AffineLimits(rotation_degrees=60, scale=0, shift=0))
    down, across = torch.meshgrid(torch.arange(21.0) - 10, torch.arange(61.0) - 30, indexing="ij")
    mass = y.sum((1, 2, 3))
    places = torch.stack([(y[:, 0] * grid).sum((1, 2)) / mass for grid in (across, down)], dim=1)

    torch.testing.assert_close(torch.full((64,), 8.0), places.norm(dim=1), atol=0.35, rtol=0)
    assert float(places[:, 1].abs().max()) > 5


def test_a_shift_moves_by_a_share_of_the_side() -> None:
    """With a shift of at most a quarter, a dot moves up to two of eight pixels and never more."""
    x = torch.zeros(200, 1, 8, 8)
    x[:, :, 3, 3] = 1
    y = affine(x, seeded(), AffineLimits(rotation_degrees=0, scale=0, shift=0.25))
    rows = (y.sum(3)[:, 0] * torch.arange(8.0)).sum(1) / y.sum((1, 2, 3))

    assert 1.8 < float((rows - 3).abs().max()) <= 2.0 + 1e-4
