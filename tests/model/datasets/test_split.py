import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.datasets.labelled import DataError, LabelledData
from model.datasets.split import split
from model.inputs import VectorInput


def data_of(*counts: int) -> LabelledData:
    """Make a data set with that many items of class "0", "1", ..., interleaved."""
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return LabelledData(
        name="counted",
        input=VectorInput(shape=(1,), minimum=0, maximum=1),
        x=np.zeros((len(y), 1), dtype=np.float32),
        y=y,
        labels=tuple(map(str, range(len(counts)))),
        source="tests",
    )


@given(
    counts=st.lists(st.integers(15, 60), min_size=3, max_size=6),
    held=st.integers(0, 1),
    seed=st.integers(0, 2**32),
)
def test_a_split_is_a_stratified_partition(counts: list[int], held: int, seed: int) -> None:
    """Every item is in exactly one part, half of each known class in fit, and unseen holds whole classes."""
    data = data_of(*counts)
    parts = split(data, [str(held)], seed=seed)
    everything = np.concatenate([parts.fit, parts.calibrate, parts.fresh, parts.unseen])

    np.testing.assert_array_equal(np.arange(sum(counts)), np.sort(everything))
    assert {held} == set(data.y[parts.unseen])
    for k, n in enumerate(counts):
        shares = [int((data.y[part] == k).sum()) for part in (parts.fit, parts.calibrate, parts.fresh)]
        if k == held:
            assert shares == [0, 0, 0]
        else:
            assert [(n + 1) // 2, n - (n + 1) // 2] == [shares[0], shares[1] + shares[2]]
            assert shares[1] - shares[2] in (0, 1)


def test_the_seed_decides() -> None:
    """The same seed gives the same split, another seed another one."""
    data = data_of(30, 30)
    first, again, other = (split(data, [], seed=seed) for seed in (1, 1, 2))

    for name in ("fit", "calibrate", "fresh", "unseen"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name), strict=True)
    assert set(first.fit) != set(other.fit)


def test_holding_out_one_class_leaves_the_others_alone() -> None:
    """Which items of a class are fitted on does not depend on the classes held out."""
    data = data_of(30, 30, 30, 30)
    without, with_held = split(data, [], seed=5), split(data, ["2"], seed=5)

    assert set(without.fit[data.y[without.fit] != 2]) == set(with_held.fit)
    assert set(without.fresh[data.y[without.fresh] != 2]) == set(with_held.fresh)


def test_items_are_shuffled_across_classes() -> None:
    """No part is ordered by class."""
    parts = split(data_of(50, 50, 50), [], seed=0)
    y = data_of(50, 50, 50).y

    for part in (parts.fit, parts.calibrate, parts.fresh):
        assert (np.diff(y[part]) < 0).any()


def test_nothing_held_out_leaves_unseen_empty() -> None:
    """Unseen is then an empty array of the same kind."""
    unseen = split(data_of(15, 15), [], seed=0).unseen

    assert unseen.dtype == np.int64
    assert len(unseen) == 0


@pytest.mark.parametrize(
    ("hold_out", "seed", "problem"),
    [
        (["9"], 0, "counted has no class '9' to hold out. Its classes are: 0, 1, 2"),
        (["1", "1"], 0, "held out twice"),
        (["0", "1"], 0, "leaves fewer than 2 known ones"),
        ("0", 0, "must be a list of labels"),
        ([], -1, "seed must be 0 or above"),
        (
            ["0"],
            0,
            "Of the 2 classes of counted to be known, fewer than 2 have 15 items or more; the largest has 15",
        ),
    ],
)
def test_a_split_that_cannot_be_is_refused(hold_out: list[str], seed: int, problem: str) -> None:
    """The message says what is wrong and what there is to choose from."""
    with pytest.raises(DataError, match=problem):
        split(data_of(15, 15, 3), hold_out, seed=seed)


def test_a_class_too_small_to_be_known_can_be_unseen() -> None:
    """Held-out classes may be of any size."""
    parts = split(data_of(15, 15, 1), ["2"], seed=0)

    assert len(parts.unseen) == 1
    assert len(parts.aside) == 0


def test_a_class_too_small_to_be_known_is_set_aside() -> None:
    """It is in no other part, and the others are divided as they would be without it."""
    data = data_of(30, 14, 30)
    parts, without = split(data, [], seed=0), split(data, ["1"], seed=0)

    assert set(parts.aside) == set(np.flatnonzero(data.y == 1))
    assert len(parts.unseen) == 0
    for name in ("fit", "calibrate", "fresh"):
        assert set(getattr(parts, name)) == set(getattr(without, name))
