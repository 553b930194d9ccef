"""JSON: from bytes to items in bounded memory and without stopping the event loop.

    bytes ─► {"items": Raw} ─► [Raw, Raw, ...] ─► one item at a time
                                 │                  │
                                 no more than may   weighed before it
                                 be are made        becomes objects

JSON makes small bytes into large objects: `[],` is three bytes and an empty list of 56. A body therefore never
becomes objects as a whole. `msgspec.Raw` finds where each item begins and ends; they are counted while they are found,
and each is decoded, checked and let go before the next. What cannot be an item of this bundle, by the number of its
values, is refused undecoded. After every 32 KiB others have their turn. What is nested deeper than Python's recursion
limit (1,000 calls) is refused while it is read.
"""

import asyncio

import msgspec

from model.inputs import InputSpec, describe
from service.api.formats.head import Head, Limits
from service.api.formats.item_list import ItemList
from service.api.formats.objects import Read, read_object
from service.errors import InvalidBody, InvalidItem
from service.ingest.intake import Refused

_BODY = 'Send {"items": [{"id": "a", "x": [...]}, ...]} or one item {"id": "a", "x": [...]}.'

_BYTES_A_TURN = 32 * 1024

_SPARE_VALUES = 4096
"""Values an item may have beyond those of its payload; a real one has a few."""


_items = ItemList(msgspec.json.Decoder)


async def read_json(body: bytearray, _head: Head, spec: InputSpec, limits: Limits) -> tuple[list[Read], bool]:
    """The items of a body, and whether it was one item on its own.

    Raises:
        InvalidBody: It is not JSON, or not of the form.
        BodyTooLarge: More items than may be.
    """
    raws, is_single = split_items(body, max_items=limits.max_items)
    return await read_each(raws, spec), is_single


def split_items(body: bytearray, *, max_items: int) -> tuple[list[msgspec.Raw], bool]:
    """The items of a body, still as JSON, and whether it was one item on its own.

    Raises:
        InvalidBody: It is not JSON, or not of the form.
        BodyTooLarge: More than `max_items`.
    """
    try:
        items = _items.listed(body)
        if items is msgspec.UNSET:
            return [msgspec.Raw(body)], True
        if items is not None and bytes(memoryview(items)[:1]) == b"[":
            return _items.split(items, max_items=max_items), False
    except msgspec.ValidationError:
        _check_json(body)
        raise InvalidBody(f"The body must be a JSON object. {_BODY}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(error) from None
    raise InvalidBody(f"items must be a list, alone in the body. {_BODY}")


async def read_each(raws: list[msgspec.Raw], spec: InputSpec) -> list[Read]:
    """Each item or why it is refused, in order; others have their turn in between.

    Raises:
        InvalidBody: A text is not UTF-8, or a number is one that no float can hold: not JSON that can be read.
    """
    read: list[Read] = []
    since = 0
    for raw in raws:
        text = bytes(raw)
        read.append(read_text(text, spec))
        since += len(text)
        if since > _BYTES_A_TURN:
            since = 0
            await asyncio.sleep(0)
    return read


def read_text(text: bytes, spec: InputSpec) -> Read:
    """One item or why it is refused.

    Raises:
        InvalidBody: It is not JSON.
    """
    if text.count(b",") + text.count(b"[") + text.count(b"{") > spec.most_values + _SPARE_VALUES:
        return Refused(None, InvalidItem(f"The item holds far too many values: send {describe(spec)} as x."))
    try:
        item = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(error) from None
    return read_object(item, spec)


def _check_json(body: bytearray) -> None:
    """Without making objects.

    Raises:
        InvalidBody: It is not JSON at all.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(error) from None


def not_json(error: Exception) -> InvalidBody:
    """The refusal of what is not JSON; or is nested so deep that nobody means it."""
    why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
    return InvalidBody(f"The body is not JSON ({why}). {_BODY}")
