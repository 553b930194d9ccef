"""Pictures are decoded in a thread of their own; a bad one is refused alone."""

import asyncio
import struct
import threading
import zlib

import numpy as np
import pytest

from service.api.formats.pictures import Picture, decode_picture, develop
from service.errors import ClientGone, Overloaded
from service.ingest.intake import Refused
from service.records import Item
from tests.service.api.formats.sent import IMAGE, TEXT, jpeg, png

GREY = (np.arange(16, dtype=np.uint8) * 16).reshape(4, 4)


def bomb(side: int) -> bytes:
    """A PNG whose header promises side x side pixels, and which holds none."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


async def test_in_order() -> None:
    """Items that are none pass through; a bad picture is refused with its id."""
    plain = Item(id="b", x=np.zeros((1, 4, 4), dtype=np.float32))
    refused = Refused("c", decode_picture(Picture(id=None, data=b""), IMAGE, 1).error)  # type: ignore[union-attr]
    pictures = [Picture(id="a", data=png(GREY)), plain, refused, Picture(id="d", data=b"abc")]
    first, second, third, fourth = await develop(pictures, IMAGE, max_pixels=100, within_s=60.0)

    assert isinstance(first, Item)
    np.testing.assert_array_equal(GREY[None].astype(np.float32) / 255, first.x)
    assert (plain, refused) == (second, third)
    assert isinstance(fourth, Refused)
    assert "d" == fourth.id
    assert "The image cannot be decoded" in str(fourth.error)


async def test_the_event_loop_goes_on() -> None:
    """While a large picture is decoded others have their turn, and no more than one thread decodes."""
    large = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    pictures = [Picture(id=None, data=jpeg(large))] * 3
    found = await asyncio.gather(
        *(develop(pictures, IMAGE, max_pixels=10**7, within_s=60.0) for _ in range(3))
    )
    running.cancel()

    assert all(isinstance(one, Item) for some in found for one in some)
    assert turns > 3
    assert 1 == sum(thread.name.startswith("pictures") for thread in threading.enumerate())


async def test_a_bomb_is_refused_by_its_header() -> None:
    """Of a few bytes, and four billion pixels."""
    for side in (11, 60_000):
        (found,) = await develop([Picture(id="a", data=bomb(side))], IMAGE, max_pixels=100, within_s=60.0)

        assert isinstance(found, Refused)
        assert "more than 100" in str(found.error)


def test_inputs_without_pictures() -> None:
    """It is told what to send."""
    found = decode_picture(Picture(id="a", data=png(GREY)), TEXT, 100)

    assert "takes no pictures: send a text" in str(found.error)  # type: ignore[union-attr]


async def test_nobody_waits_for_long() -> None:
    """Pictures that take too long, together, are let go; so are those of a client that has gone, before they begin."""
    pictures = [Picture(id=None, data=png(np.zeros((4, 4), np.uint8)))] * 2
    with pytest.raises(Overloaded, match="send fewer at once"):
        await develop(pictures, IMAGE, max_pixels=100, within_s=0.0)
    with pytest.raises(ClientGone):
        await develop(pictures, IMAGE, max_pixels=100, within_s=60.0, is_gone=lambda: True)
