"""Which pages may ask, and by which names: all spellings of one's own, and none of another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.origins import is_loopback, is_own_host, is_own_page, read_hosts, read_origins


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8765", "localhost:8765"),
        ("https://Firstseen.Example", "firstseen.example"),
        ("http://[::1]:8765", "[::1]:8765"),
    ],
)
def test_own_pages(origin: str, host: str) -> None:
    """A page of the host and port that was asked is served."""
    assert is_own_page(origin, host)


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
    assert not is_own_page(origin, "localhost:8765")


def test_no_host() -> None:
    """Where no host was named no page is one's own."""
    assert not is_own_page("http://", "")


def test_allowed_pages() -> None:
    """An origin that is listed, as a whole: not its other ports, schemes or sub-domains."""
    allowed = read_origins("https://app.example, http://localhost:3000")

    assert is_own_page("https://app.example", "127.0.0.1:8765", allowed)
    assert is_own_page("https://APP.example", "127.0.0.1:8765", allowed)
    for other in (
        "http://app.example",
        "https://app.example:8443",
        "https://x.app.example",
        "http://localhost:3001",
    ):
        assert not is_own_page(other, "127.0.0.1:8765", allowed)


@pytest.mark.parametrize(
    "listed", ["*", "app.example", "https://*.example", "https://a/b", "ftp://a", "https://u@a", "null"]
)
def test_origins_that_are_none(listed: str) -> None:
    """No wild card, no path, no scheme but http and https."""
    with pytest.raises(ValueError, match=r"https://app\.example:8443"):
        read_origins(listed)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1:8765",
        "localhost",
        "LocalHost:1",
        "a.localhost",
        "[::1]:8765",
        "10.0.0.7",
        "[fe80::1]",
        "fs.example",
        "fs.example:443",
        "localhost.",
    ],
)
def test_own_hosts(host: str) -> None:
    """Addresses, localhost, and what is listed; and none at all, which no browser sends."""
    assert is_own_host(host, read_hosts("FS.example, other"))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "service",
        "x.fs.example",
        "[::1",
        "localhost" + "x" * 300,
        "0x7f.1",
        "::1",
    ],
)
def test_other_hosts(host: str) -> None:
    """A name that a stranger may own is refused, whatever it looks like; what is no address is a name."""
    assert not is_own_host(host, read_hosts("fs.example"))


@given(st.text(max_size=30))
def test_no_host_breaks_it(host: str) -> None:
    """Whatever is sent, there is an answer."""
    assert is_own_host(host) in (True, False)


@pytest.mark.parametrize("name", ["a:1", "http://a", "a/b", "*.example", "a@b"])
def test_hosts_that_are_none(name: str) -> None:
    """Names alone."""
    with pytest.raises(ValueError, match="no host name"):
        read_hosts(name)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - refused here
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    """Only addresses that no other machine reaches; all interfaces, and names that may lead anywhere, are not."""
    assert is_loopback(host) is expected
