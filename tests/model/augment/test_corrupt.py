"""Feature corruption."""

import pytest
import torch

from model.augment import corrupt


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_value_comes_from_the_same_feature_of_the_batch() -> None:
    """Values are of their own column, and no column takes from another."""
    x = torch.rand(30, 5, generator=seeded())
    y = corrupt(x, seeded(), 0.6)

    assert all(set(y[:, f].tolist()) <= set(x[:, f].tolist()) for f in range(5))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_that_share_of_the_values_is_replaced(share: float) -> None:
    """About the share of all values changes; one in B draws its own item and stays."""
    x = torch.rand(100, 50, generator=seeded())
    changed = (corrupt(x, seeded(), share) != x).float().mean()

    assert share * 0.99 == pytest.approx(float(changed), abs=0.02)


def test_features_keep_their_distribution() -> None:
    """Means of the columns of a corrupted batch are those of the batch, within what chance does."""
    x = torch.randn(4000, 3, generator=seeded()) * torch.tensor([1.0, 10.0, 0.1])
    gap = (corrupt(x, seeded(), 1.0).mean(0) - x.mean(0)) / x.std(0)

    assert float(gap.abs().max()) < 0.08


def test_features_are_replaced_one_by_one() -> None:
    """The features of one item come from several others: what goes together is what is broken."""
    x = torch.arange(50.0)[:, None].expand(50, 20)

    assert int(torch.tensor([len(set(row.tolist())) for row in corrupt(x, seeded(), 0.5)]).min()) > 5


def test_a_single_item_has_only_itself_to_take_from() -> None:
    """A batch of one comes back."""
    x = torch.rand(1, 4, generator=seeded())

    assert torch.equal(x, corrupt(x, seeded(), 1.0))


def test_the_generator_decides() -> None:
    """The same generator state gives the same items, another gives others."""
    x = torch.rand(8, 6, generator=seeded())
    first, again, other = (corrupt(x, seeded(seed), 0.5) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
