"""NT-Xent against its formula, term by term, and the head that is thrown away."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.auxiliary import TwoViews, nt_xent


def drawn(n: int, dim: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal(u: Tensor, temperature: float) -> float:
    """The formula with loops and plain exponentials."""
    z = [v / v.norm() for v in u]
    B = len(z) // 2
    total = 0.0
    for i in range(2 * B):
        terms = {a: math.exp(float(z[i] @ z[a]) / temperature) for a in range(2 * B) if a != i}
        total -= math.log(terms[(i + B) % (2 * B)] / sum(terms.values()))
    return total / (2 * B)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.floats(0.05, 2), st.integers(0, 100))
def test_it_is_the_formula(items: int, temperature: float, seed: int) -> None:
    """The loss equals the formula written with loops, down to a single item and its other view."""
    u = drawn(2 * items, seed=seed)

    assert literal(u, temperature) == pytest.approx(nt_xent(u, temperature).item(), rel=1e-10, abs=1e-12)


def test_gradients_are_the_slopes_of_the_loss() -> None:
    """Torch's gradients agree with finite differences."""
    assert torch.autograd.gradcheck(lambda u: nt_xent(u, 0.5), (drawn(6).requires_grad_(),))


def test_projections_that_are_all_the_same_cost_a_blind_guess() -> None:
    """With nothing to tell views apart by, each of 2 B - 1 others is as likely."""
    assert math.log(7) == pytest.approx(nt_xent(torch.ones(8, 3), 0.2).item(), rel=1e-6)


def test_views_that_agree_and_items_that_do_not_cost_next_to_nothing() -> None:
    """Four items along four axes, both views in one place: the loss is all but 0."""
    assert nt_xent(torch.eye(4).repeat(2, 1), 0.05).item() < 1e-6


def test_the_order_of_items_does_not_matter() -> None:
    """A batch is a set of pairs, and either view may come first."""
    first, second = drawn(5, seed=1), drawn(5, seed=2)
    order = torch.tensor([3, 1, 4, 0, 2])
    expected = nt_xent(torch.cat([first, second]), 0.3)

    torch.testing.assert_close(expected, nt_xent(torch.cat([second[order], first[order]]), 0.3))


def test_the_head_learns_to_know_items_again() -> None:
    """Training the head alone brings the loss down: it finds what the two views share."""
    torch.manual_seed(0)
    items = torch.randn(32, 8)
    views = torch.cat([torch.cat([items, 3 * torch.randn(32, 8)], dim=1) for _ in range(2)])
    auxiliary = TwoViews(16)
    optimizer = torch.optim.Adam(auxiliary.parameters(), lr=0.01)
    before = auxiliary(views).item()
    for _ in range(300):
        optimizer.zero_grad()
        torch.autograd.backward(auxiliary(views))
        optimizer.step()

    assert auxiliary(views).item() < 0.6 * before


def test_a_dead_layer_has_finite_gradients() -> None:
    """A batch for which no unit is active, after ReLU all zeros, breaks nothing."""
    dead = torch.zeros(6, 4, requires_grad=True)
    torch.manual_seed(0)
    loss = TwoViews(4)(dead)
    torch.autograd.backward(loss)

    assert bool(torch.isfinite(loss))
    assert dead.grad is not None
    assert bool(torch.isfinite(dead.grad).all())


def test_a_temperature_of_nothing_is_refused() -> None:
    """The temperature divides."""
    with pytest.raises(ValueError, match="temperature above 0"):
        TwoViews(4, temperature=0.0)
