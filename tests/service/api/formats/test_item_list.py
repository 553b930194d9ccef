"""Items are found and counted, whatever else is in the body."""

from typing import Any

import msgspec
import pytest

from service.api.formats.item_list import ItemList
from service.errors import BodyTooLarge

CODECS = [
    pytest.param(msgspec.json.encode, msgspec.json.Decoder, id="JSON"),
    pytest.param(msgspec.msgpack.encode, msgspec.msgpack.Decoder, id="MessagePack"),
]


@pytest.mark.parametrize(("encode", "decoder"), CODECS)
def test_items(encode: Any, decoder: Any) -> None:
    """Each is there as it was sent; one too many is refused, as many as may be are not."""
    finder = ItemList(decoder)
    found = finder.listed(bytearray(encode({"items": [{"x": 1}, {"x": 2}]})))
    assert isinstance(found, msgspec.Raw)

    assert [encode({"x": 1}), encode({"x": 2})] == [bytes(raw) for raw in finder.split(found, max_items=2)]
    with pytest.raises(BodyTooLarge, match="at most 1"):
        finder.split(found, max_items=1)


@pytest.mark.parametrize(("encode", "decoder"), CODECS)
def test_none_or_not_alone(encode: Any, decoder: Any) -> None:
    """A body without items is told from one whose items have company, and from one that is no object."""
    finder = ItemList(decoder)

    assert finder.listed(bytearray(encode({"x": 1}))) is msgspec.UNSET
    assert finder.listed(bytearray(encode({"items": [], "x": 1}))) is None
    with pytest.raises(msgspec.ValidationError):
        finder.listed(bytearray(encode([1])))
