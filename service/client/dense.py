"""Arrays that go as they lie in memory: no number is written here, and none parsed there.

An array of uint8 or of little-endian float32 does, since the service reads these two (`docs/http.md`, raw numbers;
`docs/protocol.md`, `batch`). It is known by what it can do, as arrays of numpy can, so numpy need not be there; an
array of anything else is written as numbers. Raw or not, the verdict is the same to the bit.
"""

import struct
from typing import Any, Literal, NamedTuple

import msgspec

_DTYPES: dict[str, Literal["uint8", "float32"]] = {"|u1": "uint8", "<f4": "float32"}
_CODES = {"uint8": "B", "float32": "f"}


class Form(NamedTuple):
    """What one item's numbers are.

    Attributes:
        dtype: Of each.
        shape: Of all.
        n: How many.
    """

    dtype: Literal["uint8", "float32"]
    shape: tuple[int, ...]
    n: int


def form_of(x: Any) -> Form | None:  # noqa: ANN401 - whatever a caller has
    """The form in which it goes raw; None: it does not."""
    kind = getattr(x, "dtype", None)
    if kind is None:
        return None
    dtype = _DTYPES.get(getattr(kind, "str", ""))
    if dtype is None or not hasattr(x, "tobytes") or not x.shape or not x.size:
        return None
    return Form(dtype, tuple(x.shape), int(x.size))


def goes_in_a_header(id: object) -> bool:
    """Whether an id may stand beside raw numbers: it is printable ASCII, as nearly all are."""
    return isinstance(id, str) and bool(id) and id.isascii() and id.isprintable()


def as_json(id: str, data: bytes, form: Form) -> bytes:
    """The same item as JSON, flat; a NaN is null: a missing cell of a table, and no number of an image."""
    numbers = list(struct.unpack(f"<{form.n}{_CODES[form.dtype]}", data))
    return msgspec.json.encode({"id": id, "x": numbers})
