"""Brightness and contrast."""

import pytest
import torch

from model.augment import LightLimits, light


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (2, 3, 32, 32), (1, 1, 1, 1)])
def test_limits_of_zero_change_nothing(shape: tuple[int, ...]) -> None:
    """With both limits 0 the images come back."""
    x = torch.rand(shape, generator=seeded())

    torch.testing.assert_close(x, light(x, seeded(), LightLimits(brightness=0, contrast=0)))


@pytest.mark.parametrize("channels", [1, 3])
def test_values_stay_in_range_and_shapes_stay(channels: int) -> None:
    """However hard the light, images stay within 0..1."""
    x = torch.rand(16, channels, 28, 28, generator=seeded())
    y = light(x, seeded(), LightLimits(brightness=1, contrast=1))

    assert x.shape == y.shape
    assert 0 <= float(y.min()) <= float(y.max()) <= 1


def test_a_black_image_stays_black() -> None:
    """Brightness is a factor: no light makes something of nothing."""
    assert not light(torch.zeros(8, 1, 4, 4), seeded(), LightLimits(brightness=0.9, contrast=0.9)).any()


def test_brightness_is_a_factor_between_its_limits() -> None:
    """Grey images become up to 30 % darker or brighter, each by its own share."""
    means = light(torch.full((200, 1, 4, 4), 0.5), seeded(), LightLimits(brightness=0.3, contrast=0)).mean(
        (1, 2, 3)
    )

    assert 0.35 <= float(means.min()) < 0.36
    assert 0.64 < float(means.max()) <= 0.65 + 1e-6
    assert len(set(means.tolist())) > 100


def test_contrast_keeps_the_mean_and_stretches_the_rest() -> None:
    """With contrast alone each image keeps its mean, and its deviations change by one factor."""
    x = 0.5 + 0.2 * torch.rand(64, 1, 4, 4, generator=seeded())
    y = light(x, seeded(1), LightLimits(brightness=0, contrast=0.5))
    factor = (y.std((1, 2, 3)) / x.std((1, 2, 3)))[:, None, None, None]
    mean = x.mean((1, 2, 3), keepdim=True)

    torch.testing.assert_close(mean + factor * (x - mean), y)
    assert 0.5 <= float(factor.min()) < 0.7
    assert 1.3 < float(factor.max()) <= 1.5 + 1e-5


def test_colours_do_not_turn() -> None:
    """With brightness alone the channels of a pixel keep their ratio."""
    x = torch.tensor([0.1, 0.2, 0.4])[None, :, None, None].expand(8, 3, 4, 4)
    y = light(x, seeded(), LightLimits(brightness=0.5, contrast=0))

    torch.testing.assert_close(2 * y[:, 0], y[:, 1])
    torch.testing.assert_close(4 * y[:, 0], y[:, 2])


def test_the_generator_decides() -> None:
    """The same generator state gives the same images, another gives others."""
    x = torch.rand(4, 1, 8, 8, generator=seeded())
    first, again, other = (light(x, seeded(seed), LightLimits()) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
