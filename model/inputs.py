"""From what a client sends to what the net eats.

One raw item is a flat list of numbers, a nested list, or a numpy array; the net eats a float32 array of a
fixed shape with every value in 0..1. The trainer and the service share this file, so an item can never be
scaled one way while a net is fitted and another way while it serves:

    raw value v in [minimum, maximum]   ──►   (v - minimum) / (maximum - minimum), computed in float32

An image has shape (C, H, W) and is accepted flat in that order, nested as (C, H, W), or nested as (H, W)
when it has one channel. A vector has shape (F,) and is flat.

Validation happens here, once, for one item at a time, before any batch is formed: a bad item fails alone.
Every refusal is an `InvalidInput` whose message says what to send and names the position of the first bad
value. The usual item, a flat list of Python numbers, is checked without a Python-level loop.

Example: for `InputSpec(kind="image", shape=(1, 2, 2), minimum=0, maximum=16)` the items `[0, 4, 8, 16]`,
`[[0, 4], [8, 16]]` and `[[[0, 4], [8, 16]]]` all decode to `[[[0.0, 0.25], [0.5, 1.0]]]`.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

_Number = int | float | np.integer[Any] | np.floating[Any]
_DIMENSIONS = {"image": 3, "vector": 1}


class InvalidInput(ValueError):  # a name of the shared contract; it reads as what happened
    """The item cannot be decoded. The message says what to send instead and may be shown to the sender."""


class InputSpec(pydantic.BaseModel):
    """What one item looks like before scaling.

    Attributes:
        kind: "image" or "vector".
        shape: (C, H, W) for an image, (F,) for a vector; every number at least 1.
        minimum: smallest raw value accepted; it becomes 0.0.
        maximum: largest raw value accepted; it becomes 1.0.

    Raises:
        pydantic.ValidationError: the shape does not fit the kind, or the range is empty or wider than
            float32.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["image", "vector"]
    shape: tuple[pydantic.PositiveInt, ...]
    minimum: float
    maximum: float

    @pydantic.model_validator(mode="after")
    def _holds_together(self) -> Self:
        if len(self.shape) != _DIMENSIONS[self.kind]:
            wanted = "(C, H, W)" if self.kind == "image" else "(F,)"
            raise ValueError(f"the shape of an {self.kind} input is {wanted}, not {self.shape}")
        with np.errstate(over="ignore"):
            width = np.float32(self.maximum) - np.float32(self.minimum)
        if not (math.isfinite(width) and width > 0):
            raise ValueError(
                f"maximum ({self.maximum}) must exceed minimum ({self.minimum}), both float32 values"
            )
        return self

    @property
    def size(self) -> int:
        """How many numbers one item has: the product of `shape`."""
        return math.prod(self.shape)


def decode_item(x: object, spec: InputSpec) -> NDArray[np.float32]:
    """Check one raw item and scale it.

    Args:
        x: a flat list of `spec.size` numbers, a list nested as `spec.shape` (or (H, W) when C is 1), or a
            numpy array of one of these shapes with an integer or floating dtype.
        spec: what the net was fitted to.

    Returns:
        float32 `spec.shape`, values in 0..1, contiguous, sharing no memory with `x`.

    Raises:
        InvalidInput: anything else, such as strings, booleans, null, NaN, infinities, a wrong count or
            nesting, ragged rows, or a value outside [minimum, maximum].
    """
    values, layout = _from_array(x, spec) if isinstance(x, np.ndarray) else _from_list(x, spec)
    accepted = (values >= spec.minimum) & (values <= spec.maximum)  # false for NaN too
    if not accepted.all():
        first = int(accepted.argmin())
        raise _bad_value(values[first], first, layout, spec)
    return scale(values.reshape(spec.shape), spec)


def scale(raw: NDArray[Any], spec: InputSpec) -> NDArray[np.float32]:
    """Scale raw values the way `decode_item` does, without checking them: for data sets, whole at a time.

    Args:
        raw: any numeric dtype and any shape, values in [minimum, maximum].
        spec: gives the range.

    Returns:
        float32, the shape of `raw`, values in 0..1.
    """
    low = np.float32(spec.minimum)
    scaled = np.array(raw, dtype=np.float32)
    scaled -= low
    scaled /= np.float32(spec.maximum) - low
    return scaled


def example_item(spec: InputSpec) -> list[float]:
    """Return a flat item that `decode_item` accepts, rising evenly from minimum to maximum."""
    steps = max(spec.size - 1, 1)
    ramp = (spec.minimum * (1 - i / steps) + spec.maximum * (i / steps) for i in range(spec.size))
    return [min(max(round(value, 3), spec.minimum), spec.maximum) for value in ramp]


def _layouts(spec: InputSpec) -> dict[int, tuple[int, ...]]:
    """Return the accepted shapes of an item by their nesting depth."""
    layouts = {1: (spec.size,), len(spec.shape): spec.shape}
    if spec.kind == "image" and spec.shape[0] == 1:
        layouts[2] = spec.shape[1:]
    return layouts


def _from_array(x: NDArray[Any], spec: InputSpec) -> tuple[NDArray[Any], tuple[int, ...]]:
    if x.dtype.kind not in "iuf":
        raise _wrong(spec, f"an array of {x.dtype}")
    if x.shape != _layouts(spec).get(x.ndim):
        raise _wrong(spec, f"an array of shape {x.shape}")
    return x.reshape(-1), x.shape


def _from_list(x: object, spec: InputSpec) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    if not isinstance(x, list | tuple):
        raise _wrong(spec, _kind_of(x))
    layouts = _layouts(spec)
    depth = _depth(x, at_most=max(layouts) + 1)
    if depth not in layouts:
        levels = f"more than {max(layouts)}" if depth > max(layouts) else str(depth)
        raise _wrong(spec, f"lists nested {levels} deep")
    layout = layouts[depth]
    flat = _flatten(x, layout, "x", spec)
    if set(map(type, flat)) <= {int, float}:
        try:
            return np.array(flat, dtype=np.float64), layout
        except OverflowError:
            pass  # an integer no float can hold: found and named below
    return np.array([_number(v, i, layout, spec) for i, v in enumerate(flat)], dtype=np.float64), layout


def _depth(x: object, *, at_most: int) -> int:
    """Count how deep the first leaf lies, looking no further than asked: senders may nest without end."""
    depth = 0
    while isinstance(x, list | tuple) and depth < at_most:
        depth += 1
        x = x[0] if x else None
    return depth


def _flatten(x: object, layout: tuple[int, ...], where: str, spec: InputSpec) -> Sequence[object]:
    """Check that `x` is nested as `layout` and return its leaves in order; the leaves are not looked at."""
    if not isinstance(x, list | tuple):
        raise _wrong(spec, f"{_kind_of(x)} at {where}, where a list of {layout[0]} is needed")
    if len(x) != layout[0]:
        got = _count(len(x), "number") if len(layout) == 1 else _count(len(x), "list")
        raise _wrong(spec, got if where == "x" else f"{got} at {where}, where {layout[0]} are needed")
    if len(layout) == 1:
        return x
    leaves: list[object] = []
    for i, row in enumerate(x):
        leaves.extend(_flatten(row, layout[1:], f"{where}[{i}]", spec))
    return leaves


def _number(value: object, index: int, layout: tuple[int, ...], spec: InputSpec) -> float:
    """Return one leaf as a float, checked for type and range so that the first bad value is the one named."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise _wrong(spec, f"{_kind_of(value)} at {_position(index, layout)}")
    if not spec.minimum <= value <= spec.maximum:
        raise _bad_value(value, index, layout, spec)
    return float(value)


def _bad_value(value: _Number, index: int, layout: tuple[int, ...], spec: InputSpec) -> InvalidInput:
    return _wrong(spec, f"{_shown(value)} at {_position(index, layout)}")


def _wrong(spec: InputSpec, got: str) -> InvalidInput:
    image = f"an image of {'x'.join(map(str, spec.shape))}, flat or nested"
    what = image if spec.kind == "image" else "a flat list"
    bounds = f"from {_shown(spec.minimum)} to {_shown(spec.maximum)}"
    return InvalidInput(f"x must be {_count(spec.size, 'number')} ({what}), each {bounds}; got {got}.")


def _position(index: int, layout: tuple[int, ...]) -> str:
    return "x" + "".join(f"[{i}]" for i in np.unravel_index(index, layout))


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _shown(value: _Number) -> str:
    """Show a number shortly: 16 for 16.0, and never the digits of an integer of thousands of digits."""
    if isinstance(value, int | np.integer):
        return str(value) if abs(int(value)) < 10**18 else "an integer of more than 18 digits"
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _kind_of(value: object) -> str:
    """Name what was sent in the words of JSON; never its content, which may be hostile or huge."""
    if value is None:
        return "null"
    if isinstance(value, bool | np.bool_):
        return "a boolean"
    if isinstance(value, int | float | np.integer | np.floating):
        return "a single number"
    names: dict[type, str] = {
        str: "a string",
        bytes: "bytes",
        dict: "an object",
        list: "a list",
        tuple: "a list",
    }
    return names.get(type(value), f"a {type(value).__name__}")
