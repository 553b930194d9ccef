"""Random erasing."""

import pytest
import torch

from model.augment import EraseLimits, erase

ALWAYS = EraseLimits(probability=1.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def erased(shape: tuple[int, ...], limits: EraseLimits, seed: int = 0) -> torch.Tensor:
    """Return which values of white images are gone: bool, of that shape."""
    return erase(torch.ones(shape), seeded(seed), limits) == 0


@pytest.mark.parametrize(
    "shape", [(50, 1, 28, 28), (50, 3, 32, 32), (50, 1, 8, 8), (5, 1, 1, 9), (3, 2, 1, 1)]
)
def test_what_is_gone_is_one_rectangle(shape: tuple[int, ...]) -> None:
    """Rows that lost something times columns that did: all of these pixels are gone, in every channel."""
    gone = erased(shape, ALWAYS)
    rows, columns = gone.any(3)[:, 0], gone.any(2)[:, 0]

    assert torch.equal(gone, (rows[:, :, None] & columns[:, None, :])[:, None].expand(shape))
    for covered in (rows, columns):  # without gaps: as many pixels as lie between the first and the last
        places = [row.nonzero()[:, 0] for row in covered]
        assert all(len(p) == int(p[-1] - p[0]) + 1 for p in places)


def test_the_area_is_within_its_limits() -> None:
    """Between 2 and 15 % of a large image are gone, but for the rounding of the sides."""
    share = erased((300, 1, 200, 200), ALWAYS).float().mean((1, 2, 3))

    assert 0.019 < float(share.min()) < 0.03
    assert 0.14 < float(share.max()) < 0.152


def test_sides_have_at_most_the_longest_ratio() -> None:
    """Height over width reaches a third and three, and goes no further."""
    gone = erased((300, 1, 400, 400), ALWAYS)
    ratio = gone.any(3).sum((1, 2)) / gone.any(2).sum((1, 2))

    assert 0.32 < float(ratio.min()) < 0.45
    assert 2.2 < float(ratio.max()) < 3.1


def test_every_place_can_be_erased() -> None:
    """Over many images no pixel is spared, corners included."""
    assert bool(erased((2000, 1, 8, 8), ALWAYS).any(0).all())


@pytest.mark.parametrize(("probability", "low", "high"), [(0.0, 0, 0), (0.5, 160, 240), (1.0, 400, 400)])
def test_the_probability_is_the_share_of_images(probability: float, low: int, high: int) -> None:
    """None, about half, or all of 400 images lose something."""
    hit = erased((400, 1, 8, 8), EraseLimits(probability=probability)).any(3).any(2).sum()

    assert low <= int(hit) <= high


def test_the_rest_of_the_image_stays() -> None:
    """What is not painted over is as it was."""
    x = 0.1 + torch.rand(20, 3, 16, 12, generator=seeded())
    y = erase(x, seeded(), ALWAYS)

    assert torch.equal(x[y != 0], y[y != 0])


def test_the_generator_decides() -> None:
    """The same generator state erases the same places, another erases others."""
    first, again, other = (erased((8, 1, 16, 16), ALWAYS, seed) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
