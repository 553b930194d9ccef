"""Mirroring."""

import pytest
import torch

from model.augment import flip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(200, 1, 28, 28), (200, 3, 32, 32)])
def test_half_of_the_images_are_mirrored_and_the_others_stay(shape: tuple[int, ...]) -> None:
    """Each image is itself or its mirror image, about half of them each."""
    x = torch.rand(shape, generator=seeded())
    y = flip(x, seeded())
    same = (x == y).flatten(1).all(1)
    mirrored = (x.flip(3) == y).flatten(1).all(1)

    assert bool((same ^ mirrored).all())
    assert 70 < int(mirrored.sum()) < 130


def test_the_generator_decides() -> None:
    """The same generator state mirrors the same images, another mirrors others."""
    x = torch.rand(32, 1, 2, 2, generator=seeded())
    first, again, other = (flip(x, seeded(seed)) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
