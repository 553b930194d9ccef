"""From what a client sent to `Item`s: every item is checked on its own, before it joins a batch.

An item is an object `{"id": "a", "x": ...}`. `id` is optional, a string of 1 to 256 characters; it makes a
resend safe, since an id keeps its verdict. `x` is the raw payload in the bundle's input format
(`model.inputs`). Anything else is refused for that item alone, with a message that says what to send.
"""

from dataclasses import dataclass

from model.inputs import InputSpec, InvalidInput, decode_item, describe
from service.errors import ClientError, InvalidItem
from service.records import AUTO_ID_PREFIX, Item

MAX_ID_CHARACTERS = 256

_FIELDS = frozenset({"id", "x"})


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that gets no verdict, in its place among the others: it cannot be classified as it was sent, or is in
    quarantine.
    """

    id: str | None
    error: ClientError


def read_item(raw: object, spec: InputSpec) -> Item:
    """One item from parsed JSON or MessagePack.

    Raises:
        InvalidItem: It cannot be classified as sent.
    """
    if not isinstance(raw, dict):
        raise InvalidItem(f'An item must be an object like {{"id": "a", "x": [...]}}, not {_named(raw)}.')
    if unknown := sorted(str(name) for name in raw.keys() - _FIELDS):
        raise InvalidItem(f"An item has the fields id and x; remove {', '.join(unknown[:5])[:200]}.")
    if "x" not in raw:
        raise InvalidItem(f"The item has no x: send {describe(spec)} as x.")
    id = read_id(raw.get("id"))
    try:
        return Item(id=id, x=decode_item(raw["x"], spec))
    except InvalidInput as invalid:
        raise InvalidItem(str(invalid)) from None


def read_items(raws: list[object], spec: InputSpec) -> list[Item | Refused]:
    """Each item or why it is refused, in order."""
    read: list[Item | Refused] = []
    for raw in raws:
        try:
            read.append(read_item(raw, spec))
        except InvalidItem as error:
            read.append(Refused(_id_for_reply(raw), error))
    return read


def read_id(id: object) -> str | None:
    """A client's id, checked."""
    if id is None:
        return None
    if not isinstance(id, str):
        raise InvalidItem(f"id must be a string, not {_named(id)}.")
    if not 1 <= len(id) <= MAX_ID_CHARACTERS:
        raise InvalidItem(f"id must have 1 to {MAX_ID_CHARACTERS} characters, not {len(id)}.")
    if id.startswith(AUTO_ID_PREFIX):
        raise InvalidItem(f"id must not start with {AUTO_ID_PREFIX}: such ids are firstseen's own.")
    try:
        id.encode()
    except UnicodeEncodeError:
        raise InvalidItem("id must be valid Unicode: it has a lone surrogate.") from None
    return id


def _id_for_reply(raw: object) -> str | None:
    """The id a refused item came with, if it is fit to be repeated in the answer."""
    id = raw.get("id") if isinstance(raw, dict) else None
    try:
        return read_id(id)
    except InvalidItem:
        return None


def _named(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return "null" if value is None else names.get(type(value), "an object")
