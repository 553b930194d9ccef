"""Which arrays go raw, and that they are the same numbers as JSON."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.client.dense import Form, as_json, form_of, goes_in_a_header


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.zeros((8, 8), dtype=np.uint8), Form("uint8", (8, 8), 64)),
        (np.zeros(64, dtype="<f4"), Form("float32", (64,), 64)),
        (np.zeros((8, 16), dtype=np.uint8)[:, ::2], Form("uint8", (8, 8), 64)),
        (np.zeros(64, dtype=">f4"), None),
        (np.zeros(64, dtype=np.float64), None),
        (np.zeros(64, dtype=np.int64), None),
        (np.zeros(0, dtype=np.uint8), None),
        (np.float32(3), None),
        (SimpleNamespace(dtype="float32", shape=(1,), size=1), None),
        ([0, 1], None),
        ("text", None),
    ],
)
def test_what_goes_raw(x: Any, expected: Form | None) -> None:
    """The two types that the service reads; everything else is written as numbers."""
    assert expected == form_of(x)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_as_json_it_has_the_same_numbers(dtype: Any) -> None:
    """To the bit, in the order of the array, whatever lies where in memory."""
    x = (np.arange(12) * 1.37).astype(dtype).reshape(4, 3).T
    form = form_of(x)
    assert form is not None
    said = json.loads(as_json("a", x.tobytes(), form))

    assert "a" == said["id"]
    assert (x.ravel() == np.array(said["x"], dtype=dtype)).all()


def test_nan_is_no_number() -> None:
    """It is what a cell that is missing is."""
    x = np.array([1, np.nan], dtype=np.float32)

    assert {"id": "a", "x": [1.0, None]} == json.loads(as_json("a", x.tobytes(), Form("float32", (2,), 2)))


@pytest.mark.parametrize(
    ("id", "expected"), [("a-1", True), ("a, b%", True), ("", False), ("\n", False), ("ü", False), (7, False)]
)
def test_ids_beside_raw_numbers(id: object, expected: bool) -> None:
    """Others have to be JSON."""
    assert expected is goes_in_a_header(id)
