"""The headers of a request, read in one pass; and the numbers that bound a body."""

from collections.abc import Iterable
from dataclasses import dataclass

from service.errors import InvalidHeader

LONGEST_VALUE = 1024
"""Characters of a header that has a form to keep to; one with ids may be longer."""


@dataclass(frozen=True, slots=True)
class Head:
    """Headers by name, in lower case; those that came more than once are joined by commas (RFC 9110 section 5.2)."""

    fields: dict[bytes, bytes]

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> "Head":
        """The headers of an ASGI scope."""
        fields: dict[bytes, bytes] = {}
        for name, value in headers:
            fields[name] = value if name not in fields else fields[name] + b", " + value
        return cls(fields)

    def text(self, name: bytes, otherwise: str = "") -> str:
        """The value of a header as text."""
        value = self.fields.get(name)
        return otherwise if value is None else value.decode("latin-1")

    def short(self, name: str) -> str | None:
        """The value of a header that has a form to keep to, None where it is not there.

        Raises:
            InvalidHeader: It is absurdly long.
        """
        value = self.fields.get(name.lower().encode())
        if value is not None and len(value) > LONGEST_VALUE:
            raise InvalidHeader(f"{name} is over {LONGEST_VALUE} characters.")
        return None if value is None else value.decode("latin-1").strip()

    @property
    def media_type(self) -> str:
        """Of the body, without its parameters."""
        return media_type_of(self.text(b"content-type"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one request may bring.

    Attributes:
        max_bytes: Of its body, decompressed; also of one line of a stream of lines.
        max_items: In its body.
        max_pixels: Of a picture.
    """

    max_bytes: int
    max_items: int
    max_pixels: int


def media_type_of(value: str) -> str:
    """The media type in a Content-Type or a part of an Accept header: `Text/HTML; charset=utf-8` is `text/html`."""
    return value.partition(";")[0].strip().lower()
