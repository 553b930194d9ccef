"""Raw numbers with headers: shape, type, ids."""

import numpy as np
import pytest

from service.errors import BodyTooLarge, InvalidBody, InvalidHeader
from service.ingest.intake import Refused
from service.records import Item
from tests.service.api.formats.sent import IMAGE, NUMBERS, TEXT, VECTOR, head, read

OCTETS = "application/octet-stream"


@pytest.mark.parametrize("shape", ["2,16", "2,4,4", "2,1,4,4", " 2 , 16 "])
async def test_shapes(shape: str) -> None:
    """Flat, or as in JSON: the same bytes are the same items."""
    fields = head(firstseen_dtype="uint8", firstseen_shape=shape)
    found, is_single = await read(bytes(range(32)), OCTETS, IMAGE, fields)

    assert not is_single
    assert [Item, Item] == [type(one) for one in found]
    np.testing.assert_array_equal(np.arange(16, 32, dtype=np.float32).reshape(1, 4, 4) / 255, found[1].x)  # type: ignore[union-attr]


async def test_no_shape() -> None:
    """The number of items follows from the size."""
    found, _ = await read(bytes(48), OCTETS, IMAGE, head(firstseen_dtype="uint8"))

    assert 3 == len(found)


async def test_ids() -> None:
    """Percent-encoded, empty for none; one that cannot be is refused alone."""
    fields = head(firstseen_dtype="uint8", firstseen_ids="a%2Cb, ,~x")
    found, _ = await read(bytes(48), OCTETS, IMAGE, fields)

    assert ["a,b", None, None] == [one.id for one in found]
    assert [Item, Item, Refused] == [type(one) for one in found]


@pytest.mark.parametrize(
    ("fields", "size", "error", "message"),
    [
        ({}, 16, InvalidHeader, "Firstseen-Dtype must be uint8 or float32; it is missing"),
        ({"firstseen_dtype": "float64"}, 16, InvalidHeader, "not 'float64'"),
        ({"firstseen_dtype": "uint8"}, 17, InvalidBody, "17 bytes; each item is 16 values of uint8, 16 bytes"),
        ({"firstseen_dtype": "uint8", "firstseen_shape": "2,16"}, 16, InvalidBody, "are 32 bytes, and 16 came"),
        ({"firstseen_dtype": "uint8", "firstseen_shape": "1,8"}, 16, InvalidHeader, "1,16 or 1,4,4 or 1,1,4,4, not"),
        ({"firstseen_dtype": "uint8", "firstseen_shape": "-1,16"}, 16, InvalidHeader, "numbers between commas"),
        ({"firstseen_dtype": "uint8", "firstseen_shape": "9" * 99}, 16, InvalidHeader, "numbers between commas"),
        ({"firstseen_dtype": "uint8", "firstseen_ids": "%ff"}, 16, InvalidHeader, "percent-encoded UTF-8"),
        ({"firstseen_dtype": "uint8", "firstseen_ids": "\xe9"}, 16, InvalidHeader, "percent-encoded UTF-8"),
        ({"firstseen_dtype": "uint8", "firstseen_ids": "a,b"}, 16, InvalidBody, "2 ids came for 1 items"),
        ({"firstseen_dtype": "uint8"}, 16 * 9, BodyTooLarge, "More than 8 items"),
    ],
)  # fmt: skip
async def test_refused(fields: dict[str, str], size: int, error: type[Exception], message: str) -> None:
    """What is wrong is said with what would be right."""
    with pytest.raises(error, match=message):
        await read(bytes(size), OCTETS, IMAGE, head(**fields))


async def test_other_inputs() -> None:
    """Vectors and tables of numbers have raw numbers, too; texts have none."""
    for spec in (VECTOR, NUMBERS):
        found, _ = await read(bytes(24), OCTETS, spec, head(firstseen_dtype="float32", firstseen_shape="2,3"))
        assert [Item, Item] == [type(one) for one in found]
    with pytest.raises(InvalidBody, match="takes no raw numbers; send a text"):
        await read(b"", OCTETS, TEXT, head(firstseen_dtype="uint8"))
