"""Which web pages may make their readers' browsers ask this service, and under which names it may be asked.

A browser is the one program through which a stranger can reach a service that only listens on loopback. Two rules:

**Origin.** A browser names the page's origin (RFC 6454) in every WebSocket handshake, every cross-site POST and every
request whose answer the page wants to read, and no page can change it; programs send none. Served are pages of the
service itself (the origin has the host and port of the Host header) and those of `FIRSTSEEN_ORIGINS`.

**Host.** A page of evil.example may let its name lead to 127.0.0.1 once it is loaded (DNS rebinding): then Origin and
Host agree. Where a key is needed that is of no use to it. Where none is, the service answers only to names that a
stranger cannot own: an address, localhost, or a name of `FIRSTSEEN_HOSTS`.
"""

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

_LONGEST_HOST: Final = 261
"""Characters of the longest name there can be, with a port: what is longer is not even remembered."""


def read_origins(listed: str) -> frozenset[str]:
    """Origins between commas, `https://app.example:8443`. ValueError says what to send."""
    found = set()
    for text in _words(listed):
        parts = urlsplit(text)
        bare = (
            parts.scheme in {"http", "https"}
            and parts.hostname
            and text == f"{parts.scheme}://{parts.netloc}"
        )
        if not bare or "@" in parts.netloc or "*" in text:
            raise ValueError(
                f"{text!r} is no origin; give scheme, host and port alone, like https://app.example:8443"
            )
        found.add(text)
    return frozenset(found)


def read_hosts(listed: str) -> frozenset[str]:
    """Host names between commas, without ports. ValueError says what to send."""
    names = _words(listed)
    for name in names:
        if any(c in name for c in "/:@* "):
            raise ValueError(f"{name!r} is no host name; give it alone, like firstseen.example")
    return frozenset(names)


def is_own_page(origin: str, host: str, allowed: Collection[str] = ()) -> bool:
    """Whether a page of this origin may ask: it is allowed, or its host and port are those of the Host header."""
    if origin.lower() in allowed:
        return True
    try:
        place = urlsplit(origin).netloc.lower()
    except ValueError:  # brackets that are no IPv6 address
        return False
    return bool(place) and place == host.lower()


def is_own_host(host: str, allowed: frozenset[str] = frozenset()) -> bool:
    """Whether a Host header names an address, localhost, or one of the names allowed. None at all is no name: of
    programs, since a browser always sends one.
    """
    return len(host) <= _LONGEST_HOST and _is_own_host(host, allowed)


@lru_cache(maxsize=256)
def _is_own_host(host: str, allowed: frozenset[str]) -> bool:
    if not host:
        return True
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or name in allowed or is_address(name)


def is_address(name: str) -> bool:
    """Whether it is an IP address, which no name server has a say in."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone; of names, only localhost is known to be."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _words(listed: str) -> list[str]:
    return [word.strip().lower() for word in listed.split(",") if word.strip()]
