import numpy as np
import pydantic
import pytest

from model.inputs import InvalidInput, VectorInput, decode_item, describe

VECTOR = VectorInput(shape=(3,), minimum=-1, maximum=1)


def test_a_vector_is_flat() -> None:
    """A vector has one form, and its refusal says so."""
    with pytest.raises(InvalidInput, match=r"3 numbers \(a flat list\).*; got lists nested more than 1 deep"):
        decode_item([[0, 0, 0]], VECTOR)
    with pytest.raises(InvalidInput, match=r"got -1.5 at x\[1\]"):
        decode_item([0, -1.5, 0], VECTOR)

    np.testing.assert_array_equal(np.array([0, 0.5, 1], np.float32), decode_item([-1, 0, 1], VECTOR))


def test_in_words() -> None:
    """What to send, and what the input is."""
    assert "3 numbers from -1 to 1 (a flat list)" == describe(VECTOR)
    assert "vector of 3 numbers, each from -1 to 1" == VECTOR.summary()


def test_a_vector_has_one_dimension() -> None:
    """Another shape is refused with the one there is."""
    with pytest.raises(pydantic.ValidationError, match=r"a vector input is \(F,\), not \(1, 3\)"):
        VectorInput(shape=(1, 3), minimum=0, maximum=1)
