"""The items of a frame, whichever way they were sent.

    items   a list of objects {id, x}       read one by one (`service.ingest.intake`), or, where every x is raw bytes
                                            of one type, all at once (`service.ingest.raw`)
    batch   ids, and all x in one buffer    read all at once

A bad item fails alone; a frame whose parts do not fit together (a buffer that is no whole number of rows, another
number of ids) is refused as a whole.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.inputs import InputSpec
from service.errors import InvalidBody
from service.ingest.intake import Refused, read_items
from service.ingest.protocol import Batch, Items
from service.ingest.raw import RAW_TYPES, read_raw
from service.records import Item

_FIELDS = frozenset({"id", "x"})


def count_items(message: Items | Batch, spec: InputSpec) -> int:
    """How many items a frame has.

    Raises:
        InvalidBody: The bytes of a batch are no whole number of items.
    """
    if isinstance(message, Items):
        return len(message.items)
    if spec.width is None:
        raise InvalidBody(f"this bundle takes no raw numbers; send {spec.describe()} as x of an item.")
    if message.n != spec.width:
        raise InvalidBody(f"n is {message.n}, and an item has {spec.width} values.")
    size = message.n * RAW_TYPES[message.dtype].itemsize
    if len(message.x) % size:
        raise InvalidBody(
            f"x has {len(message.x)} bytes, which is no whole number of items of {message.n} values of "
            f"{message.dtype}: send {size} for each."
        )
    return len(message.x) // size


def read_frame(message: Items | Batch, spec: InputSpec) -> list[Item | Refused]:
    """Each item or why it is refused, in order.

    Raises:
        InvalidBody: The parts of a batch do not fit together.
    """
    if isinstance(message, Items):
        return _read_items(message.items, spec)
    count = count_items(message, spec)
    return read_raw(message.x, count=count, dtype=message.dtype, spec=spec, ids=message.ids)


def _read_items(raws: list[Any], spec: InputSpec) -> list[Item | Refused]:
    """Objects. Raw bytes as x are numbers: read all at once where every item has them alike."""
    if spec.width is None or not any(_is_raw(raw) for raw in raws):
        return read_items(raws, spec)
    for dtype, kind in RAW_TYPES.items():
        size = spec.width * kind.itemsize
        if all(_is_raw(raw) and raw.keys() <= _FIELDS and len(raw["x"]) == size for raw in raws):
            x = b"".join([raw["x"] for raw in raws])
            ids: Sequence[object] = [raw.get("id") for raw in raws]
            return read_raw(x, count=len(raws), dtype=dtype, spec=spec, ids=ids)
    return read_items([_listed(raw, spec.width) if _is_raw(raw) else raw for raw in raws], spec)


def _is_raw(raw: Any) -> bool:  # noqa: ANN401 - whatever a client sent
    return isinstance(raw, dict) and isinstance(raw.get("x"), bytes)


def _listed(raw: dict[str, Any], width: int) -> dict[str, Any]:
    """The same item with its numbers as a list; bytes of a length that no type has are uint8, too few or too many."""
    is_float = len(raw["x"]) == width * RAW_TYPES["float32"].itemsize
    values = np.frombuffer(raw["x"], dtype=RAW_TYPES["float32" if is_float else "uint8"])
    return raw | {"x": values.tolist()}
