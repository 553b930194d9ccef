"""Objectives by name."""

import pytest
import torch

from model.objectives import OBJECTIVES, build_objective


@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - {"supcon"}))  # whose means start at 0
def test_the_generator_decides_the_start(name: str) -> None:
    """The same seed starts an objective at the same place, another elsewhere."""
    first, again, other = (
        next(
            iter(
                build_objective(
                    name, classes=3, dim=4, generator=torch.Generator().manual_seed(s)
                ).parameters()
            )
        )
        for s in (5, 5, 6)
    )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """An unknown objective is refused with the list of known ones."""
    with pytest.raises(
        ValueError, match="'triplet'; choose one of hinge, normalised-softmax, proxy-anchor, rbf, supcon"
    ):
        build_objective("triplet", classes=2, dim=2, generator=torch.Generator())
