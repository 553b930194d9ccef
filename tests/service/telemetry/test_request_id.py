"""A client's name for a request is taken if it is harmless, and otherwise one is made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.request_id import namer


@pytest.mark.parametrize("header", [b"a", b"0af7.x_y-Z", b"x" * 64])
def test_a_sane_name_is_kept(header: bytes) -> None:
    assert header.decode() == namer("p")(header)


@pytest.mark.parametrize(
    "header", [None, b"", b"x" * 65, b"a b", b"a\n", b'{"a": 1}', b"\xff", "é".encode(), b"a\x1b[31m"]
)
def test_any_other_is_replaced(header: bytes | None) -> None:
    """By the process and a number, each its own."""
    name = namer("p")

    assert ["p-1", "p-2"] == [name(header), name(header)]


@given(st.binary(max_size=100))
def test_no_name_needs_escaping(header: bytes) -> None:
    """In a header, a log line or a URI."""
    name = namer("p-0")(header)

    assert 1 <= len(name) <= 64
    assert name.isascii()
    assert all(sign.isalnum() or sign in "._-" for sign in name)
