"""Numbers in a known range, the part that images and vectors share.

    raw value v in [minimum, maximum]   ──►   (v - minimum) / (maximum - minimum), computed in float32

One raw item is a flat list of numbers, a nested list, or a numpy array; its payload is a float32 array of a
fixed shape with every value in 0..1. The trainer and the service share this file, so an item can never be
scaled one way while a net is fitted and another way while it serves.

Every refusal is an `InvalidInput` whose message says what to send and names the position of the first bad
value. The usual item, a flat list of Python numbers, is checked without a Python-level loop.
"""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from model.inputs.kind import Column, InvalidInput, Kind, count, kind_of

_Number = int | float | np.integer[Any] | np.floating[Any]


class NumericInput(Kind):
    """An array of numbers of one shape.

    Attributes:
        shape: of one item, every number at least 1.
        minimum: smallest raw value accepted; it becomes 0.0.
        maximum: largest raw value accepted; it becomes 1.0.

    Raises:
        pydantic.ValidationError: the range is empty or wider than float32.
    """

    shape: tuple[pydantic.PositiveInt, ...]
    minimum: float
    maximum: float

    @pydantic.model_validator(mode="after")
    def _has_a_range(self) -> Self:
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

    @property
    def width(self) -> int:
        """The numbers."""
        return self.size

    @property
    def most_values(self) -> int:
        """The numbers, and a list around every few of them: four a number are plenty."""
        return 4 * self.size

    def layouts(self) -> dict[int, tuple[int, ...]]:
        """Return the accepted shapes of an item by their nesting depth."""
        return {1: (self.size,), len(self.shape): self.shape}

    def form(self) -> str:
        """Say in words how the numbers are laid out."""
        raise NotImplementedError

    def decode(self, x: object) -> NDArray[np.float32]:
        """Check one raw item and scale it.

        Args:
            x: a flat list of `size` numbers, a list nested as one of `layouts`, or a numpy array of one of
                these shapes with an integer or floating dtype.

        Returns:
            float32 `shape`, values in 0..1, contiguous, sharing no memory with `x`.

        Raises:
            InvalidInput: anything else, such as strings, booleans, null, NaN, infinities, a wrong count or
                nesting, ragged rows, or a value outside [minimum, maximum].
        """
        values, layout = _from_array(x, self) if isinstance(x, np.ndarray) else _from_list(x, self)
        accepted = (values >= self.minimum) & (values <= self.maximum)  # false for NaN too
        if not accepted.all():
            first = int(accepted.argmin())
            raise _bad_value(values[first], first, layout, self)
        return self.decode_column(values.reshape(self.shape))

    def decode_rows(self, rows: NDArray[Any]) -> tuple[NDArray[np.float32], dict[int, InvalidInput]]:
        """Check and scale flat items (B, size) at once, see `Kind.decode_rows`."""
        bad: dict[int, InvalidInput] = {}
        if rows.size and not self._holds(rows):
            accepted = ((rows >= self.minimum) & (rows <= self.maximum)).all(axis=1)
            for place in np.flatnonzero(~accepted).tolist():
                try:
                    self.decode(rows[place])
                except InvalidInput as error:
                    bad[place] = error
        with np.errstate(over="ignore", invalid="ignore"):  # in a bad row
            return self.decode_column(rows).reshape(-1, *self.shape), bad

    def _holds(self, rows: NDArray[Any]) -> bool:
        """Whether every value is in the range; false for NaN, which numpy's minimum passes on."""
        if rows.dtype == np.uint8 and self.minimum <= 0 and self.maximum >= 255:
            return True
        return bool(rows.min() >= self.minimum and rows.max() <= self.maximum)

    def decode_column(self, column: Column) -> NDArray[np.float32]:
        """Scale raw values, unchecked: any numeric dtype and any shape -> float32 of that shape, in 0..1."""
        low = np.float32(self.minimum)
        scaled = np.array(column, dtype=np.float32)
        scaled -= low
        scaled /= np.float32(self.maximum) - low
        return scaled

    def column_problem(self, column: Column) -> str | None:
        """Say why `column` is not float32 (N, *shape) within the range."""
        shape = (len(column), *self.shape)
        if column.dtype != np.float32 or column.shape != shape:
            return f"x must be float32 {shape}, not {column.dtype} {column.shape}"
        low, high = float(column.min(initial=self.maximum)), float(column.max(initial=self.minimum))
        if not self.minimum <= low <= high <= self.maximum and len(column) > 0:
            return f"its values must lie in {self.minimum}..{self.maximum}, not {low}..{high}"
        return None

    def raw_item(self, value: NDArray[Any]) -> pydantic.JsonValue:
        """Return one item as a flat list."""
        flat: list[pydantic.JsonValue] = value.ravel().tolist()
        return flat

    def example(self) -> list[pydantic.JsonValue]:
        """Return a flat item, rising evenly from minimum to maximum."""
        steps = max(self.size - 1, 1)
        ramp = (self.minimum * (1 - i / steps) + self.maximum * (i / steps) for i in range(self.size))
        return [min(max(round(value, 3), self.minimum), self.maximum) for value in ramp]

    def summary(self) -> str:
        """Return kind, shape and range."""
        return f"{'x'.join(map(str, self.shape))} numbers, each from {self.minimum:g} to {self.maximum:g}"


def _from_array(x: NDArray[Any], spec: NumericInput) -> tuple[NDArray[Any], tuple[int, ...]]:
    if x.dtype.kind not in "iuf":
        raise _wrong(spec, f"an array of {x.dtype}")
    if x.shape != spec.layouts().get(x.ndim):
        raise _wrong(spec, f"an array of shape {x.shape}")
    return x.reshape(-1), x.shape


def _from_list(x: object, spec: NumericInput) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    if not isinstance(x, list | tuple):
        raise _wrong(spec, kind_of(x))
    layouts = spec.layouts()
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


def _flatten(x: object, layout: tuple[int, ...], where: str, spec: NumericInput) -> Sequence[object]:
    """Check that `x` is nested as `layout` and return its leaves in order; the leaves are not looked at."""
    if not isinstance(x, list | tuple):
        raise _wrong(spec, f"{kind_of(x)} at {where}, where a list of {layout[0]} is needed")
    if len(x) != layout[0]:
        got = count(len(x), "number") if len(layout) == 1 else count(len(x), "list")
        raise _wrong(spec, got if where == "x" else f"{got} at {where}, where {layout[0]} are needed")
    if len(layout) == 1:
        return x
    leaves: list[object] = []
    for i, row in enumerate(x):
        leaves.extend(_flatten(row, layout[1:], f"{where}[{i}]", spec))
    return leaves


def _number(value: object, index: int, layout: tuple[int, ...], spec: NumericInput) -> float:
    """Return one leaf as a float, checked for type and range so that the first bad value is the one named."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise _wrong(spec, f"{kind_of(value)} at {_position(index, layout)}")
    if not spec.minimum <= value <= spec.maximum:
        raise _bad_value(value, index, layout, spec)
    return float(value)


def _bad_value(value: _Number, index: int, layout: tuple[int, ...], spec: NumericInput) -> InvalidInput:
    return _wrong(spec, f"{_shown(value)} at {_position(index, layout)}")


def _wrong(spec: NumericInput, got: str) -> InvalidInput:
    bounds = f"from {_shown(spec.minimum)} to {_shown(spec.maximum)}"
    return InvalidInput(f"x must be {count(spec.size, 'number')} ({spec.form()}), each {bounds}; got {got}.")


def _position(index: int, layout: tuple[int, ...]) -> str:
    return "x" + "".join(f"[{i}]" for i in np.unravel_index(index, layout))


def _shown(value: _Number) -> str:
    """Show a number shortly: 16 for 16.0, and never the digits of an integer of thousands of digits."""
    if isinstance(value, int | np.integer):
        return str(value) if abs(int(value)) < 10**18 else "an integer of more than 18 digits"
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
