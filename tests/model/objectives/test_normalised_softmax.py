"""Normalised softmax against its formula, term by term."""

import math

import pytest
import torch
from torch import Tensor

from model.objectives import NormalisedSoftmax


def literal(x: Tensor, y: Tensor, proxies: Tensor, temperature: float) -> float:
    """The formula with loops and plain exponentials."""

    def share(v: Tensor, k: int) -> float:
        terms = [math.exp(float(v @ p / (v.norm() * p.norm())) / temperature) for p in proxies]
        return terms[k] / sum(terms)

    return -sum(math.log(share(v, k)) for v, k in zip(x, y.tolist(), strict=True)) / len(x)


def case(classes: int, *, temperature: float) -> tuple[NormalisedSoftmax, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    objective = NormalisedSoftmax(classes, 4, generator, temperature=temperature).double()
    return objective, torch.randn(10, 4, generator=generator, dtype=torch.float64), torch.arange(10) % classes


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_it_is_the_formula(classes: int) -> None:
    """The loss equals the formula written with loops."""
    objective, x, y = case(classes, temperature=0.2)
    expected = literal(x, y, objective.proxies.detach(), 0.2)

    assert expected == pytest.approx(objective(x, y).item(), rel=1e-12, abs=1e-12)


def test_gradients_are_the_slopes_of_the_loss() -> None:
    """Torch's gradients for items and proxies agree with finite differences."""
    objective, x, y = case(3, temperature=0.5)
    proxies = objective.proxies

    def loss(x: Tensor, proxies: Tensor) -> Tensor:
        loss: Tensor = torch.func.functional_call(objective, {"proxies": proxies}, (x, y))
        return loss

    assert torch.autograd.gradcheck(loss, (x.requires_grad_(), proxies))


def test_lengths_do_not_matter() -> None:
    """Longer items and longer proxies have the same loss: it cannot be lowered by growing."""
    objective, x, y = case(3, temperature=0.05)
    before = objective(x, y)
    objective.proxies.data *= 7

    torch.testing.assert_close(before, objective(3 * x, y))


def test_the_papers_temperature_is_the_default() -> None:
    """Sigma = 0.05, and proxies learn faster than the net."""
    objective = NormalisedSoftmax(2, 2, torch.Generator())

    assert objective.temperature == 0.05
    assert objective.rate > 1


def test_an_item_on_its_proxy_and_opposite_the_other_costs_next_to_nothing() -> None:
    """Two proxies on opposite sides, sigma = 1: log(1 + e^-2) at best."""
    objective = NormalisedSoftmax(2, 2, torch.Generator(), temperature=1.0)
    objective.proxies.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])

    assert math.log1p(math.exp(-2)) == pytest.approx(
        objective(torch.tensor([[4.0, 0.0]]), torch.tensor([0])).item()
    )


def test_a_temperature_of_nothing_is_refused() -> None:
    """The temperature divides."""
    with pytest.raises(ValueError, match="temperature above 0"):
        NormalisedSoftmax(2, 2, torch.Generator(), temperature=0.0)
