"""Where the service is: what is taken, what is made of it, and what is never shown."""

import pytest

from service.client.address import Address


@pytest.mark.parametrize(
    ("url", "stream", "expected"),
    [
        ("http://localhost:8765", None, "ws://localhost:8765/watch"),
        ("https://x.org/", None, "wss://x.org/watch"),
        ("https://x.org/behind/a/path/", None, "wss://x.org/behind/a/path/watch"),
        ("http://[::1]:8765", "a&b", "ws://[::1]:8765/watch?stream=a%26b"),
    ],
)
def test_the_sockets_are_where_the_service_is(url: str, stream: str | None, expected: str) -> None:
    """With TLS where it has TLS, under its path, for its stream."""
    assert expected == Address.of(url, stream=stream).socket("/watch")


@pytest.mark.parametrize(
    "url", ["", "localhost:8765", "ws://x/stream", "http://", "http://[::1", "http://x:99999"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """With one that is."""
    with pytest.raises(ValueError, match=r"give one like http://127\.0\.0\.1:8765"):
        Address.of(url)


def test_the_key_is_in_a_header_and_nowhere_else() -> None:
    """Not in an address, which ends up in logs, and not in what is printed."""
    address = Address.of("http://x", api_key="secret")

    assert {"Authorization": "Bearer secret"} == address.headers
    assert "secret" not in address.socket("/stream") + repr(address)
    assert {} == Address.of("http://x").headers
    assert {"stream": "a"} == Address.of("http://x", stream="a").parameters


@pytest.mark.parametrize("key", ["a\n", "a\r\nX: y", "ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    """A line end is the usual slip."""
    with pytest.raises(ValueError, match="line end") as raised:
        Address.of("http://x", api_key=key)
    assert key not in str(raised.value)
