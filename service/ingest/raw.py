"""Many items in one buffer of raw numbers: the way in where no number is parsed.

    x[0][0] x[0][1] ... x[0][n-1]   x[1][0] ... x[1][n-1]   ...   x[B-1][n-1]        little-endian, nothing between

B rows of n values, n the numbers of one item in the order of the bundle's input (an image: channel, row, column), each
a uint8 or a float32 (IEEE 754). They are raw, in the range that GET /info tells, as in JSON: a row of 784 bytes 0..255
and a list of 784 numbers are the same item, to the bit.

All rows are checked and scaled at once, in four passes over the buffer at memory speed; rows of uint8 whose range is
0..255 need no check. Only where something is wrong are rows looked at one by one: a bad one is refused alone, by the
very check that reads an item from JSON, hence with its message. Items are views of the one array, so a payload that is
kept keeps the array.

What has no fixed number of numbers has no raw form: texts, and tables with a column of categories. In a table of
numbers NaN is a missing cell.
"""

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from model.inputs import InputSpec
from service.errors import InvalidBody, InvalidItem
from service.ingest.intake import Refused, read_id
from service.records import Float32s, Item

RawType = Literal["uint8", "float32"]

RAW_TYPES: dict[RawType, np.dtype[np.uint8] | np.dtype[np.float32]] = {
    "uint8": np.dtype(np.uint8),
    "float32": np.dtype("<f4"),
}
"""The types a raw value may have, and how they lie in memory."""

Buffer = bytes | bytearray | memoryview


def decode_raw(
    data: Buffer, *, count: int, dtype: RawType, spec: InputSpec
) -> tuple[Float32s, dict[int, InvalidItem]]:
    """Check and scale B rows.

    Args:
        data: `count` rows of the input's values, see the top of this file; not kept.
        count: B, at least 0.
        dtype: Of each value.
        spec: What the bundle takes.

    Returns:
        float32 (B, *shape), payloads; and for each bad row, by its place, why it is refused. What the array holds
        there means nothing.

    Raises:
        InvalidBody: The bundle takes no raw numbers, or the buffer has another size.
    """
    rows = rows_of(data, count=count, dtype=dtype, spec=spec)
    payloads, bad = spec.decode_rows(rows)
    return payloads, {place: InvalidItem(str(error)) for place, error in bad.items()}


def rows_of(data: Buffer, *, count: int, dtype: RawType, spec: InputSpec) -> NDArray[np.uint8 | np.float32]:
    """The buffer as (B, n), unchecked and not copied.

    Raises:
        InvalidBody: The bundle takes no raw numbers, or the buffer has another size.
    """
    width = spec.width
    if width is None:
        raise InvalidBody(f"This bundle takes no raw numbers; send {spec.describe()} as x.")
    kind = RAW_TYPES[dtype]
    have = memoryview(data).nbytes
    if have != count * width * kind.itemsize:
        raise InvalidBody(
            f"{count} items of {width} values of {dtype} are {count * width * kind.itemsize} bytes, and {have} came."
        )
    return cast("NDArray[np.uint8 | np.float32]", np.frombuffer(data, dtype=kind).reshape(count, width))


def read_raw(
    data: Buffer, *, count: int, dtype: RawType, spec: InputSpec, ids: Sequence[object] | None = None
) -> list[Item | Refused]:
    """Each row as an item, or why it is refused, in order.

    Args:
        data, count, dtype, spec: As for `decode_raw`.
        ids: One a row, or None where it has none; unchecked.

    Raises:
        InvalidBody: As `decode_raw`, or there is another number of ids.
    """
    if ids is not None and len(ids) != count:
        raise InvalidBody(f"{len(ids)} ids came for {count} items; send one for each, or none at all.")
    payloads, bad = decode_raw(data, count=count, dtype=dtype, spec=spec)
    return items_of(payloads, bad, ids)


def items_of(
    payloads: Float32s, bad: dict[int, InvalidItem], ids: Sequence[object] | None
) -> list[Item | Refused]:
    """Payloads as items: views, without a copy.

    Args:
        payloads: float32 (B, *shape).
        bad: Why rows are refused, by their place.
        ids: B ids or None, unchecked; an id that cannot be is a reason to refuse, too.
    """
    if ids is None and not bad:
        return [Item(id=None, x=x) for x in payloads]
    if ids is not None and not bad:
        try:
            return [Item(id=read_id(id), x=x) for id, x in zip(ids, payloads, strict=True)]
        except InvalidItem:  # one of them: which, is found below
            pass
    read: list[Item | Refused] = []
    for place, x in enumerate(payloads):
        id = None
        try:
            id = read_id(None if ids is None else ids[place])
            if place in bad:
                raise bad[place]
            read.append(Item(id=id, x=x))
        except InvalidItem as error:
            read.append(Refused(id, error.with_traceback(None)))
    return read
