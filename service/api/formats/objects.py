"""Items as objects: what JSON, NDJSON and MessagePack have in common.

    {"id": "a", "x": [0, 0, 5, 13]}                   as everywhere (`service.ingest.intake`)
    {"id": "a", "image": "iVBORw0KGgo..."}            of an image: a PNG or JPEG, in base64; in MessagePack as bytes
    {"id": "a", "x": "data:image/png;base64,iVBO..."} the same as a data: URL (RFC 2397)
    {"id": "a", "x": <bytes>}                         in MessagePack: raw values, see `service.ingest.raw`

A picture is only found here; it is decoded later (`pictures.py`). Raw values are uint8 or little-endian float32, which
their number tells: as many bytes as the item has numbers, or four times as many.
"""

import binascii

import numpy as np

from model.inputs import ImageInput, InputSpec, describe
from service.api.formats.pictures import Picture
from service.errors import InvalidItem
from service.ingest.intake import Refused, read_id, read_items
from service.ingest.raw import RAW_TYPES, RawType
from service.records import Item

Read = Item | Refused | Picture
"""An item as far as it is read."""

_DATA_URLS = ("data:image/png;base64,", "data:image/jpeg;base64,")
_FORM = 'base64 of a PNG or JPEG as image: {"id": "a", "image": "iVBORw0KGgo..."}'


def read_object(raw: object, spec: InputSpec) -> Read:
    """One item, or why it is refused, without the traceback, whose frames hold all that was decoded."""
    if isinstance(raw, dict):
        try:
            if (picture := _picture(raw, spec)) is not None:
                return picture
            raw = _with_numbers(raw, spec)
        except InvalidItem as error:
            return Refused(fit_id(raw.get("id")), InvalidItem(str(error)))
    found = read_items([raw], spec)[0]
    if isinstance(found, Refused):
        return Refused(found.id, InvalidItem(str(found.error)))
    return found


def fit_id(id: object) -> str | None:
    """An id if it is fit to be repeated in an answer."""
    try:
        return read_id(id)
    except InvalidItem:
        return None


def raw_type_of(data: bytes, spec: InputSpec) -> RawType:
    """Of what type raw values are.

    Raises:
        InvalidItem: Their number fits neither; or the bundle takes no raw numbers.
    """
    width = spec.width
    if width is None:
        raise InvalidItem(f"This bundle takes no raw numbers: send {describe(spec)} as x, not bytes.")
    for name, kind in RAW_TYPES.items():
        if len(data) == width * kind.itemsize:
            return name
    raise InvalidItem(
        f"x as bytes must be {width} bytes of uint8 or {4 * width} bytes of float32, little-endian; got {len(data)}."
    )


def _with_numbers(raw: dict[object, object], spec: InputSpec) -> dict[object, object]:
    """An item whose bytes are numbers."""
    data = raw.get("x")
    if not isinstance(data, bytes):
        return raw
    return {**raw, "x": np.frombuffer(data, dtype=RAW_TYPES[raw_type_of(data, spec)])}


def _picture(raw: dict[object, object], spec: InputSpec) -> Picture | None:
    """The picture that an item is, None where it is none.

    Raises:
        InvalidItem: It is not in base64, is not alone, or has an id that cannot be.
    """
    if not isinstance(spec, ImageInput):
        return None
    if "image" in raw:
        if raw.keys() - {"id", "image"}:
            raise InvalidItem(f"An item with an image has no more than that and an id. Send {_FORM}.")
        data = raw["image"]
    else:
        data = raw.get("x")
        if not isinstance(data, str) or not data.startswith("data:"):
            return None
        found = next((len(start) for start in _DATA_URLS if data.startswith(start)), None)
        if found is None:
            raise InvalidItem(f"A data: URL must start with {' or '.join(_DATA_URLS)}; or send {_FORM}.")
        data = data[found:]
        if raw.keys() - {"id", "x"}:
            raise InvalidItem(f"An item with an image has no more than that and an id. Send {_FORM}.")
    id = read_id(raw.get("id"))
    if isinstance(data, bytes):
        return Picture(id=id, data=data)
    if not isinstance(data, str):
        raise InvalidItem(f"image must be a string. Send {_FORM}.")
    try:
        return Picture(id=id, data=binascii.a2b_base64(data.encode("ascii"), strict_mode=True))
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidItem(f"image is not base64. Send {_FORM}.") from None
