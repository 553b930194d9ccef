"""What is sent and not answered, and how it is cut into frames that the service takes."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from service.client.dense import Form, as_json, form_of, goes_in_a_header
from service.client.items import RawItem, encoded

_ITEMS_START, _ITEMS_END = b'{"type":"items","items":[', b"]}"
_BETWEEN = b","
_ITEMS_BYTES = len(_ITEMS_START) + len(_ITEMS_END)
_BATCH_BYTES = 128
"""Over what a `batch` has beside numbers and ids."""


class Parcel(NamedTuple):
    """One item on its way.

    Attributes:
        number: The caller's, by which it is told of the answer.
        id: The item's.
        encoded: The item as JSON; of one that goes raw, its numbers as they lie in memory.
        form: Of one that goes raw; None: it is JSON.
    """

    number: int
    id: str
    encoded: bytes
    form: Form | None = None

    def plain(self) -> "Parcel":
        """The same as JSON."""
        if self.form is None:
            return self
        return Parcel(self.number, self.id, as_json(self.id, self.encoded, self.form))


def parcel_of(number: int, raw: RawItem) -> Parcel:
    """An item, ready to be sent.

    Raises:
        TypeError: It has no string as id.
        ValueError: It cannot be written as JSON, such as one with NaN.
    """
    form = form_of(raw.get("x"))
    if form is not None and goes_in_a_header(raw.get("id")):
        return Parcel(number, raw["id"], raw["x"].tobytes(), form)
    written_out = encoded(raw)  # raises where the id is none
    return Parcel(number, raw["id"], written_out)


def fits(parcel: Parcel, most_bytes: int) -> bool:
    """Whether a frame can hold it at all."""
    return _size(parcel) + _frame_bytes(parcel) - len(_BETWEEN) <= most_bytes


def frames(parcels: Iterable[Parcel], *, most_items: int, most_bytes: int) -> Iterator[list[Parcel]]:
    """Parcels in order, in frames of one form and no more items and bytes than so many; each is known to fit."""
    frame: list[Parcel] = []
    size = 0
    for parcel in parcels:
        own = _size(parcel)
        if frame and (
            len(frame) == most_items or size + own > most_bytes or _kind(parcel) != _kind(frame[0])
        ):
            yield frame
            frame = []
        if not frame:
            size = _frame_bytes(parcel)
        frame.append(parcel)
        size += own
    if frame:
        yield frame


def written(frame: Sequence[Parcel]) -> bytes:
    """The frame's bytes."""
    form = frame[0].form
    if form is None:
        return _ITEMS_START + _BETWEEN.join([parcel.encoded for parcel in frame]) + _ITEMS_END
    return msgspec.json.encode(
        {
            "type": "batch",
            "dtype": form.dtype,
            "n": form.n,
            "x": b64encode(b"".join([parcel.encoded for parcel in frame])).decode(),
            "ids": [parcel.id for parcel in frame],
        }
    )


def _kind(parcel: Parcel) -> tuple[str, int] | None:
    """What all items of a frame have alike."""
    return None if parcel.form is None else (parcel.form.dtype, parcel.form.n)


def _frame_bytes(parcel: Parcel) -> int:
    return _ITEMS_BYTES if parcel.form is None else _BATCH_BYTES


def _size(parcel: Parcel) -> int:
    """Bytes in a frame, at most: numbers are base64, and half of an id may be escaped."""
    if parcel.form is None:
        return len(parcel.encoded) + len(_BETWEEN)
    return 4 * -(-len(parcel.encoded) // 3) + 2 * len(parcel.id) + 3
