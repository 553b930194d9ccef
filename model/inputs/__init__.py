"""From what a client sends to what the net eats, for every kind of input.

    image    numbers of shape (C, H, W) in a known range     payload: float32 (C, H, W) in 0..1
    vector   F numbers in a known range                      payload: float32 (F,) in 0..1
    text     a string                                        payload: str, normalised
    table    an object of numbers and categories             payload: float32 (F,), a code a column

`InputSpec` is any of them; a manifest tells them apart by `kind`. Validation happens here, once, for one item
at a time, before any batch is formed: a bad item fails alone. Every refusal is an `InvalidInput` whose
message says what to send. `model/inputs/kind.py` has the words (raw item, payload, column) and what a new
kind must bring.
"""

from typing import Annotated

import pydantic

from model.inputs.image import ImageInput
from model.inputs.kind import Column, InvalidInput, Kind, Payload, Payloads
from model.inputs.numeric import NumericInput
from model.inputs.table import TableColumn, TableInput
from model.inputs.text import TextInput
from model.inputs.vector import VectorInput

__all__ = [
    "Column",
    "ImageInput",
    "InputSpec",
    "InvalidInput",
    "Kind",
    "NumericInput",
    "Payload",
    "Payloads",
    "TableColumn",
    "TableInput",
    "TextInput",
    "VectorInput",
    "decode_item",
    "describe",
    "example_item",
    "scale",
]

InputSpec = Annotated[ImageInput | VectorInput | TextInput | TableInput, pydantic.Field(discriminator="kind")]
"""What one raw item looks like: one of the kinds."""


def decode_item(x: object, spec: InputSpec) -> Payload:
    """Check one raw item and decode it.

    Args:
        x: what a client sent.
        spec: what the net was fitted to.

    Returns:
        its payload, sharing no memory with `x`.

    Raises:
        InvalidInput: `x` is no such item.
    """
    return spec.decode(x)


def scale(column: Column, spec: InputSpec) -> Payloads:
    """Decode a data set's raw items the way `decode_item` does one, without checking them, whole at a time."""
    return spec.decode_column(column)


def example_item(spec: InputSpec) -> pydantic.JsonValue:
    """Return a raw item that `decode_item` accepts."""
    return spec.example()


def describe(spec: InputSpec) -> str:
    """Say in words what to send as `x`, to follow "send"."""
    return spec.describe()
