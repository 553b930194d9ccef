"""The file format: what is written is read, and every damage is found at its place."""

import io
import itertools

import pytest

from service.state.archive import (
    MAGIC,
    ArchiveUnreadable,
    Chunk,
    DlqPage,
    End,
    Frame,
    IdsPage,
    LogPage,
    Start,
    Writer,
    read_frames,
)

FRAMES: list[Frame] = [
    Start(stream="s", bundle="b", epoch=3, head={"seq": b"2"}),
    LogPage(entries=[(0, {"n": b"1", "p": b"\xff"}), (1, {"n": b"1"})]),
    IdsPage(generation=0, verdicts=[(b"\xed\xa0\x80", b"v")]),
    Chunk(generation=1, n=0, data=b"x" * 1000),
    DlqPage(fields=[(b"i", b"why")]),
]


def written(frames: list[Frame] = FRAMES) -> bytes:
    file = io.BytesIO()
    writer = Writer(file)
    for frame in frames:
        writer.write(frame)
    writer.end()
    return file.getvalue()


def read(data: bytes) -> list[Frame]:
    return [frame for _, frame in read_frames(io.BytesIO(data))]


def test_round_trip() -> None:
    """All frames, and a last one that counts them."""
    assert [*FRAMES, End(entries=2, ids=1, chunks=1, dlq=1)] == read(written())


def test_the_layout_is_the_documented_one() -> None:
    """Magic, version 2, a size, 16 bytes of checksum, MessagePack that names its frame."""
    data = written()

    assert MAGIC + (2).to_bytes(4, "little") == data[:8]
    size = int.from_bytes(data[8:12], "little")
    assert b"\xa5frame\xa5start" in data[28 : 28 + size]


def test_every_byte_counts() -> None:
    """Whichever is changed, the file is refused."""
    data = written()
    for at in range(len(data)):
        with pytest.raises(ArchiveUnreadable):
            read(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])


def test_every_length_but_one() -> None:
    """Cut anywhere, or with something behind its end, it is refused."""
    data = written()
    for length in range(len(data)):
        with pytest.raises(ArchiveUnreadable, match=r"cut|does not start with FSAR"):
            read(data[:length])
    with pytest.raises(ArchiveUnreadable, match="goes on after its end"):
        read(data + b"\0")


def test_frames_dropped_repeated_or_moved() -> None:
    """Each checksum covers the one before it."""
    data = written()
    bounds = [offset for offset, _ in read_frames(io.BytesIO(data))] + [len(data)]
    parts = [data[a:b] for a, b in itertools.pairwise(bounds)]
    for at in range(1, len(parts) - 1):
        others = [
            [*parts[:at], *parts[at + 1 :]],
            [*parts[:at], parts[at], *parts[at:]],
            [*parts[: at - 1], parts[at], parts[at - 1], *parts[at + 1 :]],
        ]
        for changed in others:
            with pytest.raises(ArchiveUnreadable, match=rf"frame at byte {bounds[at - 1]}|{bounds[at]}|\d+"):
                read(data[:8] + b"".join(changed))


def test_the_place_is_named() -> None:
    """By the byte at which the frame begins."""
    data = bytearray(written())
    offset = [offset for offset, _ in read_frames(io.BytesIO(bytes(data)))][3]
    data[offset + 100] ^= 1

    with pytest.raises(ArchiveUnreadable, match=f"the frame at byte {offset} has a wrong checksum"):
        read(bytes(data))


def test_another_version() -> None:
    """A later one is told apart from damage; the one before is read."""
    data = written()

    with pytest.raises(ArchiveUnreadable, match="format version 3, and this firstseen reads 2"):
        read(data[:4] + (3).to_bytes(4, "little") + data[8:])
    assert read(data) == read(data[:4] + (1).to_bytes(4, "little") + data[8:])


@pytest.mark.parametrize("data", [b"", b"FSA", b"PK\3\4" + bytes(100)])
def test_another_file(data: bytes) -> None:
    """What is no archive at all."""
    with pytest.raises(ArchiveUnreadable, match="no file of `firstseen state export`"):
        read(data)


def test_a_huge_size_is_not_believed() -> None:
    """Before memory is taken for it."""
    with pytest.raises(ArchiveUnreadable, match="a frame of 4294967295 bytes"):
        read(written()[:8] + b"\xff" * 24)
