"""application/octet-stream: many items as nothing but their numbers.

    Firstseen-Dtype: uint8                 or float32 (little-endian); required
    Firstseen-Shape: 64,784                the number of items, then the shape of each; may be left out
    Firstseen-Ids: a,b,,d                  an id for each, percent-encoded (RFC 3986); empty for none; may be left out

How the numbers lie in the body `service.ingest.raw` says. Without a shape the number of items follows from the size.
The shape of an item may be flat or that of the input, as in JSON: `64,784`, `64,28,28` and `64,1,28,28` are the same
bytes.
"""

from typing import get_args
from urllib.parse import unquote

from model.inputs import InputSpec, NumericInput
from service.api.formats.head import Head, Limits
from service.api.formats.item_list import too_many
from service.api.formats.objects import Read
from service.errors import InvalidBody, InvalidHeader
from service.ingest.raw import RAW_TYPES, RawType, read_raw

SHAPE_HEADER = "Firstseen-Shape"
DTYPE_HEADER = "Firstseen-Dtype"
IDS_HEADER = "Firstseen-Ids"

RAW_HEADERS = (DTYPE_HEADER, SHAPE_HEADER, IDS_HEADER)
"""What tells which items a body is."""

_MOST_DIMENSIONS = 8


async def read_octets(
    body: bytearray, head: Head, spec: InputSpec, limits: Limits
) -> tuple[list[Read], bool]:
    """The items of a body; never one on its own.

    Raises:
        InvalidHeader: A header is missing, or cannot be.
        InvalidBody: The bundle takes no raw numbers, or their size is another.
        BodyTooLarge: More items than may be.
    """
    dtype = _dtype(head)
    count = _count(body, head, spec, dtype)
    if count > limits.max_items:
        raise too_many(limits.max_items)
    return [*read_raw(body, count=count, dtype=dtype, spec=spec, ids=_ids(head))], False


def _dtype(head: Head) -> RawType:
    sent = head.short(DTYPE_HEADER)
    for dtype in get_args(RawType):
        if dtype == sent:
            found: RawType = dtype
            return found
    got = "it is missing" if sent is None else f"not {sent!r}"
    raise InvalidHeader(f"{DTYPE_HEADER} must be {' or '.join(RAW_TYPES)}; {got}.")


def _count(body: bytearray, head: Head, spec: InputSpec, dtype: RawType) -> int:
    width = spec.width
    if width is None:
        raise InvalidBody(f"This bundle takes no raw numbers; send {spec.describe()} as x, as JSON.")
    sent = head.short(SHAPE_HEADER)
    if sent is None:
        count, rest = divmod(len(body), width * RAW_TYPES[dtype].itemsize)
        if rest:
            raise InvalidBody(
                f"The body is {len(body)} bytes; each item is {width} values of {dtype}, "
                f"{width * RAW_TYPES[dtype].itemsize} bytes."
            )
        return count
    parts = [part.strip() for part in sent.split(",")]
    if len(parts) > _MOST_DIMENSIONS or not all(p.isascii() and p.isdigit() and len(p) < 10 for p in parts):
        raise InvalidHeader(
            f"{SHAPE_HEADER} must be numbers between commas, like 64,{width}, not {sent[:100]!r}."
        )
    count, *shape = map(int, parts)
    accepted = set(spec.layouts().values()) if isinstance(spec, NumericInput) else {(width,)}
    if tuple(shape) not in accepted:
        some = " or ".join(",".join(map(str, (count, *one))) for one in sorted(accepted, key=len))
        raise InvalidHeader(
            f"{SHAPE_HEADER} is the number of items, then the shape of one: {some}, not {sent!r}."
        )
    return count


def _ids(head: Head) -> list[str | None] | None:
    sent = head.text(IDS_HEADER.lower().encode())
    try:  # what is not UTF-8 must not become an id that others become, too
        ids = [unquote(part.strip(), errors="strict") or None for part in sent.split(",")] if sent else None
    except UnicodeDecodeError:
        ids = None
    if (ids is None and sent) or not sent.isascii():
        raise InvalidHeader(
            f"{IDS_HEADER} must be ids between commas, each percent-encoded UTF-8: a,b%2Fc,%C3%A9."
        )
    return ids
