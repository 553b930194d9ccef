"""From the bytes of a POST to its items, in bounded memory and without stopping the event loop.

    chunks ─► bytes (four limits) ─► {"items": Raw} ─► [Raw, Raw, ...] ─► one item at a time
               │                                         │                  │
               one body, all bodies,                     counted before     weighed before it
               one deadline, a stop                      any is decoded     becomes objects

JSON makes small bytes into large objects: `[],` is three bytes and an empty list of 56. A body therefore never
becomes objects as a whole. `msgspec.Raw` finds where each item begins and ends; the items are counted, and each
is decoded, checked and let go before the next. What cannot be an item of this bundle, by the number of its
values, is refused undecoded. After every 32 KiB others have their turn.
"""

import asyncio

import msgspec
from starlette.requests import Request

from model.inputs import InputSpec, describe
from service.api.budget import Share
from service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    InvalidBody,
    InvalidItem,
    NotReady,
    UnsupportedMediaType,
)
from service.intake import Refused, read_items
from service.records import Item

_BODY = 'Send {"items": [{"id": "a", "x": [...]}, ...]} or one item {"id": "a", "x": [...]}.'

_BYTES_A_TURN = 32 * 1024

_SPARE_VALUES = 4096
"""Values an item may have beyond those of its payload; a real one has a few."""


async def receive_body(request: Request, share: Share, *, limit: int, timeout_s: float) -> bytearray:
    """The body, read no further than it may be.

    Args:
        request: Its body has not been read.
        share: Of the budget of all bodies; takes each chunk as it comes.
        limit: Most bytes of this body.
        timeout_s: How long the client may take to send it.

    Raises:
        UnsupportedMediaType: It is not, or does not say that it is, JSON.
        BodyTooLarge: Over `limit`.
        Overloaded: All bodies together are over their budget.
        BodyTooSlow: It did not come in time.
        NotReady: The service stops and waits no longer for it.
    """
    _check_media_type(request)
    too_large = BodyTooLarge(
        f"The body is over {limit} bytes; send fewer items at once, or use the WebSocket /stream."
    )
    if int(request.headers.get("content-length", "0")) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                if len(body) + len(chunk) > limit:
                    raise too_large
                share.take(len(chunk))
                body += chunk
    except TimeoutError:
        raise BodyTooSlow(
            f"The body did not come within {timeout_s:g} s; send fewer items at once, or over a faster line."
        ) from None
    except asyncio.CancelledError:  # by the server, which stops; nothing else cancels a request
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        raise NotReady(
            "The service stops and the body had not come; send the same again, none of it was counted."
        ) from None
    return body


def _check_media_type(request: Request) -> None:
    sent = request.headers.get("content-type")
    media_type = (sent or "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return
    what = "A body without a content type" if sent is None else f"The content type {media_type[:100]!r}"
    raise UnsupportedMediaType(f"{what} is not read here: send JSON with 'content-type: application/json'.")


def split_items(body: bytearray, *, max_items: int) -> tuple[list[msgspec.Raw], bool]:
    """The items of a body, still as JSON, and whether it was one item on its own.

    Raises:
        InvalidBody: It is not JSON, or not of the form.
        BodyTooLarge: More than `max_items`.
    """
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        if "items" not in fields:
            return [msgspec.Raw(body)], True
        raws = None
        if fields.keys() == {"items"} and bytes(memoryview(fields["items"])[:1]) == b"[":
            raws = msgspec.json.decode(fields["items"], type=list[msgspec.Raw])
    except msgspec.ValidationError:
        _check_json(body)
        raise InvalidBody(f"The body must be a JSON object. {_BODY}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None
    if raws is None:
        raise InvalidBody(f"items must be a list, alone in the body. {_BODY}")
    if len(raws) > max_items:
        raise BodyTooLarge(f"{len(raws)} items in one request; send at most {max_items}, or use WS /stream.")
    return raws, False


async def read_each(raws: list[msgspec.Raw], spec: InputSpec) -> list[Item | Refused]:
    """Each item or why it is refused, in order; others have their turn in between.

    Raises:
        InvalidBody: A text is not UTF-8, or a number is one that no float can hold: not JSON that can be read.
    """
    read: list[Item | Refused] = []
    since = 0
    for raw in raws:
        text = bytes(raw)
        read.append(_read_one(text, spec))
        since += len(text)
        if since > _BYTES_A_TURN:
            since = 0
            await asyncio.sleep(0)
    return read


def _read_one(text: bytes, spec: InputSpec) -> Item | Refused:
    if text.count(b",") + text.count(b"[") + text.count(b"{") > spec.most_values + _SPARE_VALUES:
        return Refused(None, InvalidItem(f"The item holds far too many values: send {describe(spec)} as x."))
    try:
        item = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None
    found = read_items([item], spec)[0]
    if isinstance(found, Refused):  # without the traceback, whose frames hold all that was decoded
        return Refused(found.id, InvalidItem(str(found.error)))
    return found


def _check_json(body: bytearray) -> None:
    """Without making objects.

    Raises:
        InvalidBody: It is not JSON at all.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None


def _not_json(error: Exception) -> InvalidBody:
    return InvalidBody(f"The body is not JSON ({error}). {_BODY}")
