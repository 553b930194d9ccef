"""Frames hold all parcels, in order, within items and bytes."""

import json
from base64 import b64decode

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.client.parcels import Parcel, fits, frames, parcel_of, written


@given(sizes=st.lists(st.integers(1, 60), max_size=40), most_items=st.integers(1, 10))
def test_frames(sizes: list[int], most_items: int) -> None:
    """Nothing is lost, doubled, reordered or over the limits, and no frame is empty."""
    parcels = [Parcel(n, str(n), b"x" * size) for n, size in enumerate(sizes)]
    cut = list(frames(parcels, most_items=most_items, most_bytes=100))

    assert parcels == [parcel for frame in cut for parcel in frame]
    for frame in cut:
        assert 1 <= len(frame) <= most_items
        assert len(written(frame)) <= 100


def test_fits() -> None:
    """To the byte."""
    parcel = Parcel(0, "a", b"x" * 10)
    size = len(written([parcel]))

    assert fits(parcel, size)
    assert not fits(parcel, size - 1)


@given(
    widths=st.lists(st.sampled_from([0, 1, 2, 40]), max_size=40),
    most_items=st.integers(1, 10),
    id=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=5),
)
def test_frames_of_arrays(widths: list[int], most_items: int, id: str) -> None:
    """A frame is of one form, within items and bytes; what goes raw and what does not (0) stay in order."""
    parcels = [
        parcel_of(n, {"id": id, "x": np.full(width, 7, dtype=np.float32) if width else [0]})
        for n, width in enumerate(widths)
    ]
    cut = list(frames(parcels, most_items=most_items, most_bytes=400))

    assert parcels == [parcel for frame in cut for parcel in frame]
    for frame in cut:
        sent = written(frame)
        assert len(sent) <= 400
        assert 1 <= len(frame) <= most_items
        message = json.loads(sent)
        if message["type"] == "batch":
            x = np.frombuffer(b64decode(message["x"]), dtype="<f4").reshape(len(frame), message["n"])
            assert (x == 7).all()
            assert [id] * len(frame) == message["ids"]


def test_plain() -> None:
    """The same item as JSON; one that is JSON stays."""
    raw = parcel_of(3, {"id": "a", "x": np.arange(4, dtype=np.uint8).reshape(2, 2)})

    assert raw.form is not None
    assert Parcel(3, "a", b'{"id":"a","x":[0,1,2,3]}') == raw.plain()
    assert raw.plain() == raw.plain().plain()
