"""Compressed bodies: round trips in pieces, bounded pieces, broken ones; and what a client wants its answer in."""

import contextlib
import gzip
import itertools
import random
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.compression import compressor_for, decompressor_of, quality, zstd
from service.errors import InvalidBody, UnsupportedEncoding


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


PACK: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-Gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw": ("deflate", raw_deflate),
    "zstd": ("zstd", zstd.compress),
}
packs = st.sampled_from(sorted(PACK))


def unpacked(name: str, data: bytes, step: int) -> list[bytes]:
    decompressor = decompressor_of(name)
    assert decompressor is not None
    pieces = [piece for at in range(0, len(data), step) for piece in decompressor.feed(data[at : at + step])]
    decompressor.end()
    return pieces


@given(data=st.binary(max_size=2000), times=st.sampled_from([1, 100]), step=st.integers(1, 5000), pack=packs)
def test_round_trip(data: bytes, times: int, step: int, pack: str) -> None:
    """However the chunks are cut."""
    name, squeeze = PACK[pack]

    assert data * times == b"".join(unpacked(name, squeeze(data * times), step))


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_several_behind_each_other(pack: str) -> None:
    """Members of gzip and frames of zstd are one body."""
    name, squeeze = PACK[pack]

    assert b"abcdef" == b"".join(unpacked(name, squeeze(b"abc") + squeeze(b"") + squeeze(b"def"), 7))


@pytest.mark.parametrize("pack", PACK)
def test_pieces_are_made_one_at_a_time(pack: str) -> None:
    """100 MB in a small body: who stops asking has made no more than asked for."""
    name, squeeze = PACK[pack]
    bomb = squeeze(bytes(100_000_000))
    decompressor = decompressor_of(name)
    assert decompressor is not None
    pieces = list(itertools.islice(decompressor.feed(bomb), 5))

    assert len(bomb) < 200_000
    assert [64 * 1024] * 5 == [len(piece) for piece in pieces]


@given(data=st.binary(max_size=200), step=st.integers(1, 50), pack=packs)
def test_any_bytes(data: bytes, step: int, pack: str) -> None:
    """They are decompressed, or refused as the client's mistake."""
    with contextlib.suppress(InvalidBody):
        unpacked(PACK[pack][0], data, step)


@pytest.mark.parametrize("pack", PACK)
def test_cut(pack: str) -> None:
    """A body that ends early is refused at its end."""
    name, squeeze = PACK[pack]
    with pytest.raises(InvalidBody, match="ends before"):
        unpacked(name, squeeze(b"abc" * 100)[:-3], 1000)


def test_window_of_zstd() -> None:
    """A frame that asks for more than 8 MiB of memory is refused (RFC 9659)."""
    options = {zstd.CompressionParameter.window_log: 24, zstd.CompressionParameter.checksum_flag: 1}
    squeeze = zstd.ZstdCompressor(options=options)
    data = squeeze.compress(bytes(range(256)) * 40) + squeeze.flush()
    with pytest.raises(InvalidBody, match="not zstd"):
        unpacked("zstd", data, 1000)


def test_behind_the_end() -> None:
    """Zlib is one stream: what comes behind is not passed over."""
    with pytest.raises(InvalidBody, match="bytes behind its end"):
        unpacked("deflate", zlib.compress(b"abc") + b"x", 1000)


def test_encodings() -> None:
    """None and identity are not compressed; others, and two, are refused with what is read."""
    assert decompressor_of("") is None
    assert decompressor_of("Identity") is None
    for name in ("br", "gzip, gzip", "x" * 5000):
        with pytest.raises(UnsupportedEncoding, match="zstd, gzip, deflate"):
            decompressor_of(name)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("GZIP", "gzip"),
        ("gzip" * 1000, None),
    ],
)
def test_wanted(accept: str, expected: str | None) -> None:
    """RFC 9110: the best that is wanted, zstd among equals, and nothing where nothing is wanted more."""
    compressor = compressor_for(accept)

    assert expected == (None if compressor is None else compressor.name)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_answers(name: str) -> None:
    """Each piece can be read as soon as it is flushed."""
    compressor, decompressor = compressor_for(name), decompressor_of(name)
    assert compressor is not None
    assert decompressor is not None
    for piece in (b"first\n", b"second\n"):
        assert piece == b"".join(decompressor.feed(compressor.flush(piece)))
    assert [] == list(decompressor.feed(compressor.end()))
    decompressor.end()


@pytest.mark.parametrize(
    ("parameters", "expected"), [("", 1), ("q=.5", 0.5), (" Q = 2", 1), ("q=x", 0), ("a=b;q=0", 0)]
)
def test_quality(parameters: str, expected: float) -> None:
    """What is no number is nothing wanted."""
    assert expected == quality(parameters)


def test_what_is_kept_of_the_past() -> None:
    """Only zstd holds many bytes: as much of what it made as a frame's window has, nothing between frames."""
    window = {zstd.CompressionParameter.window_log: 17}
    big = zstd.ZstdCompressor(options=window)
    data = random.Random(0).randbytes(1 << 19)
    packed = big.compress(data) + big.flush(zstd.ZstdCompressor.FLUSH_BLOCK)
    reader = decompressor_of("zstd")
    assert reader is not None

    assert 0 == reader.kept
    assert data == b"".join(reader.feed(packed))
    assert 1 << 17 == reader.kept
    assert b"" == b"".join(reader.feed(big.flush()))
    assert 0 == reader.kept
    assert b"more" == b"".join(reader.feed(zstd.compress(b"more")))
    assert 0 == reader.kept
    for name, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        other = decompressor_of(name)
        assert other is not None
        assert data == b"".join(other.feed(pack(data)))
        assert 0 == other.kept
