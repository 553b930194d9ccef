"""The hinge clustering head, with numbers from paper."""

import pytest
import torch

from model.objectives import Hinge


def on_a_line(*places: float) -> Hinge:
    """Centres on a line, pull 1, separation 4 (so push 3)."""
    objective = Hinge(len(places), 1, torch.Generator(), pull=1.0, separation=4.0)
    objective.centres.data = torch.tensor(places)[:, None]
    return objective


@pytest.mark.parametrize(
    ("place", "label", "expected"),
    [
        (0.0, 0, 0.0),  # on its centre, 4 from the other
        (1.0, 0, 0.0),  # on the edge of its ball, and 3 from the other
        (-5.0, 0, 4.0),  # 5 away, 4 beyond the ball
        (2.0, 0, 1.0 + 1.0),  # half way: 1 too far from its own, 1 too near the other
        (4.0, 0, 3.0 + 3.0),  # on the other's centre
        (4.0, 1, 0.0),
    ],
)
def test_the_loss_of_one_item_by_hand(place: float, label: int, expected: float) -> None:
    """Two centres at 0 and 4: pulled within 1 of its own, pushed 3 away from the other."""
    assert expected == pytest.approx(
        on_a_line(0.0, 4.0)(torch.tensor([[place]]), torch.tensor([label])).item()
    )


def test_centres_that_crowd_cost_what_they_lack() -> None:
    """Centres at 0, 1 and 10: one pair of three lacks 3 of its 4; the item itself costs its push from 1."""
    item = torch.tensor([[0.0]])

    assert pytest.approx(on_a_line(0.0, 1.0, 10.0)(item, torch.tensor([0])).item()) == 3.0 / 3 + 2.0


def test_the_start_is_well_separated() -> None:
    """Fresh centres cost nothing: all pairs are at least the separation apart."""
    objective = Hinge(8, 32, torch.Generator().manual_seed(0))

    assert objective(objective.centres.detach(), torch.arange(8)).item() == pytest.approx(0, abs=1e-4)


def test_the_nearest_centre_answers() -> None:
    """The class of an item is that of the nearest centre."""
    assert on_a_line(0.0, 4.0).predict(torch.tensor([[-9.0], [1.9], [2.1], [9.0]])).tolist() == [0, 0, 1, 1]


def test_a_single_class_is_only_pulled() -> None:
    """One class has no other to push from and no pair to keep apart."""
    assert pytest.approx(on_a_line(0.0)(torch.tensor([[3.0]]), torch.tensor([0])).item()) == 2.0


@pytest.mark.parametrize(("pull", "separation"), [(0.0, 4.0), (2.0, 4.0), (3.0, 4.0)])
def test_balls_that_overlap_are_refused(pull: float, separation: float) -> None:
    """Balls of radius `pull` must fit between the centres."""
    with pytest.raises(ValueError, match="separation above 2 pull"):
        Hinge(2, 2, torch.Generator(), pull=pull, separation=separation)
