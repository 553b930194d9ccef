"""What the routes share: which stream is meant, and the bounds on all of them together."""

from typing import Any, cast

import pytest
from starlette.requests import HTTPConnection

from service.api.context import Context, check_stream, stream_named
from service.errors import UnknownStream
from service.settings import Settings


class Served:
    """As much of a context as is looked at here."""

    settings = Settings.read({}, stream="mine")


CONTEXT = cast("Context", Served())


def connection(query: bytes) -> HTTPConnection:
    scope: dict[str, Any] = {"type": "http", "headers": [], "query_string": query}
    return HTTPConnection(scope)


@pytest.mark.parametrize(
    ("query", "name"), [(b"", "mine"), (b"stream=mine", "mine"), (b"stream=other", "other")]
)
def test_the_stream_that_is_meant(query: bytes, name: str) -> None:
    """The one that is named, or else the service's."""
    assert name == stream_named(connection(query), CONTEXT)


def test_another_stream() -> None:
    """One that is not served is refused, with the one that is."""
    check_stream(connection(b"stream=mine"), CONTEXT)
    with pytest.raises(UnknownStream, match="send to 'mine'"):
        check_stream(connection(b"stream=other"), CONTEXT)
