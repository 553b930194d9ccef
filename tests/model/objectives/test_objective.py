"""What all objectives share."""

import math

import pytest
import torch

from model.objectives import OBJECTIVES, Objective, SupCon, build_objective
from model.objectives.objective import squared_distances


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=sorted(OBJECTIVES))
def objective(request: pytest.FixtureRequest) -> Objective:
    return build_objective(request.param, classes=4, dim=8, generator=seeded())


def test_squared_distances_by_hand() -> None:
    """Squared distances of points on a line are the squares of the gaps."""
    got = squared_distances(torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [5.0], [3.0]]))

    assert got.tolist() == [[1.0, 25.0, 9.0], [4.0, 4.0, 0.0]]


def test_far_from_the_origin_small_distances_stay_exact() -> None:
    """Two points a millionth apart, far out, are as far apart as they are: nothing cancels."""
    base = torch.full((1, 3), 1000.0)

    assert squared_distances(base, base).item() == 0


def test_descending_separates_the_classes(objective: Objective) -> None:
    """Gradient steps on free points bring the loss down and every point to its class."""
    least = math.log(5) if isinstance(objective, SupCon) else 0.0  # each of 24 points has five positives
    x = torch.nn.Parameter(torch.randn(24, 8, generator=seeded()))
    y = torch.arange(24) % 4
    optimizer = torch.optim.Adam([x, *objective.parameters()], lr=0.05)
    first = objective(x, y).item()
    for _ in range(300):
        optimizer.zero_grad()
        torch.autograd.backward(objective(x, y))
        optimizer.step()

    assert objective(x, y).item() - least < (first - least) / 4
    assert y.tolist() == objective.predict(x).tolist()


def test_the_loss_does_not_depend_on_the_order_of_items(objective: Objective) -> None:
    """A batch is a set."""
    x, y = torch.randn(9, 8, generator=seeded()), torch.arange(9) % 4
    order = torch.randperm(9, generator=seeded())

    torch.testing.assert_close(objective(x, y), objective(x[order], y[order]))


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 1e4])
def test_loss_and_gradients_stay_finite_at_any_distance(objective: Objective, scale: float) -> None:
    """From on top of each other to thousands of radii away, loss and gradients are numbers."""
    x = (scale * torch.randn(8, 8, generator=seeded())).requires_grad_()
    loss = objective(x, torch.arange(8) % 4)
    torch.autograd.backward(loss)

    assert bool(torch.isfinite(loss))
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())
    assert all(bool(torch.isfinite(p.grad).all()) for p in objective.parameters() if p.grad is not None)


def test_items_exactly_on_centres_have_finite_gradients() -> None:
    """An item on its own or on a foreign centre has a finite gradient, where a distance has none."""
    for name in ("hinge", "rbf"):
        objective = build_objective(name, classes=3, dim=2, generator=seeded())
        x = objective.get_parameter("centres").detach().clone().requires_grad_()
        torch.autograd.backward(objective(x, torch.tensor([0, 2, 1])))

        assert x.grad is not None
        assert bool(torch.isfinite(x.grad).all())


def test_the_base_alone_is_no_objective() -> None:
    """The base class has no scores."""
    with pytest.raises(NotImplementedError):
        Objective().predict(torch.zeros(1, 1))
    with pytest.raises(NotImplementedError):
        Objective()(torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64))
