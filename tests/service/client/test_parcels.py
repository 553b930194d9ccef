"""Frames hold all parcels, in order, within items and bytes."""

from hypothesis import given
from hypothesis import strategies as st

from service.client.parcels import Parcel, fits, frames, written


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
