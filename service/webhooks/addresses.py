"""Where a webhook may go: what an address given by a person could reach, and must not.

A service inside a network is asked to send to an address that somebody else chose. Without a check that somebody sends
it to the cloud's metadata server, to a database on loopback, to a neighbour (server-side request forgery). So a name is
resolved once, the address that came out is checked, and the connection goes to that very address: a name that resolves
to another address a moment later ("DNS rebinding") gains nothing. This is done again at every try.

    https    to public addresses, and to the networks that the operator has named
    http     to those networks alone

Public is what IANA says is globally reachable, of IPv6 only what is handed out at all (2000::/3): other prefixes may be
another name for an address inside, by a translator or a tunnel of whoever runs this.

References: OWASP, "Server Side Request Forgery Prevention Cheat Sheet"; RFC 6890, RFC 6052.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_HANDED_OUT: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL: Final = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
MOST_URL: Final = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
"""Which an operator allows."""

EVERYWHERE: Final[Networks] = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))


class BadTarget(ValueError):
    """A webhook may not go there; the message says why, and what to do."""


def read_networks(listed: str) -> Networks:
    """Networks between commas, such as `10.20.0.0/16, fd00::/8, 192.168.7.5`; `true` is every one, `false` none.

    Raises:
        ValueError: One cannot be read; the message says which.
    """
    if listed.strip().lower() in ("true", "false", ""):
        return EVERYWHERE if listed.strip().lower() == "true" else ()
    networks = []
    for text in (part.strip() for part in listed.split(",")):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ValueError(
                f"{text!r} is no network ({error}); give some like 10.20.0.0/16, or true"
            ) from None
    return tuple(networks)


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, and not of this machine, this network, or many.

    IPv6 that carries an IPv4 address (mapped, 6to4, NAT64, Teredo) is as public as that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo
        inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _HANDED_OUT:
            return False
    elif any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_url(url: str, *, allowed: Networks) -> SplitResult:
    """Whether a webhook may have this URL, as far as that can be told without resolving its name.

    Args:
        url: As a person gave it.
        allowed: Networks that the operator has named.

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
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed):
        raise BadTarget("url: send one that begins with https://")
    if parts.username is not None or parts.password is not None:
        raise BadTarget("url: leave user and password out; receivers know us by the signature")
    if not parts.hostname or port == 0 or "\\" in url:
        raise BadTarget("url: it names no host; send one like https://example.com/hook")
    if parts.fragment:
        raise BadTarget("url: leave out what follows #; it is never sent")
    if _literal(parts.hostname) is not None:
        choose(parts, [parts.hostname], allowed=allowed)
    return parts


def choose(url: SplitResult, found: Iterable[str], *, allowed: Networks) -> str:
    """The address to connect to, of those that a name resolves to: the first that may be used.

    Args:
        url: As `check_url` gave it.
        found: What its host resolves to.
        allowed: As of `check_url`.

    Raises:
        BadTarget: None may.
    """
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in found]
    for address in addresses:
        if _is_in(address, allowed) or (url.scheme == "https" and is_public(address)):
            return str(address)
    if not addresses:
        raise BadTarget(f"{url.hostname} has no address")
    if url.scheme == "http":
        raise BadTarget(
            f"{url.hostname} is in none of the networks that the operator names in FIRSTSEEN_WEBHOOKS_PRIVATE; to "
            "others send one that begins with https://"
        )
    raise BadTarget(
        f"{url.hostname} is a private address, or resolves to one; webhooks go to public ones, and to networks that "
        "the operator names in FIRSTSEEN_WEBHOOKS_PRIVATE"
    )


def _is_in(address: Address, networks: Networks) -> bool:
    """Whether an address is in one of these networks; one of IPv4 in IPv6's clothes is what it is inside."""
    bare = getattr(address, "ipv4_mapped", None) or address
    return any(bare in network for network in networks)


def _literal(host: str) -> Address | None:
    """The address that a host is written as, if it is."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
