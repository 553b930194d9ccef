"""The supervised contrastive loss against eq. 2, term by term, and its running means."""

import math

import pytest
import torch
from torch import Tensor

from model.objectives import SupCon


def literal(x: Tensor, y: Tensor, temperature: float) -> float:
    """Eq. 2 with loops and plain exponentials, as a mean over the anchors that have a positive."""
    z = [v / v.norm() for v in x]
    labels = y.tolist()
    total, anchors = 0.0, 0
    for i, own in enumerate(labels):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if labels[p] == own]
        if not positives:
            continue
        below = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in others)
        total -= sum(math.log(math.exp(float(z[i] @ z[p]) / temperature) / below) for p in positives) / len(
            positives
        )
        anchors += 1
    return total / anchors if anchors else 0.0


def drawn(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 0, 1, 1, 2, 2],
        [0, 0, 0, 1, 1, 2],  # the last has no positive
        [0, 0, 0, 0],  # nobody to push away
        [2, 0],  # no pair at all
        [1],
    ],
)
def test_it_is_equation_two(labels: list[int]) -> None:
    """The loss equals the paper's eq. 2 written with loops, whatever company the items are in."""
    x, y = drawn(len(labels), 4, 3), torch.tensor(labels)
    objective = SupCon(3, 4, torch.Generator(), temperature=0.3).double()

    assert literal(x, y, 0.3) == pytest.approx(objective(x, y).item(), rel=1e-12, abs=1e-12)


def test_gradients_are_the_slopes_of_the_loss() -> None:
    """Torch's gradients agree with finite differences, an item without a positive included."""
    objective = SupCon(3, 4, torch.Generator()).double().eval()
    x = drawn(6, 4, 1).requires_grad_()

    assert torch.autograd.gradcheck(lambda v: objective(v, torch.tensor([0, 0, 1, 1, 1, 2])), (x,))


@pytest.mark.parametrize("labels", [[0, 1, 2], [1]])
def test_a_batch_without_any_pair_pulls_at_nothing(labels: list[int]) -> None:
    """Items that are each alone of their class give loss 0 and gradient 0, not a division by 0."""
    x = drawn(len(labels), 4, 0).requires_grad_()
    loss = SupCon(3, 4, torch.Generator()).double()(x, torch.tensor(labels))
    torch.autograd.backward(loss)

    assert loss.item() == 0
    assert x.grad is not None
    assert not x.grad.any()


def test_classes_at_right_angles_cost_the_logarithm_of_their_positives() -> None:
    """Three items of a class at one place, three of another far from it: log 2, the least there is."""
    x = torch.eye(2, dtype=torch.float64).repeat_interleave(3, 0)
    loss = SupCon(2, 2, torch.Generator(), temperature=0.01).double()(x, torch.tensor([0, 0, 0, 1, 1, 1]))

    assert math.log(2) == pytest.approx(loss.item())


def test_only_directions_matter() -> None:
    """Items twice as long have the same loss."""
    objective, x, y = SupCon(3, 4, torch.Generator()).double(), drawn(6, 4, 0), torch.arange(6) % 3

    torch.testing.assert_close(objective(x, y), objective(2 * x, y))


def test_the_means_follow_the_batches() -> None:
    """A class's mean moves a tenth of the way to the batch's; a class that is not in it keeps its own."""
    objective = SupCon(3, 2, torch.Generator())
    objective(torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    objective(torch.tensor([[0.0, 5.0]]), torch.tensor([1]))

    torch.testing.assert_close(objective.means, torch.tensor([[0.05, 0.05], [0.0, 0.1], [0.0, 0.0]]))


def test_the_means_stand_still_outside_training() -> None:
    """In eval mode a loss leaves the means as they are."""
    objective = SupCon(2, 2, torch.Generator()).eval()
    objective(torch.ones(2, 2), torch.tensor([0, 0]))

    assert not objective.means.any()


def test_the_best_mean_direction_answers() -> None:
    """An item gets the class whose mean it points along; a class never met fits nothing that one met fits."""
    objective = SupCon(3, 2, torch.Generator())
    objective(torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.0, 1.0]]), torch.tensor([0, 0, 2]))

    assert objective.predict(torch.tensor([[9.0, 1.0], [1.0, 9.0]])).tolist() == [0, 2]
    assert objective.scores(torch.tensor([[1.0, 1.0]]))[0, 1] == 0


def test_a_temperature_of_nothing_is_refused() -> None:
    """The temperature divides."""
    with pytest.raises(ValueError, match="temperature above 0"):
        SupCon(2, 2, torch.Generator(), temperature=0.0)
