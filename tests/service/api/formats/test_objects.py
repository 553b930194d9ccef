"""Items as objects: numbers, raw values, pictures; one thing at a time."""

import base64
from typing import Any

import numpy as np
import pytest

from service.api.formats.objects import fit_id, read_object
from service.api.formats.pictures import Picture
from service.ingest.intake import Refused
from service.records import Item
from tests.service.api.formats.sent import IMAGE, TEXT, png

PNG = png(np.zeros((4, 4), dtype=np.uint8))
TEXTUAL = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "item",
    [
        {"id": "a", "image": TEXTUAL},
        {"id": "a", "image": PNG},
        {"id": "a", "x": f"data:image/png;base64,{TEXTUAL}"},
        {"id": "a", "x": f"data:image/jpeg;base64,{TEXTUAL}"},
    ],
)
def test_pictures(item: dict[str, Any]) -> None:
    """In base64, as bytes, as a data: URL; what they are, their bytes tell."""
    assert Picture(id="a", data=PNG) == read_object(item, IMAGE)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"id": "a", "image": "no base64!"}, "not base64"),
        ({"id": "a", "image": TEXTUAL + "\n"}, "not base64"),
        ({"id": "a", "image": "é"}, "not base64"),
        ({"id": "a", "image": 5}, "must be a string"),
        ({"id": "a", "image": TEXTUAL, "x": [1]}, "no more than that and an id"),
        ({"id": "a", "x": f"data:image/gif;base64,{TEXTUAL}"}, "must start with data:image/png;base64,"),
        ({"id": "a", "x": "data:,"}, "must start with"),
        ({"id": "a", "x": f"data:image/png;base64,{TEXTUAL}", "y": 1}, "no more than that"),
        ({"id": "a", "x": "dat:"}, "got a string"),
        ({"id": "a", "x": b"abc"}, "got 3"),
    ],
)
def test_refused(item: dict[str, Any], message: str) -> None:
    """With its id, and what to send."""
    found = read_object(item, IMAGE)

    assert isinstance(found, Refused)
    assert "a" == found.id
    assert message in str(found.error)
    assert found.error.__traceback__ is None


def test_a_bad_id_of_a_picture() -> None:
    """Is not repeated."""
    found = read_object({"id": "~1", "image": TEXTUAL}, IMAGE)

    assert isinstance(found, Refused)
    assert found.id is None
    assert fit_id({}) is None
    assert "a" == fit_id("a")


def test_no_pictures_for_other_inputs() -> None:
    """A text that begins like a data: URL is a text, and an image is a field too many."""
    assert isinstance(read_object({"x": "data:image/png;base64,abc"}, TEXT), Item)
    assert "remove image" in str(read_object({"x": "a", "image": TEXTUAL}, TEXT).error)  # type: ignore[union-attr]


@pytest.mark.parametrize("raw", [None, 5, "x", [], {}, {1: 2}, {"x": None}])
def test_no_item_at_all(raw: Any) -> None:
    """Refused like everything else."""
    assert isinstance(read_object(raw, IMAGE), Refused)
