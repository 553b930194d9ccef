"""Where the service is, and what every request says: stream and key."""

from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

DEFAULT_URL = "http://127.0.0.1:8765"

_SOCKETS = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, kw_only=True)
class Address:
    """The service's address, checked.

    Attributes:
        url: `http://host:port`, without a slash at its end; a path before it is kept.
        stream: The stream's name; None: the service's own.
        api_key: Sent as `Authorization: Bearer`; None: no key. Never part of an address or a message.
    """

    url: str
    stream: str | None = None
    api_key: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, *, stream: str | None = None, api_key: str | None = None) -> "Address":
        """Check an address.

        Raises:
            ValueError: It is not one of HTTP.
        """
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in _SOCKETS and bool(parts.hostname) and (parts.port or 0) >= 0
        except ValueError:
            is_usable = False
        if not is_usable:
            raise ValueError(f"{url!r} is not an address of HTTP; give one like {DEFAULT_URL}.")
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ValueError("The API key has characters that no key has; was it copied with a line end?")
        return cls(url=url.rstrip("/"), stream=stream, api_key=api_key or None)

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}

    @property
    def parameters(self) -> dict[str, str]:
        """Of every request's query."""
        return {} if self.stream is None else {"stream": self.stream}

    def socket(self, path: str) -> str:
        """The address of a WebSocket."""
        scheme, _, rest = self.url.partition("://")
        query = "" if self.stream is None else f"?stream={quote(self.stream, safe='')}"
        return f"{_SOCKETS[scheme.lower()]}://{rest}{path}{query}"
