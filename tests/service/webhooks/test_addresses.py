"""Where a webhook may go, and every way to smuggle another place in."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.webhooks.addresses import BadTarget, check_url, choose, is_public

PRIVATE = [
    *("127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.0.0.8"),
    str(ipaddress.IPv4Address(0)),
    *("::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo, of 10.0.0.1
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_of_the_open_internet(text: str) -> None:
    """Loopback, private, link-local, shared, multicast, unspecified, reserved; bare and inside IPv6."""
    assert not is_public(ipaddress.ip_address(text))
    with pytest.raises(BadTarget, match="private"):
        choose("name.example", [text], may_be_private=False)


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_open_internet(text: str) -> None:
    """Of either family."""
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="100.64.0.0/10"))
def test_a_private_address_stays_private_in_ipv6(address: ipaddress.IPv4Address) -> None:
    """Mapped, 6to4, NAT64."""
    n = int(address)
    inside = [(0xFFFF << 32) | n, (0x2002 << 112) | (n << 80), (0x64FF9B << 96) | n]

    assert not any(is_public(ipaddress.IPv6Address(one)) for one in inside)


def test_the_first_that_may_be_used_is_taken() -> None:
    """A name may have addresses of both kinds."""
    assert "1.1.1.1" == choose("a", ["10.0.0.1", "1.1.1.1", "8.8.8.8"], may_be_private=False)
    assert "10.0.0.1" == choose("a", ["10.0.0.1", "1.1.1.1"], may_be_private=True)
    with pytest.raises(BadTarget, match="no address"):
        choose("a", [], may_be_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "https://example.com:8443/a?b=c",
        "https://[2606:4700:4700::1111]/x",
        "https://1.1.1.1/",
    ],
)
def test_a_url_that_may_be_used(url: str) -> None:
    """https, to a name or a public address."""
    check_url(url, may_be_private=False)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.com",
            "//example.com/x",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://",
            "https:///x",
        ),
        *(
            "http://example.com/",
            "https://user@example.com/",
            "https://user:pw@example.com/",
            "https://:pw@h/",
        ),
        *(
            "https://example.com/#f",
            "https://exa mple.com/",
            "https://example.com/\r\nx: y",
            "https://ex\u00e4mple.com",
        ),
        *("https://example.com:0/", "https://example.com:99999/", "https://example.com:x/", "https://[::1"),
        *(
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/",
        ),
        *("https://a\\@b/", "https://example.com/" + "a" * 2000),
    ],
)
def test_a_url_that_may_not(url: str) -> None:
    """With what to send instead."""
    with pytest.raises(BadTarget):
        check_url(url, may_be_private=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/x", "http://hooks.internal/", "https://10.0.0.1/"])
def test_what_an_operator_allows(url: str) -> None:
    """Plain http and private addresses; credentials still not."""
    check_url(url, may_be_private=True)
    with pytest.raises(BadTarget, match="user and password"):
        check_url(url.replace("://", "://user:pw@"), may_be_private=True)
