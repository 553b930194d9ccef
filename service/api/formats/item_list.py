"""The items of an object, found and counted before anything is made of them: for JSON and MessagePack.

    {"items": [...]} ─► Raw ─► [Raw, Raw, ...], no more than may be

An object of a million fields of other names is passed over, and a list stops at the first item too many.
"""

from functools import lru_cache
from typing import Annotated, Any

import msgspec

from service.errors import BodyTooLarge


class _Items(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    items: msgspec.Raw


class _Any(msgspec.Struct, gc=False):
    items: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ItemList:
    """Finds the items of bodies in one encoding.

    Args:
        decoder: msgspec's for it.
    """

    def __init__(self, decoder: type[msgspec.json.Decoder[Any]] | type[msgspec.msgpack.Decoder[Any]]) -> None:
        self._items = decoder(_Items)
        self._any = decoder(_Any)
        self._up_to = lru_cache(maxsize=8)(
            lambda most: decoder(Annotated[list[msgspec.Raw], msgspec.Meta(max_length=most)])
        )

    def listed(self, body: bytearray) -> msgspec.Raw | msgspec.UnsetType | None:
        """What stands under `items`; UNSET where there is none, and None where it is not alone.

        Raises:
            msgspec.ValidationError: The body is no object.
            msgspec.DecodeError: ... or not of the encoding.
        """
        try:
            found: msgspec.Raw = self._items.decode(body).items
        except msgspec.ValidationError:
            return msgspec.UNSET if self._any.decode(body).items is msgspec.UNSET else None
        return found

    def split(self, items: msgspec.Raw, *, max_items: int) -> list[msgspec.Raw]:
        """Each item of a list.

        Raises:
            BodyTooLarge: More than `max_items`.
            msgspec.DecodeError: Not of the encoding.
        """
        try:
            raws: list[msgspec.Raw] = self._up_to(max_items).decode(items)
        except msgspec.ValidationError:
            raise too_many(max_items) from None
        return raws


def too_many(max_items: int) -> BodyTooLarge:
    """The refusal of one item too many."""
    return BodyTooLarge(
        f"More than {max_items} items in one request: send at most {max_items}, or use WS /stream."
    )
