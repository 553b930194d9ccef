"""Which items an epoch shows."""

import pytest
import torch

from model.sampling import epoch_order


def classes(*counts: int) -> torch.Tensor:
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


def order(y: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return epoch_order(y, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("counts", [(5, 5), (1, 10), (50,)])
def test_about_equal_classes_are_shown_whole(counts: tuple[int, ...]) -> None:
    """Every item once, in the order of a permutation from the same generator."""
    y = classes(*counts)

    assert torch.equal(torch.randperm(len(y), generator=torch.Generator().manual_seed(0)), order(y))


def test_unequal_classes_are_drawn_by_the_root_of_their_size() -> None:
    """10,000 and 100 items: 10 of 11 and 1 of 11."""
    y = classes(10_000, 100)
    shares = torch.bincount(y[torch.cat([order(y, seed) for seed in range(5)])]) / (5 * len(y))

    assert abs(float(shares[1]) - 1 / 11) < 0.005


def test_an_epoch_has_as_many_items_as_there_are() -> None:
    """And only places that exist, also for a class of one item."""
    y = classes(1000, 1)
    shown = order(y)

    assert len(y) == len(shown)
    assert 0 <= int(shown.min())
    assert int(shown.max()) < len(y)


def test_the_items_of_a_class_are_shown_alike() -> None:
    """No item of the large class is favoured."""
    y = classes(200, 10)
    times = torch.bincount(torch.cat([order(y, seed) for seed in range(200)]), minlength=len(y))[:200].float()

    assert float(times.std() / times.mean()) < 0.15


def test_the_generator_decides() -> None:
    """The same seed gives the same order, another another."""
    y = classes(300, 3)

    assert torch.equal(order(y, 1), order(y, 1))
    assert not torch.equal(order(y, 1), order(y, 2))
