"""The rule that takes one of several runs, and what it says about it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.choice import Choice, Met, Tried, as_markdown, explain, named, preferred
from model.config import TrainConfig

VALUES = st.lists(st.floats(0, 1), min_size=3, max_size=3)


def tried(*values: float, config: TrainConfig | None = None) -> Tried:
    """One run with these values, a fold each."""
    met = tuple(Met(auroc=value, cluster_accuracy=None) for value in values)
    return Tried(config=config or TrainConfig(), met=met)


def test_a_value_is_the_mean_of_what_was_measured() -> None:
    """AUROC and cluster accuracy count alike; a single left-out class has AUROC alone."""
    assert Met(auroc=0.9, cluster_accuracy=0.5).value == pytest.approx(0.7)
    assert Met(auroc=0.9, cluster_accuracy=None).value == 0.9


def test_means_are_over_the_folds_that_have_them() -> None:
    """A fold without cluster accuracy counts in AUROC only."""
    met = (Met(auroc=0.9, cluster_accuracy=0.5), Met(auroc=0.7, cluster_accuracy=None))
    one = Tried(config=TrainConfig(), met=met)

    assert (one.auroc, one.cluster_accuracy, one.value) == pytest.approx((0.8, 0.5, 0.7))
    assert tried(0.9).cluster_accuracy is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0.90, 0.80, 0.95)], 0),
        ([(0.90, 0.80, 0.95), (0.94, 0.84, 0.99)], 1),  # better by the same in every fold: no noise at all
        ([(0.90, 0.80, 0.95), (0.99, 0.79, 0.95)], 0),  # better in one fold, worse in another
        ([(0.90, 0.80, 0.95), (0.90, 0.80, 0.95)], 0),  # a tie
        (
            [(0.50, 0.50, 0.50), (0.89, 0.81, 0.90), (0.90, 0.80, 0.91)],
            2,
        ),  # clear of the asked one: the best wins
        (
            [(0.80, 0.80, 0.80), (0.70, 0.99, 0.79), (0.81, 0.81, 0.82)],
            0,
        ),  # the best is ahead in one fold only
        ([(0.7,), (0.8,)], 1),  # a single fold knows no noise
    ],
)
def test_the_best_wins_where_its_lead_is_no_noise(rows: list[tuple[float, ...]], expected: int) -> None:
    """Otherwise the first stays, which is what was asked for."""
    assert expected == preferred([tried(*row) for row in rows])


def test_a_lead_may_have_to_be_clearer() -> None:
    """Ahead by .03 with a standard error of .0173: more than one, less than two."""
    rows = [tried(0.8, 0.8, 0.8), tried(0.80, 0.83, 0.86)]

    assert (preferred(rows), preferred(rows, errors=2.0)) == (1, 0)


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_what_is_taken_is_the_asked_or_the_best(rows: list[list[float]]) -> None:
    """And never one that has a lower mean than the asked one."""
    taken = preferred([tried(*row) for row in rows])
    means = np.array(rows).mean(1)

    assert taken in {0, int(means.argmax())}
    assert means[taken] >= means[0]


def test_a_hard_fold_is_hard_for_all() -> None:
    """What is taken off every candidate's value in one fold changes nothing."""
    rows = [(0.90, 0.80, 0.95), (0.93, 0.82, 0.99), (0.95, 0.84, 0.94)]
    harder = [(a, b - 0.5, c) for a, b, c in rows]

    assert preferred([tried(*row) for row in rows]) == preferred([tried(*row) for row in harder])


def test_runs_are_named_by_what_they_differ_in() -> None:
    """Fields that all have alike are not named; a run alone is named by its objective."""
    first, second = TrainConfig(), TrainConfig(objective="supcon", auxiliary="two-views")

    assert named(second, [first, second]) == "supcon, auxiliary two-views"
    assert named(first, [first, second]) == "proxy-anchor, auxiliary none"
    assert named(first, [first]) == "proxy-anchor"


def test_the_reasons_tell_folds_candidates_and_stop() -> None:
    """Which classes were left out, who was best, why another was taken, where training stops."""
    plain, other = TrainConfig(), TrainConfig(objective="supcon")
    full = [tried(0.90, 0.80, config=plain), tried(0.99, 0.79, config=other)]
    early = tried(0.95, 0.85, config=TrainConfig(stop_at=0.6))
    left_out = [("1", "2"), ("3", "4")]

    kept = " ".join(explain(full, full[:1], taken=plain, winner=plain, left_out=left_out))
    stopped = " ".join(explain(full, [full[0], early], taken=plain, winner=early.config, left_out=left_out))

    assert "1, 2; 3, 4" in kept
    assert "supcon has the best mean, 0.890; proxy-anchor, which was asked for, has 0.850, and stays" in kept
    assert "no clear gain (0.850 at 1)" in kept
    assert "did better before the end of its schedule (0.850 at 1, 0.900 at 0.6)" in stopped


def test_a_best_candidate_is_called_that() -> None:
    """Where the one taken is the best there is no excuse to make."""
    plain, other = TrainConfig(), TrainConfig(objective="supcon")
    full = [tried(0.8, config=plain), tried(0.9, config=other)]
    reasons = explain(full, full[1:], taken=other, winner=other, left_out=[("1",)])

    assert "Of 2 candidates supcon is best, at 0.900." in reasons
    assert "There was one candidate, of value 0.800." in explain(
        full[:1], full[:1], taken=plain, winner=plain, left_out=[("1",)]
    )


def test_a_long_table_shows_the_asked_the_taken_and_the_best() -> None:
    """Of thirty, the twelve best; the first and the winner whatever their place; a winner that stops early, too."""
    configs = [TrainConfig(seed=seed) for seed in range(30)]
    rows = tuple(tried(seed / 100, config=config) for seed, config in enumerate(configs))
    winner = TrainConfig(seed=3, stop_at=0.6)
    choice = Choice(
        winner=winner, tried=rows, stops=(rows[3],), expected=rows[3], left_out=(("1",),), reasons=("So.",)
    )
    lines = as_markdown(choice)

    assert ["seed 0", "**seed 3**", *(f"seed {n}" for n in range(18, 30))] == [
        line.split(" | ")[0].removeprefix("| ") for line in lines[2:16]
    ]
    assert "- The 14 best of 30 are shown, what was asked for first." in lines
    assert "- So." == lines[-1]


def test_lists_of_layers_are_named_as_lists() -> None:
    """Nothing named is the default."""
    first, second = TrainConfig(), TrainConfig(layers=("penultimate", "output"))

    assert named(first, [first, second]) == "layers default"
    assert named(second, [first, second]) == "layers penultimate+output"
