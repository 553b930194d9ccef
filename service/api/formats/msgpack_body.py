"""MessagePack: the same objects as JSON, and raw values as bytes.

    {"items": [{"id": "a", "x": <784 bytes>}, ...]}       the fast way: all of them checked and scaled at once
    {"items": [{"id": "a", "x": [0, 0, 5, 13]}, ...]}     as JSON

An empty list is one byte here and 56 in memory. So, as with JSON, items are found and counted before any is decoded,
each is decoded on its own, and one whose bytes are more than a sound item could have is refused undecoded.
"""

import asyncio
from collections.abc import Iterable
from typing import cast

import msgspec

from model.inputs import ImageInput, InputSpec, describe
from service.api.formats.head import Head, Limits
from service.api.formats.item_list import ItemList
from service.api.formats.objects import Read, read_object
from service.errors import InvalidBody, InvalidItem
from service.ingest.intake import Refused
from service.ingest.raw import RAW_TYPES, RawType, read_raw

_BODY = 'Send the MessagePack of {"items": [{"id": "a", "x": [...]}, ...]} or of one item {"id": "a", "x": [...]}.'

_BYTES_A_TURN = 32 * 1024
_BYTES_A_VALUE = 3
"""`most_values` allows four values a number; a float64 and its share of list heads take ten bytes of those."""
_SPARE_BYTES = 64 * 1024

_ARRAYS = frozenset([*range(0x90, 0xA0), 0xDC, 0xDD])
"""First bytes of an array."""

_STRINGS = frozenset([*range(0xA0, 0xC0), 0xC0, 0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB])
"""... and of a string, bytes, or nil."""


class _PictureItem(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    x: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    image: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_items = ItemList(msgspec.msgpack.Decoder)

_picture_item = msgspec.msgpack.Decoder(_PictureItem)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, ValueError, OverflowError)
"""What msgspec raises on bytes that are no MessagePack, on keys that cannot be and on times out of range."""


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    x: bytes
    id: str | None = None


class _Rows(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    items: list[_Row]


_rows_decoder = msgspec.msgpack.Decoder(_Rows)


async def read_msgpack(
    body: bytearray, _head: Head, spec: InputSpec, limits: Limits
) -> tuple[list[Read], bool]:
    """The items of a body, and whether it was one item on its own.

    Raises:
        InvalidBody: It is not MessagePack, or not of the form.
        BodyTooLarge: More items than may be.
    """
    raws, is_single = _split_items(body, max_items=limits.max_items)
    if not is_single and (rows := _rows(body, spec)) is not None:
        return rows, False
    return await _read_each(raws, spec), is_single


def _rows(body: bytearray, spec: InputSpec) -> list[Read] | None:
    """All items at once where each is raw values of one type; None where they are not."""
    width = spec.width
    if width is None:
        return None
    try:
        items = _rows_decoder.decode(body).items
    except _UNREADABLE:
        return None
    sizes = {len(item.x) for item in items}
    for name, kind in RAW_TYPES.items():
        if sizes == {width * kind.itemsize}:
            return _joined(items, name, spec)
    return None


def _joined(items: list[_Row], dtype: RawType, spec: InputSpec) -> list[Read]:
    data = b"".join([item.x for item in items])
    return cast(
        "list[Read]",
        read_raw(data, count=len(items), dtype=dtype, spec=spec, ids=[item.id for item in items]),
    )


def _split_items(body: bytearray, *, max_items: int) -> tuple[list[msgspec.Raw], bool]:
    try:
        items = _items.listed(body)
        if items is msgspec.UNSET:
            return [msgspec.Raw(body)], True
        if items is not None and memoryview(items)[0] in _ARRAYS:
            return _items.split(items, max_items=max_items), False
    except msgspec.ValidationError:
        raise InvalidBody(f"The body must be a map. {_BODY}") from None
    except _UNREADABLE as error:
        raise _not_msgpack(error) from None
    raise InvalidBody(f"items must be an array, alone in the body. {_BODY}")


async def _read_each(raws: Iterable[msgspec.Raw], spec: InputSpec) -> list[Read]:
    read: list[Read] = []
    since = 0
    for raw in raws:
        data = bytes(raw)
        read.append(_read_one(data, spec))
        since += len(data)
        if since > _BYTES_A_TURN:
            since = 0
            await asyncio.sleep(0)
    return read


def _read_one(data: bytes, spec: InputSpec) -> Read:
    try:
        if len(data) > _BYTES_A_VALUE * spec.most_values + _SPARE_BYTES and not _is_picture(data, spec):
            return Refused(None, InvalidItem(f"The item has far too many bytes: send {describe(spec)} as x."))
        item = msgspec.msgpack.decode(data)
    except _UNREADABLE as error:
        raise _not_msgpack(error) from None
    return read_object(item, spec)


def _is_picture(data: bytes, spec: InputSpec) -> bool:
    """Whether an item may have any size: its fields are bytes or strings, which take no more memory than that."""
    if not isinstance(spec, ImageInput):
        return False
    try:
        item = _picture_item.decode(data)
    except msgspec.ValidationError:
        return False
    fields = (item.id, item.x, item.image)
    return all(field is msgspec.UNSET or memoryview(field)[0] in _STRINGS for field in fields)


def _not_msgpack(error: Exception) -> InvalidBody:
    why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
    return InvalidBody(f"The body is not MessagePack ({why}). {_BODY}")
