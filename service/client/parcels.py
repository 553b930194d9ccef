"""What is sent and not answered, and how it is cut into frames that the service takes."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

FRAME_START, FRAME_BETWEEN, FRAME_END = b'{"type":"items","items":[', b",", b"]}"
_FRAME_BYTES = len(FRAME_START) + len(FRAME_END)


class Parcel(NamedTuple):
    """One item on its way.

    Attributes:
        number: The caller's, by which it is told of the answer.
        id: The item's.
        encoded: The item as JSON.
    """

    number: int
    id: str
    encoded: bytes


def fits(parcel: Parcel, most_bytes: int) -> bool:
    """Whether a frame can hold it at all."""
    return len(parcel.encoded) + _FRAME_BYTES <= most_bytes


def frames(parcels: Iterable[Parcel], *, most_items: int, most_bytes: int) -> Iterator[list[Parcel]]:
    """Parcels in order, in frames of no more items and bytes than so many; each is known to fit."""
    frame: list[Parcel] = []
    size = _FRAME_BYTES
    for parcel in parcels:
        own = len(parcel.encoded) + len(FRAME_BETWEEN)
        if frame and (len(frame) == most_items or size + own > most_bytes):
            yield frame
            frame, size = [], _FRAME_BYTES
        frame.append(parcel)
        size += own
    if frame:
        yield frame


def written(frame: Iterable[Parcel]) -> bytes:
    """The frame's bytes."""
    return FRAME_START + FRAME_BETWEEN.join(parcel.encoded for parcel in frame) + FRAME_END
