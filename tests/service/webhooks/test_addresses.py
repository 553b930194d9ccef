"""Where a webhook may go, and every way to smuggle another place in."""

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.webhooks.addresses import EVERYWHERE, BadTarget, check_url, choose, is_public, read_networks

PRIVATE = [
    *("127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.0.0.8"),
    str(ipaddress.IPv4Address(0)),
    *("::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("::ffff:0:7f00:1", "::ffff:0:a00:1", "4000::1", "5f00::1", "100::1"),  # translators, and not handed out
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo, of 10.0.0.1
]
HTTPS, HTTP = urlsplit("https://name.example/"), urlsplit("http://name.example/")
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_of_the_open_internet(text: str) -> None:
    """Loopback, private, link-local, shared, multicast, unspecified, reserved; bare and inside IPv6."""
    assert not is_public(ipaddress.ip_address(text))
    with pytest.raises(BadTarget, match="private"):
        choose(HTTPS, [text], allowed=())


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
    assert "1.1.1.1" == choose(HTTPS, ["10.0.0.1", "1.1.1.1", "8.8.8.8"], allowed=())
    assert "10.0.0.1" == choose(HTTPS, ["10.0.0.1", "1.1.1.1"], allowed=EVERYWHERE)
    with pytest.raises(BadTarget, match="no address"):
        choose(HTTPS, [], allowed=EVERYWHERE)


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
    check_url(url, allowed=())


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
        check_url(url, allowed=())


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/x", "http://hooks.internal/", "https://10.0.0.1/"])
def test_what_an_operator_allows(url: str) -> None:
    """Plain http and private addresses; credentials still not."""
    check_url(url, allowed=EVERYWHERE)
    with pytest.raises(BadTarget, match="user and password"):
        check_url(url.replace("://", "://user:pw@"), allowed=EVERYWHERE)


NETWORKS = read_networks("10.20.0.0/16, fd00::/8,192.168.7.5")


@pytest.mark.parametrize("text", ["10.20.3.4", "192.168.7.5", "fd12::1", "::ffff:10.20.3.4"])
def test_a_network_that_an_operator_names(text: str) -> None:
    """By http as well as by https; one of IPv4 in IPv6, too."""
    assert choose(HTTP, [text], allowed=NETWORKS) == choose(HTTPS, [text], allowed=NETWORKS)
    check_url(f"http://[{text}]/" if ":" in text else f"http://{text}/", allowed=NETWORKS)


@pytest.mark.parametrize(
    "text", ["10.21.0.1", "127.0.0.1", "192.168.7.6", "169.254.169.254", "fe80::1", "::1"]
)
def test_a_network_that_he_does_not_name(text: str) -> None:
    """Stays closed."""
    for url in (HTTP, HTTPS):
        with pytest.raises(BadTarget, match="FIRSTSEEN_WEBHOOKS_PRIVATE"):
            choose(url, [text], allowed=NETWORKS)
    with pytest.raises(BadTarget, match="FIRSTSEEN_WEBHOOKS_PRIVATE"):
        check_url(f"https://[{text}]/" if ":" in text else f"https://{text}/", allowed=NETWORKS)


def test_http_never_leaves_the_networks() -> None:
    """To public addresses it is https, whatever is allowed beside them."""
    assert "10.20.0.1" == choose(HTTP, ["8.8.8.8", "10.20.0.1"], allowed=NETWORKS)
    assert "8.8.8.8" == choose(HTTPS, ["8.8.8.8", "10.20.0.1"], allowed=NETWORKS)
    with pytest.raises(BadTarget, match="https://"):
        choose(HTTP, ["8.8.8.8"], allowed=NETWORKS)


def test_all_or_none_of_them() -> None:
    """As words."""
    assert EVERYWHERE == read_networks(" True ")
    assert () == read_networks("false") == read_networks("")


@pytest.mark.parametrize(
    "listed", ["10.0.0.1/8", "intranet", "10.0.0.0/33", "10.0.0.0/8,", "1.2.3.4;5.6.7.8"]
)
def test_what_is_no_network(listed: str) -> None:
    """Is refused with what to give."""
    with pytest.raises(ValueError, match=r"10\.20\.0\.0/16"):
        read_networks(listed)
