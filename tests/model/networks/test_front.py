"""The front end for tables: scales on paper, what is missing, what is known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from model.inputs import TableColumn, TableInput
from model.networks.front import TableFront

NAN = math.nan


def numbers(n: int = 1) -> TableInput:
    return TableInput(columns=tuple(TableColumn(name=f"n{i}", kind="number") for i in range(n)))


def category(values: int) -> TableInput:
    listed = tuple(f"v{i}" for i in range(values))
    return TableInput(columns=(TableColumn(name="c", kind="category", values=listed),))


def fitted(spec: TableInput, codes: list[list[float]]) -> TableFront:
    front = TableFront(spec)
    front.fit(torch.tensor(codes))
    return front


def column(front: TableFront, codes: list[float]) -> Tensor:
    return front(torch.tensor(codes).unsqueeze(1))


def test_a_number_becomes_a_value_of_unit_size_and_a_mark() -> None:
    """Mean 0 and spread 1 over the fitting items, in the order of the numbers; the mark for missing is 0."""
    values = [float(v) for v in range(101)]
    features = column(fitted(numbers(), [[v] for v in values]), values)

    assert features.shape == (101, 2)
    assert abs(float(features[:, 0].mean())) < 1e-5
    assert abs(float(features[:, 0].std(correction=0)) - 1) < 1e-5
    assert bool((features[1:, 0] > features[:-1, 0]).all())
    assert not features[:, 1].any()


def test_the_scale_of_a_number_does_not_matter() -> None:
    """Bytes or megabytes, from zero or from a thousand: the features are the same."""
    values = np.random.default_rng(0).lognormal(3, 2, 500)
    plain = column(fitted(numbers(), [[v] for v in values]), values.tolist())
    moved = 1000 + 64 * values
    again = column(fitted(numbers(), [[v] for v in moved]), moved.tolist())

    torch.testing.assert_close(plain, again, rtol=1e-3, atol=1e-3)


def test_a_heavy_tail_is_tamed_and_still_rises() -> None:
    """From a thousand times the usual to a million times the feature grows, and not a thousandfold."""
    front = fitted(numbers(), [[v] for v in np.random.default_rng(0).normal(0, 1, 1000)])
    near, far, farther = column(front, [1, 1e3, 1e6])[:, 0].tolist()

    assert near < far <= farther <= 10
    assert column(front, [1e2])[0, 0] < column(front, [1e3])[0, 0]


def test_extremes_stay_finite() -> None:
    """The largest float32 is a number like any other."""
    front = fitted(numbers(), [[0.0], [1.0], [2.0]])

    assert bool(column(front, [3.4e38, -3.4e38, NAN]).isfinite().all())


def test_a_column_that_is_nearly_always_zero_keeps_its_rest() -> None:
    """Where the quartiles are equal the distances that are not 0 give the scale."""
    front = fitted(numbers(), [[0.0]] * 97 + [[5.0], [6.0], [7.0]])
    zero, six = column(front, [0, 6])[:, 0].tolist()

    assert six - zero > 1


def test_a_constant_column_is_zero_until_it_changes() -> None:
    """It tells nothing of known items, and much of one that differs."""
    same, other = column(fitted(numbers(), [[4.0]] * 10), [4, 9])[:, 0].tolist()

    assert same == 0
    assert other > 1


def test_what_is_missing_is_the_middle_with_a_mark() -> None:
    """Value 0, mark 1; and what is missing while fitting changes no scale."""
    values = [[v] for v in (1.0, 2.0, 3.0, 4.0, 5.0)]
    front, gaps = fitted(numbers(), values), fitted(numbers(), [*values, [NAN], [NAN]])

    assert column(front, [NAN]).tolist() == [[0, 1]]
    torch.testing.assert_close(column(front, [1, 5, NAN]), column(gaps, [1, 5, NAN]))


def test_a_column_without_values_stays_finite() -> None:
    """Its data set had some, its fitting items have none."""
    assert bool(column(fitted(numbers(), [[NAN], [NAN]]), [NAN, 7]).isfinite().all())


def test_a_category_is_one_of_missing_other_and_known() -> None:
    """Exactly one feature is not 0; a value in fewer than five fitting items, or none, is any other, marked by 3."""
    codes = [0.0] * 5 + [1.0] * 9 + [2.0] * 4
    features = column(fitted(category(3), [[c] for c in codes]), [-1, 0, 1, 2, 3])

    assert features.shape == (5, 5)
    assert features.sum(1).tolist() == [1, 1, 1, 3, 3]
    assert bool(((features != 0).sum(1) == 1).all())
    places = features.argmax(1).tolist()
    assert places[:1] == [0]
    assert places[3:] == [1, 1]
    assert sorted(places[1:3]) == [2, 3]


def test_of_many_values_the_hundred_most_frequent_are_known() -> None:
    """The width does not grow with the list."""
    front = fitted(category(150), [[float(c)] for c in range(150) for _ in range(5 + (c >= 50))])
    places = column(front, [float(c) for c in range(150)]).argmax(1)

    assert front.width == 102
    assert bool((places[:50] == 1).all())
    assert len(set(places[50:].tolist())) == 100


def test_all_that_was_learnt_is_in_the_weights() -> None:
    """A front end built anew gives the same features once it has the state of the fitted one."""
    spec = TableInput(columns=(*numbers(2).columns, *category(4).columns))
    rng = np.random.default_rng(0)
    codes = torch.tensor(
        np.column_stack([rng.normal(size=(60, 2)), rng.integers(-1, 5, 60)]), dtype=torch.float32
    )
    front, again = TableFront(spec), TableFront(spec)
    front.fit(codes)
    again.load_state_dict(front.state_dict())

    torch.testing.assert_close(front(codes), again(codes), rtol=0, atol=0)


@pytest.mark.parametrize("spec", [numbers(2), category(3)])
def test_a_table_may_have_one_kind_only(spec: TableInput) -> None:
    """No numbers, or no categories."""
    codes = torch.zeros(6, len(spec.columns))
    front = TableFront(spec)
    front.fit(codes)

    assert front(codes).shape == (6, front.width)
