"""Compressed bodies, in and out, with no more memory than the uncompressed ones may have.

    compressed chunk ─► Decompressor.feed ─► pieces of at most 64 KiB ─► counted before the next is made

A kilobyte can be made to hold a gigabyte. So a chunk is never decompressed as a whole: pieces are asked for one at a
time, and who counts them stops asking when the limit is passed. What zstd may keep of the past is bounded to 8 MiB, as
RFC 9659 demands of every sender; gzip and deflate keep 32 KiB.

    gzip       RFC 1952; several members behind each other are one body
    deflate    RFC 1950 (zlib), or RFC 1951 without its head, as some clients send it
    zstd       RFC 8878; several frames likewise

Answers are compressed when the client accepts it and it pays: from 16 KiB on, and line by line in a stream of lines,
where each line is flushed so that it arrives.
"""

import sys
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from service.errors import InvalidBody, UnsupportedEncoding

ACCEPT_ENCODING = "zstd, gzip, deflate"
"""What bodies may be compressed with, best first; what answers are, without deflate."""

COMPRESS_FROM_BYTES = 16 * 1024

_PIECE_BYTES = 64 * 1024
_ZSTD_WINDOW_LOG = 23
_ZSTD_WINDOW_AT = 5
_ZSTD_SINGLE_SEGMENT = 0x20
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 1
_LONGEST_HEADER = 1000


class Decompressor(Protocol):
    """One body on its way in."""

    @property
    def kept(self) -> int:
        """Bytes of what was that it holds to make what follows, where they are many."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk gives, in pieces of at most 64 KiB, each made when it is asked for.

        Raises:
            InvalidBody: It is not compressed as it says.
        """

    def end(self) -> None:
        """Nothing more will come.

        Raises:
            InvalidBody: The body ends too early.
        """


def decompressor_of(content_encoding: str) -> Decompressor | None:
    """What reads a body of this Content-Encoding; None for one that is not compressed.

    Raises:
        UnsupportedEncoding: It is compressed otherwise, or more than once.
    """
    match content_encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Zlib(31, "gzip")
        case "deflate":
            return _Deflate()
        case "zstd":
            return _Zstd()
    raise UnsupportedEncoding(
        f"The content encoding {content_encoding[:100]!r} is not read here: send {ACCEPT_ENCODING}, one of them, or "
        "none."
    )


class _Zlib:
    """Members of gzip, or one zlib or raw stream, as `wbits` says (see `zlib.decompressobj`)."""

    kept = 0

    def __init__(self, wbits: int, name: str) -> None:
        self._wbits = wbits
        self._name = name
        self._stream = zlib.decompressobj(wbits)
        self._is_fresh = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._stream.eof:
                if self._name != "gzip":
                    raise InvalidBody(f"The body has bytes behind its end as {self._name}.")
                self._stream = zlib.decompressobj(self._wbits)
            self._is_fresh = False
            try:
                piece = self._stream.decompress(chunk, _PIECE_BYTES)
            except zlib.error as error:
                raise _not(self._name, error) from None
            chunk = self._stream.unconsumed_tail or self._stream.unused_data
            if piece:
                yield piece
            if len(piece) == _PIECE_BYTES and not chunk and not self._stream.eof:
                yield from self._held_back()

    def _held_back(self) -> Iterator[bytes]:
        """What zlib has kept inside although it has no input left: it stopped at the size of a piece."""
        while True:
            try:
                piece = self._stream.decompress(b"", _PIECE_BYTES)
            except zlib.error as error:
                raise _not(self._name, error) from None
            if piece:
                yield piece
            if len(piece) < _PIECE_BYTES:
                return

    def end(self) -> None:
        if not self._stream.eof and not self._is_fresh:
            raise InvalidBody(f"The body ends before its {self._name} does: send all of it.")


class _Deflate:
    """zlib, or raw deflate: the first byte of zlib's head has 8 in its lower half, which raw deflate never starts with
    in practice (it would be a stored block with stray bits set, or one of a reserved kind).
    """

    kept = 0

    def __init__(self) -> None:
        self._inner: _Zlib | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if not chunk:
            return
        if self._inner is None:
            self._inner = _Zlib(15 if chunk[0] & 0x0F == 8 else -15, "deflate")
        yield from self._inner.feed(chunk)

    def end(self) -> None:
        if self._inner is not None:
            self._inner.end()


class _Zstd:
    def __init__(self) -> None:
        self._frame = _zstd_frame()
        self._is_fresh = True
        self._window = 0
        self._made = 0

    @property
    def kept(self) -> int:
        return 0 if self._frame.eof else min(self._made, self._window)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk or not (self._frame.needs_input or self._frame.eof):
            if self._frame.eof:
                self._frame = _zstd_frame()
                self._is_fresh = True
            if self._is_fresh:
                self._window, self._made = _zstd_window(chunk), 0
            self._is_fresh = False
            try:
                piece = self._frame.decompress(chunk, _PIECE_BYTES)
            except zstd.ZstdError as error:
                raise _not("zstd", error) from None
            chunk = self._frame.unused_data if self._frame.eof else b""
            self._made += len(piece)
            if piece:
                yield piece

    def end(self) -> None:
        if not self._frame.eof and not self._is_fresh:
            raise InvalidBody("The body ends before its zstd does: send all of it.")


def _zstd_frame() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


def _zstd_window(start: bytes) -> int:
    """How much of the past a frame wants kept, by its first bytes (RFC 8878 section 3.1.1.1.2); the most that may be
    where they do not tell.
    """
    most = 1 << _ZSTD_WINDOW_LOG
    if len(start) < _ZSTD_WINDOW_AT + 1 or start[_ZSTD_WINDOW_AT - 1] & _ZSTD_SINGLE_SEGMENT:
        return most
    exponent, mantissa = divmod(start[_ZSTD_WINDOW_AT], 8)
    base = 1 << (10 + exponent)
    return min(base + base // 8 * mantissa, most)


def _not(name: str, error: Exception) -> InvalidBody:
    return InvalidBody(f"The body is not {name}, as its content encoding says ({error}).")


# Answers


class Compressor(Protocol):
    """One answer on its way out."""

    name: str

    def flush(self, piece: bytes) -> bytes:
        """A piece, compressed, such that the client can read it before the next one comes."""

    def end(self) -> bytes:
        """What is left to send."""


class _GzipOut:
    name = "gzip"

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)

    def flush(self, piece: bytes) -> bytes:
        return self._stream.compress(piece) + self._stream.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._stream.flush()


class _ZstdOut:
    name = "zstd"

    def __init__(self) -> None:
        self._stream = zstd.ZstdCompressor(level=_ZSTD_LEVEL)

    def flush(self, piece: bytes) -> bytes:
        return self._stream.compress(piece, mode=zstd.ZstdCompressor.FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._stream.flush()


def compressor_for(accept_encoding: str) -> Compressor | None:
    """What the client wants answers compressed with, best first; None for not at all."""
    name = _wanted(accept_encoding) if len(accept_encoding) <= _LONGEST_HEADER else None
    if name is None:
        return None
    return _ZstdOut() if name == "zstd" else _GzipOut()


@lru_cache(maxsize=64)
def _wanted(accept_encoding: str) -> str | None:
    """RFC 9110 section 12.5.3. Among equals it is zstd; where none is wanted more than "identity", none."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameters = part.partition(";")
        weights[name.strip()] = quality(parameters)
    anything = weights.get("*", 0.0)
    offered = {name: weights.get(name, anything) for name in ("zstd", "gzip")}
    best = max(offered, key=lambda name: offered[name])
    return best if offered[best] > 0 and offered[best] >= weights.get("identity", 0.0) else None


def quality(parameters: str) -> float:
    """The weight `q` among the parameters of a part of an Accept header: 0 to 1, and 1 where there is none."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
