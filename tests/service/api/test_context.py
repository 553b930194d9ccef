"""What the routes share: who may ask, and the bounds on all of them together."""

import pytest
from starlette.requests import HTTPConnection

from service.api.context import check_origin
from service.errors import ForeignOrigin


def connection(origin: str | None, host: str = "localhost:8765") -> HTTPConnection:
    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    return HTTPConnection({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "localhost:8765"),
        ("http://localhost:8765", "localhost:8765"),
        ("https://Firstseen.Example", "firstseen.example"),
        ("http://[::1]:8765", "[::1]:8765"),
    ],
)
def test_own_pages(origin: str | None, host: str) -> None:
    """A program without an Origin, and a page of the host and port that was asked, are served."""
    check_origin(connection(origin, host))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost",
        "http://localhost:9000",
        "http://localhost:8765.evil.example",
        "http://evil.example/localhost:8765",
        "http://evil@localhost:8765",
        "null",
        "",
        "http://[evil",
        "localhost:8765",
    ],
)
def test_other_pages(origin: str) -> None:
    """Every other origin is refused, another port, none at all and nonsense included."""
    with pytest.raises(ForeignOrigin, match="may not send items"):
        check_origin(connection(origin))


def test_no_host() -> None:
    """Where no host was named no page is one's own."""
    with pytest.raises(ForeignOrigin):
        check_origin(connection("http://", host=""))
