"""Chunks and their checksums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.state.snapshots import CHUNK_BYTES, BadSnapshot, Description, chunk_count, cut, join

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7]


def blob_of(size: int) -> bytes:
    return bytes(i * i % 251 for i in range(1000)) * (size // 1000) + b"\xff" * (size % 1000)


def chunks_of(blob: bytes) -> list[bytes | None]:
    return [cut(blob, n) for n in range(chunk_count(blob))]


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(size: int) -> None:
    """What is cut joins to the same bytes, at every size around a chunk."""
    blob = blob_of(size)

    assert blob == join(Description.of(blob, generation=1, seq=5), chunks_of(blob))


@pytest.mark.parametrize("size", SIZES)
def test_description_round_trip(size: int) -> None:
    """A description survives its field of the head."""
    description = Description.of(blob_of(size), generation=12, seq=1 << 52)

    assert description == Description.parse(description.format().encode())


@given(st.binary(min_size=1, max_size=64), st.data())
def test_any_flipped_bit_is_found(blob: bytes, data: st.DataObject) -> None:
    """One flipped bit anywhere in a chunk, checksum included, is refused by the chunk's number."""
    chunk = bytearray(cut(blob, 0))
    chunk[data.draw(st.integers(0, len(chunk) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(BadSnapshot, match="chunk 0 of 1"):
        join(Description.of(blob, generation=1, seq=0), [bytes(chunk)])


def test_missing_chunk() -> None:
    """A chunk that is not there is refused by its number."""
    blob = blob_of(2 * CHUNK_BYTES)

    with pytest.raises(BadSnapshot, match="chunk 1 of 2 is missing"):
        join(Description.of(blob, generation=1, seq=0), [cut(blob, 0), None])


def test_chunks_of_another_snapshot() -> None:
    """Chunks that are intact but not of this snapshot, or in another order, are refused."""
    blob = bytes(CHUNK_BYTES) + b"\x01" * CHUNK_BYTES
    description = Description.of(blob, generation=1, seq=0)

    with pytest.raises(BadSnapshot, match="not those of one snapshot"):
        join(description, list(reversed(chunks_of(blob))))
