import json
from typing import Any

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.inputs import ImageInput, InvalidInput, NumericInput, VectorInput, decode_item, example_item, scale

SMALL = ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)
DIGIT = ImageInput(shape=(1, 8, 8), minimum=0, maximum=16)

specs = st.one_of(
    st.tuples(st.just("image"), st.tuples(*[st.integers(1, 4)] * 3)),
    st.tuples(st.just("vector"), st.tuples(st.integers(1, 20))),
).flatmap(
    lambda form: st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(1e-3, 1e6)).map(
        lambda bounds: {"image": ImageInput, "vector": VectorInput}[form[0]](
            shape=form[1], minimum=bounds[0], maximum=bounds[0] + bounds[1] + 1
        )
    )
)


@pytest.mark.parametrize(
    "item",
    [
        [0, 4, 8, 16],
        [0.0, 4.0, 8, 16],
        (0, 4, 8, 16),
        [[0, 4], [8, 16]],
        [[[0, 4], [8, 16]]],
        ((0, 4), [8, 16]),
        [np.float32(0), np.int64(4), 8, 16],
        np.array([0, 4, 8, 16]),
        np.array([[0, 4], [8, 16]], dtype=np.uint8),
        np.array([[[0, 4], [8, 16]]], dtype=np.float64),
    ],
)
def test_accepted_forms_decode_alike(item: object) -> None:
    """Flat, nested, tuples, numpy: the same item, the same array."""
    expected = np.array([[[0, 0.25], [0.5, 1]]], dtype=np.float32)

    np.testing.assert_array_equal(expected, decode_item(item, SMALL), strict=True)


def test_the_result_is_the_callers_own() -> None:
    """Changing what was decoded changes nothing that was sent."""
    item = np.zeros((1, 2, 2), dtype=np.float32)
    decode_item(item, SMALL)[:] = 1

    assert not item.any()


@pytest.mark.parametrize(
    ("item", "got"),
    [
        ([0] * 63, "63 numbers"),
        ([], "0 numbers"),
        ([[0] * 8] * 7, "7 lists"),
        ([[0] * 8] * 7 + [[0] * 7], "7 numbers at x[7], where 8 are needed"),
        ([[0] * 8] * 7 + [5], "a single number at x[7], where a list of 8 is needed"),
        ([[[0] * 8] * 8] * 2, "2 lists"),
        ([[[[0]]]], "lists nested more than 3 deep"),
        ([0] * 5 + [[0]] + [0] * 58, "a list at x[5]"),
        ([0] * 5 + [True] + [0] * 58, "a boolean at x[5]"),
        ([True] * 64, "a boolean at x[0]"),
        ([0] * 5 + [np.True_] + [0] * 58, "a boolean at x[5]"),
        ([0] * 5 + ["1"] + [0] * 58, "a string at x[5]"),
        ([0] * 5 + [None] + [0] * 58, "null at x[5]"),
        ([0] * 5 + [{}] + [0] * 58, "an object at x[5]"),
        ([0] * 5 + [1j] + [0] * 58, "a complex at x[5]"),
        ([0] * 5 + [float("nan")] + [99] * 58, "nan at x[5]"),
        ([0] * 5 + [float("-inf")] + [0] * 58, "-inf at x[5]"),
        ([0] * 5 + [16.5, 99] + [0] * 57, "16.5 at x[5]"),
        ([0] * 5 + [-1] + [0] * 58, "-1 at x[5]"),
        ([0] * 5 + [99, None] + [0] * 57, "99 at x[5]"),
        ([0] * 5 + [10**400] + [0] * 58, "an integer of more than 18 digits at x[5]"),
        ([0] * 5 + [10**20] + [0] * 58, "1e+20 at x[5]"),
        ([[0] * 8] * 3 + [[0, 0, 17, 0, 0, 0, 0, 0]] + [[0] * 8] * 4, "17 at x[3][2]"),
        ([[[0] * 8] * 7 + [[0] * 7 + [None]]], "null at x[0][7][7]"),
        ("0" * 64, "a string"),
        (b"0" * 64, "bytes"),
        (None, "null"),
        (True, "a boolean"),
        (7, "a single number"),
        ({"x": [0] * 64}, "an object"),
        (np.zeros((1, 8, 8), dtype=bool), "an array of bool"),
        (np.array(["0"] * 64), "an array of <U1"),
        (np.array([None] * 64), "an array of object"),
        (np.zeros((8, 8, 1)), "an array of shape (8, 8, 1)"),
        (np.float64(3), "a single number"),
        (np.array(3.0), "an array of shape ()"),
        (np.full((8, 8), np.nan), "nan at x[0][0]"),
        (np.full((8, 8), 300, dtype=np.uint16), "300 at x[0][0]"),
    ],
)
def test_anything_else_is_refused(item: object, got: str) -> None:
    """Every refusal says what to send, what came, and where the first bad value is."""
    with pytest.raises(InvalidInput) as refused:
        decode_item(item, DIGIT)

    form = "x must be 64 numbers (an image of 1x8x8, flat or nested), each from 0 to 16; got "
    assert f"{form}{got}." == str(refused.value)


def test_endless_nesting_is_not_followed() -> None:
    """A list nested a hundred thousand deep is refused without looking further than a level too many."""
    item: list[Any] = []
    for _ in range(100_000):
        item = [item]

    with pytest.raises(InvalidInput, match="nested more than 3 deep"):
        decode_item(item, DIGIT)


@given(spec=specs)
def test_the_example_is_accepted(spec: NumericInput) -> None:
    """The example for documents is a flat list of the right size that decodes, also after JSON."""
    example = example_item(spec)
    decoded = decode_item(json.loads(json.dumps(example)), spec)

    assert spec.size == len(example)
    assert spec.shape == decoded.shape


@given(spec=specs, data=st.data())
def test_decoding_scales_into_the_unit_range(spec: NumericInput, data: st.DataObject) -> None:
    """Values land in 0..1, in order, the ends exactly, and as a whole data set scales them."""
    values = data.draw(
        st.lists(st.floats(spec.minimum, spec.maximum), min_size=spec.size, max_size=spec.size)
    )
    values[0] = spec.minimum
    decoded = decode_item(values, spec)

    assert np.float32 == decoded.dtype
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    assert decoded.reshape(-1)[0] == 0
    assert (np.diff(decoded.reshape(-1)[np.argsort(values)]) >= 0).all()
    assert decode_item([spec.maximum] * spec.size, spec).min() == 1
    np.testing.assert_array_equal(
        scale(np.array([values, values], dtype=np.float32).reshape(2, *spec.shape), spec)[1],
        decoded,
        strict=True,
    )


@given(
    item=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=12,
    )
)
def test_any_json_decodes_or_is_refused(item: object) -> None:
    """No JSON value raises anything but InvalidInput, and what is accepted is whole, finite and in range."""
    try:
        decoded = decode_item(item, SMALL)
    except InvalidInput:
        return

    assert decoded.shape == (1, 2, 2)
    assert ((decoded >= 0) & (decoded <= 1)).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (8, 8)},
        {"shape": (1, 0, 8)},
        {"shape": ()},
        {"minimum": 16.0},
        {"minimum": 17.0},
        {"minimum": float("nan")},
        {"maximum": float("inf")},
        {"maximum": 1e39},
        {"minimum": -3e38, "maximum": 3e38},
        {"minimum": 1e9, "maximum": 1e9 + 1},
        {"dtype": "float32"},
    ],
)
def test_a_spec_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """A shape that does not fit its kind, a range that float32 cannot hold, a field nobody knows."""
    with pytest.raises(pydantic.ValidationError):
        ImageInput(**{"shape": (1, 8, 8), "minimum": 0.0, "maximum": 16.0, **wrong})


@given(spec=specs, data=st.data())
def test_an_item_of_a_column_goes_out_as_it_comes_in(spec: NumericInput, data: st.DataObject) -> None:
    """What a client would send for an item of a data set decodes to what the trainer fitted on, to the bit."""
    value = st.floats(float(np.float32(spec.minimum)), float(np.float32(spec.maximum)), width=32)
    values = data.draw(st.lists(value, min_size=spec.size, max_size=spec.size))
    column = np.array(values, dtype=np.float32).reshape(1, *spec.shape).clip(spec.minimum, spec.maximum)
    sent = json.loads(json.dumps(spec.raw_item(column[0])))

    if spec.column_problem(column) is None:
        np.testing.assert_array_equal(scale(column, spec)[0], decode_item(sent, spec), strict=True)


@given(data=st.data(), spec=specs)
def test_rows_are_decoded_as_items_one_by_one(data: st.DataObject, spec: NumericInput) -> None:
    """To the bit, and with the same refusals in their places."""
    values = st.floats(spec.minimum - 1, spec.maximum + 1) | st.sampled_from([np.nan, np.inf])
    rows = data.draw(st.lists(st.lists(values, min_size=spec.size, max_size=spec.size), max_size=3))
    x = np.array(rows, dtype=data.draw(st.sampled_from([np.float32, np.float64]))).reshape(-1, spec.size)
    payloads, bad = spec.decode_rows(x)

    assert (len(x), *spec.shape) == payloads.shape
    for place, row in enumerate(x):
        if place in bad:
            with pytest.raises(InvalidInput) as refusal:
                spec.decode(row)
            assert str(refusal.value) == str(bad[place])
        else:
            np.testing.assert_array_equal(spec.decode(row), payloads[place])
