"""Proxy-anchor against eq. 4, term by term."""

import math

import pytest
import torch

from model.objectives import ProxyAnchor


def literal(x: torch.Tensor, y: torch.Tensor, proxies: torch.Tensor, alpha: float, delta: float) -> float:
    """Eq. 4 with loops and plain exponentials."""

    def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(a @ b / (a.norm() * b.norm()))

    pull = push = 0.0
    for k, p in enumerate(proxies):
        own = [cosine(v, p) for v, c in zip(x, y.tolist(), strict=True) if c == k]
        others = [cosine(v, p) for v, c in zip(x, y.tolist(), strict=True) if c != k]
        pull += math.log(1 + sum(math.exp(-alpha * (s - delta)) for s in own))
        push += math.log(1 + sum(math.exp(alpha * (s + delta)) for s in others))
    return pull / len(set(y.tolist())) + push / len(proxies)


@pytest.mark.parametrize("classes_present", [1, 2, 5])
def test_it_is_equation_four(classes_present: int) -> None:
    """The loss equals the paper's eq. 4 written with loops, also when classes are absent from the batch."""
    generator = torch.Generator().manual_seed(3)
    objective = ProxyAnchor(5, 4, generator, alpha=8.0, delta=0.2).double()
    x = torch.randn(10, 4, generator=generator, dtype=torch.float64)
    y = torch.arange(10) % classes_present
    expected = literal(x, y, objective.proxies.detach(), 8.0, 0.2)

    assert expected == pytest.approx(objective(x, y).item(), rel=1e-12)


def test_the_papers_settings_are_the_defaults() -> None:
    """Alpha = 32 and delta = 0.1, and proxies learn faster than the net."""
    objective = ProxyAnchor(2, 2, torch.Generator())

    assert (objective.alpha, objective.delta) == (32.0, 0.1)
    assert objective.rate > 1


def test_only_directions_matter() -> None:
    """Items twice as long have the same loss."""
    generator = torch.Generator().manual_seed(0)
    objective = ProxyAnchor(3, 4, generator)
    x, y = torch.randn(6, 4, generator=generator), torch.arange(6) % 3

    torch.testing.assert_close(objective(x, y), objective(2 * x, y))


def test_an_item_opposite_its_proxy_costs_alpha_per_unit_of_cosine() -> None:
    """One class, one item at cosine -1: log(1 + e^(32 x 1.1)) is 35.2, to float32's last digits."""
    objective = ProxyAnchor(1, 2, torch.Generator())

    assert pytest.approx(objective(-objective.proxies.detach(), torch.tensor([0])).item(), rel=1e-6) == 35.2
