"""Noise in proportion to each feature's spread."""

import torch

from model.augment import noise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_feature_is_shaken_in_proportion_to_its_spread() -> None:
    """The noise of a feature ten times as wide is ten times as large, and a tenth of the feature's."""
    x = torch.randn(4000, 3, generator=seeded()) * torch.tensor([1.0, 10.0, 0.01])
    shaken = noise(x, seeded(1), 0.1) - x

    torch.testing.assert_close(0.1 * x.std(0), shaken.std(0), rtol=0.05, atol=0)
    assert float((shaken.mean(0) / x.std(0)).abs().max()) < 0.01


def test_a_constant_feature_stays_so() -> None:
    """What never varies gets no noise, nor does a batch of one."""
    x = torch.full((5, 3), 0.7)

    assert torch.equal(x, noise(x, seeded(), 1.0))
    assert torch.equal(x[:1], noise(x[:1], seeded(), 1.0))


def test_the_generator_decides() -> None:
    """The same generator state gives the same items, another gives others."""
    x = torch.rand(8, 6, generator=seeded())
    first, again, other = (noise(x, seeded(seed), 0.5) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
