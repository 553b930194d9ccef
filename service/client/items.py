"""From what a caller has to what is sent: an id and a payload, as JSON.

Whatever can be an item becomes one: an `Item`, a dictionary `{"id": "a", "x": ...}`, a bare text, list or array. One
that has no id gets one here, before anything is sent, since an id is what makes a resend safe. Arrays are known by
what they can do (`tolist`), so numpy is not needed, and a row of a torch tensor will do.

What JSON cannot say, such as NaN, fails alone: it is refused here as the service would refuse it.
"""

import json
from collections.abc import Callable, Mapping, Set
from typing import Any

import msgspec

from service.client.answers import Problem, Refusal

RawItem = dict[str, Any]
"""An item as it is sent: `id` and `x`."""

_FIELDS = frozenset({"id", "x"})


class Item(msgspec.Struct, frozen=True):
    """One item.

    Attributes:
        x: The raw payload: numbers, flat or nested, or an array; a text; or a row of a table. `info().input` tells.
        id: 1 to 256 characters, not starting with `~`; None: one is made.
    """

    x: Any
    id: str | None = None


ItemLike = Item | Mapping[str, Any] | str | list[Any] | tuple[Any, ...] | Any
"""What `item_of` takes; the last alternative is an array."""


def item_of(given: ItemLike, new_id: Callable[[], str]) -> Item:
    """An item with an id.

    Raises:
        TypeError: It is nothing that could be an item; the message says what is.
    """
    if isinstance(given, Item):
        return given if given.id is not None else Item(x=given.x, id=new_id())
    if isinstance(given, Mapping):
        if "x" not in given or given.keys() - _FIELDS:
            raise TypeError(
                'A dictionary has to be an item, {"id": "a", "x": ...}; of a row of a table make {"x": row}. Got '
                f"one with {', '.join(map(repr, list(given)[:5])) or 'nothing'}."
            )
        id = given.get("id")
        return Item(x=given["x"], id=new_id() if id is None else id)
    if isinstance(given, str | list | tuple) or is_array(given):
        return Item(x=given, id=new_id())
    raise TypeError(
        f"An item is an Item, a dictionary with x, a text, a list or an array; got {given!r:.100}."
    )


def is_array(given: object) -> bool:
    """Whether it is an array of some library, such as numpy."""
    return hasattr(given, "tolist") and hasattr(given, "shape")


def raw_of(item: Item) -> RawItem:
    """The item as it is sent."""
    return {"id": item.id, "x": item.x}


def encoded(raw: RawItem) -> bytes:
    """An item as JSON.

    Raises:
        TypeError: It has no string as id.
        ValueError: It cannot be written as JSON, such as one with NaN.
    """
    id = raw.get("id")
    if not isinstance(id, str):
        raise TypeError(f"Every item needs a string as id, which makes a resend safe; one has {id!r:.100}.")
    if isinstance(raw.get("x"), Set):
        why = "a set has no order"
        raise ValueError(f"Item {id!r} cannot be written as JSON: {why}.")  # noqa: TRY004 - as for NaN in it
    try:
        written = msgspec.json.encode(raw, enc_hook=_plain)
        if b"null" in written:  # msgspec writes NaN so, which in a table would be a missing cell
            json.dumps(raw, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"Item {id!r} cannot be written as JSON: {error}.") from error
    return written


def refusal(id: object, detail: str, *, kind: str = "invalid-item") -> Refusal:
    """The refusal of an item that is not even sent."""
    problem = Problem(
        kind=f"/problems/{kind}", title="The item cannot be classified as sent", status=422, detail=detail
    )
    return Refusal(id=id if isinstance(id, str) else None, problem=problem)


def _plain(value: object) -> object:
    """An array or one of its numbers as JSON has it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
