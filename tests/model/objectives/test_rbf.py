"""The RBF clustering layer against its published formulas, and against finite differences.

P = exp(-|x - c|^2 / r^2). The published gradients for x and c are right. The published radius gradient,
2 |x - c| / r^3 P, lacks a factor |x - c|; the tests hold the layer to 2 |x - c|^2 / r^3 P and show that the
published form disagrees with the slope of P.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.objectives import Rbf
from model.objectives.rbf import log_one_minus_exp, membership


def case(seed: int, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return one item (1, D), one centre (1, D) and one radius (1,), float64, asking for gradients."""
    generator = torch.Generator().manual_seed(seed)
    x, c = (torch.randn(1, dim, generator=generator, dtype=torch.float64) for _ in range(2))
    r = math.sqrt(dim) * (0.5 + torch.rand(1, generator=generator, dtype=torch.float64))
    return x.requires_grad_(), c.requires_grad_(), r.requires_grad_()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 32))
def test_gradients_are_the_analytic_ones(seed: int, dim: int) -> None:
    """Torch's gradients of P for item, centre and radius equal the formulas, in float64."""
    x, c, r = case(seed, dim)
    P = membership(x, c, r).squeeze()
    by_x, by_c, by_r = torch.autograd.grad(P, (x, c, r))
    gap = (x - c).detach()
    P, r = P.detach(), r.detach()

    torch.testing.assert_close(-2 * gap / r**2 * P, by_x)
    torch.testing.assert_close(2 * gap / r**2 * P, by_c)
    torch.testing.assert_close(2 * gap.square().sum() / r**3 * P, by_r)


@pytest.mark.parametrize("dim", [1, 2, 8])
def test_gradients_are_the_slopes_of_p(dim: int) -> None:
    """Torch's gradients agree with finite differences of P itself."""
    assert torch.autograd.gradcheck(membership, case(7, dim))


def test_the_published_radius_gradient_lacks_a_factor() -> None:
    """At |x - c| = 3, r = 2 the slope of P in r is three times what 2 |x - c| / r^3 P gives."""
    distance, r, step = 3.0, 2.0, 1e-5

    def membership_at(radius: float) -> float:
        return math.exp(-(distance**2) / radius**2)

    slope = (membership_at(r + step) - membership_at(r - step)) / (2 * step)
    published = 2 * distance / r**3 * membership_at(r)

    assert 2 * distance**2 / r**3 * membership_at(r) == pytest.approx(slope, rel=1e-8)
    assert distance == pytest.approx(slope / published, rel=1e-8)


def test_the_loss_is_the_binary_cross_entropy_of_p() -> None:
    """Where P is far from 0 and 1 the loss is the textbook binary cross-entropy, summed over classes."""
    generator = torch.Generator().manual_seed(1)
    objective = Rbf(3, 4, generator).double()
    x, y = torch.randn(5, 4, generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    P = membership(x, objective.centres, objective.radii)
    targets = torch.nn.functional.one_hot(y, 3).double()
    expected = torch.nn.functional.binary_cross_entropy(P, targets, reduction="none").sum(1).mean()

    torch.testing.assert_close(expected, objective(x, y))


@pytest.mark.parametrize("u", [1e-30, 1e-8, 0.1, math.log(2), 1.0, 30.0, 200.0])
def test_log_one_minus_exp_is_exact_at_both_ends(u: float) -> None:
    """log(1 - e^-u) keeps full precision where 1 - e^-u rounds to 0 and where it rounds to 1."""
    expected = math.log(-math.expm1(-u)) if u < 1 else math.log1p(-math.exp(-u))
    got = log_one_minus_exp(torch.tensor(u, dtype=torch.float64))

    assert expected == pytest.approx(float(got), rel=1e-12)


def test_the_slope_of_log_one_minus_exp_is_finite_everywhere() -> None:
    """Its gradient, 1 / (e^u - 1), is a number on both sides of the branch and far out."""
    u = torch.tensor([1e-6, 0.5, 0.8, 50.0, 1e4], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(log_one_minus_exp(u).sum(), u)

    torch.testing.assert_close(1 / torch.expm1(u.detach()), slope)


def test_radii_start_where_gradients_live() -> None:
    """An item whose coordinates differ from a centre's by 1 each starts at P = 1/e, in any dimension."""
    for dim in (2, 32, 512):
        objective = Rbf(2, dim, torch.Generator().manual_seed(0))
        x = objective.centres.detach()[:1] + 1

        assert 1 / math.e == pytest.approx(
            membership(x, objective.centres, objective.radii)[0, 0].item(), rel=1e-4
        )


def test_an_item_far_from_everything_still_learns() -> None:
    """Far out P underflows to 0, but the loss still pulls the item to its centre."""
    objective = Rbf(3, 2, torch.Generator().manual_seed(0))
    x = torch.tensor([[300.0, 0.0]], requires_grad=True)
    torch.autograd.backward(objective(x, torch.tensor([1])))

    assert membership(x, objective.centres, objective.radii).max().item() == 0
    assert x.grad is not None
    assert float(x.grad[0, 0]) > 1


def test_a_radius_must_be_positive() -> None:
    """A radius of 0 is refused."""
    with pytest.raises(ValueError, match="radius above 0"):
        Rbf(2, 2, torch.Generator(), radius=0.0)
