"""A body that is a picture: one item."""

import base64

import numpy as np
import pytest

from service.errors import InvalidBody
from service.ingest.intake import Refused
from service.records import Item
from tests.service.api.formats.sent import COLOUR, IMAGE, TEXT, jpeg, png, read, told

GREY = (np.arange(16, dtype=np.uint8) * 16).reshape(4, 4)


@pytest.mark.parametrize("spec", [IMAGE, COLOUR])
async def test_the_same_as_in_json(spec: object) -> None:
    """Without an id."""
    body = b'{"image": "' + base64.b64encode(png(GREY)) + b'"}'
    found, is_single = await read(png(GREY), "image/png", spec)  # type: ignore[arg-type]

    assert is_single
    assert isinstance(found[0], Item)
    assert told(found) == told((await read(body, "application/json", spec))[0])  # type: ignore[arg-type]


async def test_what_it_is_its_bytes_tell() -> None:
    """A JPEG that is said to be a PNG is one all the same."""
    found, _ = await read(jpeg(GREY), "image/png", IMAGE)

    assert isinstance(found[0], Item)


async def test_no_picture() -> None:
    """An item that is refused."""
    found, is_single = await read(b"abc", "image/jpeg", IMAGE)

    assert is_single
    assert isinstance(found[0], Refused)


async def test_other_inputs() -> None:
    """Take none."""
    with pytest.raises(InvalidBody, match="takes no pictures; send a text"):
        await read(png(GREY), "image/png", TEXT)
