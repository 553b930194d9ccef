"""Every item is checked on its own; whatever comes, it is an item or is refused with what to send."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.inputs import ImageInput, example_item
from service.errors import InvalidItem
from service.ingest.intake import MAX_ID_CHARACTERS, Refused, read_id, read_item, read_items
from service.records import Item

SPEC = ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)


def test_item() -> None:
    """An object with id and x becomes an item, scaled."""
    item = read_item({"id": "a", "x": [0, 4, 8, 16]}, SPEC)

    assert "a" == item.id
    assert [[[0.0, 0.25], [0.5, 1.0]]] == item.x.tolist()
    assert np.float32 == item.x.dtype


@pytest.mark.parametrize("raw", [{"x": [0, 0, 0, 0]}, {"id": None, "x": [0, 0, 0, 0]}])
def test_no_id(raw: dict[str, Any]) -> None:
    """The id may be left out."""
    assert read_item(raw, SPEC).id is None


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (None, "not null"),
        (True, "not true or false"),
        (7, "not a number"),
        ("a", "not a string"),
        ([0, 0, 0, 0], "not a list"),
        (b"abc", "not an object"),
        ({}, "send 4 numbers from 0 to 16"),
        ({"x": [0] * 4, "y": 1, "z": 2}, "remove y, z"),
        ({"x": [0] * 4, 5: 1}, "remove 5"),
        ({"x": [0] * 4, (): 1}, "remove ()"),
        ({"x": [0] * 3}, "got 3 numbers"),
        ({"x": [0, 0, 0, float("nan")]}, "nan at x[3]"),
        ({"x": [0, 0, 0, float("inf")]}, "inf at x[3]"),
        ({"id": "", "x": [0] * 4}, "1 to 256 characters"),
        ({"id": "~1", "x": [0] * 4}, "must not start with ~"),
        ({"id": "\ud800", "x": [0] * 4}, "lone surrogate"),
    ],
)
def test_refused(raw: object, says: str) -> None:
    """What is wrong is said in words of JSON."""
    with pytest.raises(InvalidItem) as refused:
        read_item(raw, SPEC)

    assert says in str(refused.value)


def test_one_by_one() -> None:
    """A bad item fails alone, in its place, under its id."""
    good, bad, worse = read_items([{"id": "a", "x": [0] * 4}, {"id": "b"}, {"id": 7, "x": []}], SPEC)

    assert isinstance(good, Item)
    assert isinstance(bad, Refused)
    assert "b" == bad.id
    assert isinstance(worse, Refused)
    assert worse.id is None


def test_long_field_names() -> None:
    """Hostile field names do not make a message without end."""
    with pytest.raises(InvalidItem) as refused:
        read_item({"x": 1} | {"y" * 10_000 + str(n): 1 for n in range(100)}, SPEC)

    assert len(str(refused.value)) < 300


def test_example() -> None:
    """The example of a bundle's input is an item."""
    assert isinstance(read_items([{"x": example_item(SPEC)}], SPEC)[0], Item)


@given(id=st.text())
def test_ids(id: str) -> None:
    """An id is taken as it is, or refused; one that is taken can be stored."""
    try:
        taken = read_id(id)
    except InvalidItem:
        assert not 1 <= len(id) <= MAX_ID_CHARACTERS or id.startswith("~") or "\ud800" <= max(id) <= "\udfff"
    else:
        assert id == taken
        assert id.encode().decode() == taken


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(
    raws=st.lists(ANYTHING | st.fixed_dictionaries({"x": ANYTHING}, optional={"id": ANYTHING}), max_size=5)
)
def test_anything(raws: list[object]) -> None:
    """Anything at all is an item with finite numbers in 0..1, or is refused."""
    read = read_items(raws, SPEC)

    assert len(raws) == len(read)
    for item in read:
        if isinstance(item, Item):
            assert (1, 2, 2) == item.x.shape
            assert ((item.x >= 0) & (item.x <= 1)).all()
        else:
            assert str(item.error)
