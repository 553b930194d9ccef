"""Where a webhook may go: what an address given by a person could reach, and must not.

A service inside a network is asked to send to an address that somebody else chose. Without a check that somebody sends
it to the cloud's metadata server, to a database on loopback, to a neighbour (server-side request forgery). So a name is
resolved once, the address that came out is checked, and the connection goes to that very address: a name that resolves
to another address a moment later ("DNS rebinding") gains nothing. This is done again at every try.

Reference: OWASP, "Server Side Request Forgery Prevention Cheat Sheet".
"""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_SPECIAL: Final = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
MOST_URL: Final = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadTarget(ValueError):
    """A webhook may not go there; the message says why, and what to do."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, and not of this machine, this network, or many.

    IPv6 that carries an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo) is as public as that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64 or address in _COMPATIBLE:
            inner: Address | None = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            teredo = address.teredo
            inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    elif any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_url(url: str, *, may_be_private: bool) -> SplitResult:
    """Whether a webhook may have this URL, as far as that can be told without resolving its name.

    Args:
        url: As a person gave it.
        may_be_private: Whether http and private addresses are allowed.

    Raises:
        BadTarget: It may not.
    """
    if len(url) > MOST_URL or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise BadTarget(f"url: send at most {MOST_URL} characters of ASCII, without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadTarget("url: it cannot be read; send one like https://example.com/hook") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and may_be_private):
        raise BadTarget("url: send one that begins with https://")
    if parts.username is not None or parts.password is not None:
        raise BadTarget("url: leave user and password out; receivers know us by the signature")
    if not parts.hostname or port == 0 or "\\" in url:
        raise BadTarget("url: it names no host; send one like https://example.com/hook")
    if parts.fragment:
        raise BadTarget("url: leave out what follows #; it is never sent")
    literal = _literal(parts.hostname)
    if literal is not None and not may_be_private and not is_public(literal):
        raise BadTarget(_refusal(parts.hostname))
    return parts


def choose(host: str, found: Iterable[str], *, may_be_private: bool) -> str:
    """The address to connect to, of those that a name resolves to: the first that may be used.

    Raises:
        BadTarget: None may.
    """
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in found]
    for address in addresses:
        if may_be_private or is_public(address):
            return str(address)
    raise BadTarget(_refusal(host) if addresses else f"{host} has no address")


def _literal(host: str) -> Address | None:
    """The address that a host is written as, if it is."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refusal(host: str) -> str:
    return (
        f"{host} is a private address, or resolves to one; webhooks go to public ones alone, unless the operator sets "
        "FIRSTSEEN_WEBHOOKS_PRIVATE=true"
    )
