"""What can be an item, and what it is as JSON."""

import itertools
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.client import Item
from service.client.items import encoded, item_of, raw_of, refusal


def ids() -> Any:
    numbers = itertools.count()
    return lambda: f"made-{next(numbers)}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Item(x=[1]), Item(x=[1], id="made-0")),
        (Item(x=[1], id="a"), Item(x=[1], id="a")),
        ({"x": [1]}, Item(x=[1], id="made-0")),
        ({"x": {"a": 1}, "id": None}, Item(x={"a": 1}, id="made-0")),
        ({"x": "text", "id": "a"}, Item(x="text", id="a")),
        ("text", Item(x="text", id="made-0")),
        ([[0, 1], [2, 3]], Item(x=[[0, 1], [2, 3]], id="made-0")),
    ],
)
def test_whatever_can_be_an_item_becomes_one(given: Any, expected: Item) -> None:
    """An id that is there stays; one that is missing is made."""
    assert expected == item_of(given, ids())


def test_every_item_gets_an_id_of_its_own() -> None:
    """Or a resend would take one for another."""
    new_id = ids()

    assert ["made-0", "made-1"] == [item_of("a", new_id).id for _ in range(2)]


@pytest.mark.parametrize("given", [{"duration": 0, "flag": "S0"}, {}, {"x": 1, "y": 2}])
def test_a_bare_row_of_a_table_is_not_guessed_at(given: dict[str, Any]) -> None:
    """It might have a column x; the message says how to send it."""
    with pytest.raises(TypeError, match=r'make \{"x": row\}'):
        item_of(given, ids())


@pytest.mark.parametrize("given", [None, 7, object(), b"raw"])
def test_what_is_no_item_is_refused(given: object) -> None:
    """And the message says what is one."""
    with pytest.raises(TypeError, match="An item is"):
        item_of(given, ids())


@pytest.mark.parametrize(
    "x", [np.arange(4, dtype=np.float32).reshape(2, 2), [np.float32(0), np.float32(1)], SimpleNamespace]
)
def test_arrays_are_written_as_numbers(x: Any) -> None:
    """Of whatever library, nested or flat; what is none is refused."""
    if x is SimpleNamespace:
        with pytest.raises(ValueError, match="nothing that JSON has"):
            encoded({"id": "a", "x": x()})
        return

    assert {"id": "a", "x": np.asarray(x).tolist()} == json.loads(encoded({"id": "a", "x": x}))


def test_a_row_with_a_missing_cell_is_written_with_null() -> None:
    """Which is not what NaN is."""
    raw = {"id": "a", "x": {"flag": None, "bytes": 491}}

    assert raw == json.loads(encoded(raw))


@pytest.mark.parametrize(
    "x", [float("nan"), [0.0, float("inf")], {"a": [float("nan")]}, np.array([np.nan]), {1, 2}, "\ud800"]
)
def test_what_json_cannot_say_is_refused_by_id(x: Any) -> None:
    """Never written as something else."""
    with pytest.raises(ValueError, match="'a' cannot be written as JSON"):
        encoded({"id": "a", "x": x})


@pytest.mark.parametrize("id", [None, 7])
def test_an_item_without_a_string_as_id_is_not_written(id: Any) -> None:
    """A resend of it would be another item."""
    with pytest.raises(TypeError, match="needs a string as id"):
        encoded({"id": id, "x": [0]})


def test_raw() -> None:
    """As it is sent."""
    assert {"id": "a", "x": [1]} == raw_of(Item(x=[1], id="a"))


@pytest.mark.parametrize(("id", "expected"), [("a", "a"), (7, None), (None, None)])
def test_a_refusal_here_looks_like_one_of_the_service(id: object, expected: str | None) -> None:
    """So that who reads answers has one case."""
    found = refusal(id, "send numbers")

    assert (expected, "/problems/invalid-item", "send numbers") == (
        found.id,
        found.problem.kind,
        found.problem.detail,
    )
