"""What every kind of input promises, so that the trainer and the service need not ask which one it is.

    raw item (JSON) ──decode──► payload ──Network.collate──► batch ──Network.layers──► embedding

A *raw item* is what a client sends as `x`: numbers, a text, a row of a table. A *payload* is the item checked
and decoded, ready to wait in a queue: a float32 array, or a `str`. A *column* is a whole data set's raw items
as one numpy array, item after item along its first axis.

To add a kind: one file with one subclass of `Kind` that has a `kind: Literal[...]` field of its own, and one
line in `model/inputs/__init__.py`. All that is particular to it, wording included, stands beside it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray

Payload = NDArray[np.float32] | str
"""One decoded item: float32 of the input's shape, or a text."""

Payloads = NDArray[np.float32] | Sequence[Payload]
"""Several, all of one kind: a list of payloads, or float32 (N, *shape)."""

Column = NDArray[Any]
"""A data set's raw items: (N, *shape) of numbers, or (N,) of numpy's StringDType for texts."""


class InvalidInput(ValueError):  # a name of the shared contract; it reads as what happened
    """The item cannot be decoded. The message says what to send instead and may be shown to the sender."""


class Kind(pydantic.BaseModel):
    """What one raw item looks like. Frozen, and part of a bundle's manifest as it is."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def most_values(self) -> int:
        """How many JSON values the `x` of a sound item has at most; one with far more is not even parsed."""
        raise NotImplementedError

    @property
    def width(self) -> int | None:
        """How many numbers each item is, in a fixed order; None where it is anything else."""
        return None

    def decode(self, x: object) -> Payload:
        """Check one raw item and decode it.

        Raises:
            InvalidInput: it is not such an item; the message says what to send.
        """
        raise NotImplementedError

    def decode_rows(self, rows: NDArray[Any]) -> tuple[NDArray[np.float32], dict[int, InvalidInput]]:
        """Check and decode many raw items at once, of a kind that has a `width`: to the bit what `decode` gives.

        Args:
            rows: (B, width) of numbers, uint8 or floating; not changed, and not kept.

        Returns:
            float32 (B, *shape), and for each bad row, by its place, the refusal `decode` has for it.
        """
        raise NotImplementedError

    def decode_column(self, column: Column) -> Payloads:
        """Decode a data set's raw items, whole at a time and unchecked: to the bit what `decode` gives."""
        raise NotImplementedError

    def column_problem(self, column: Column) -> str | None:
        """Say why `column` does not hold such items, or None where it does."""
        raise NotImplementedError

    def raw_item(self, value: Any) -> pydantic.JsonValue:  # noqa: ANN401  # what indexing a column gives
        """Return one item of a column as a client would send it."""
        raise NotImplementedError

    def example(self) -> pydantic.JsonValue:
        """Return a raw item that `decode` accepts, for people to look at."""
        raise NotImplementedError

    def describe(self) -> str:
        """Say in words what to send as `x`, to follow "send"."""
        raise NotImplementedError

    def summary(self) -> str:
        """Say in a few words what the input is, for a table."""
        raise NotImplementedError


def kind_of(value: object) -> str:
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


def count(n: int, noun: str) -> str:
    """Count things in words: "1 number", "2 numbers"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
