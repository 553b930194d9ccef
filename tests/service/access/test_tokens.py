"""The text of a key: every key reads back as itself, and nothing else reads at all."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.tokens import (
    ID_BYTES,
    PATTERN,
    SECRET_BYTES,
    TICKET_PATTERN,
    BadToken,
    Token,
    digest_of,
    make_ticket,
    make_token,
    read_ticket,
    read_token,
)

ids = st.binary(min_size=ID_BYTES, max_size=ID_BYTES)
secrets = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
characters = string.ascii_letters + string.digits


@given(ids, secrets)
def test_round_trip(id_bytes: bytes, secret: bytes) -> None:
    """A key that was made reads as its id and its digest, and looks as scanners are told."""
    text = make_token(id_bytes, secret)

    assert Token(text[3:11], digest_of(text)) == read_token(text)
    assert re.fullmatch(PATTERN, text)
    assert 61 == len(text)


@given(ids, secrets, secrets)
def test_another_secret_is_another_key(id_bytes: bytes, one: bytes, other: bytes) -> None:
    """No two secrets have one text, or one digest."""
    same = make_token(id_bytes, one) == make_token(id_bytes, other)

    assert same is (one == other)


@given(ids, secrets, st.integers(0, 60), st.sampled_from(characters))
def test_a_typing_error_is_told(id_bytes: bytes, secret: bytes, at: int, typed: str) -> None:
    """One character that is another makes it no key; the message tells how it was mistyped."""
    text = make_token(id_bytes, secret)
    wrong = text[:at] + typed + text[at + 1 :]
    if wrong == text:
        assert read_token(wrong)
        return
    with pytest.raises(BadToken, match="copy it whole"):
        read_token(wrong)


@given(st.text(max_size=80) | st.from_regex(PATTERN, fullmatch=True))
def test_anything_else(text: str) -> None:
    """Whatever is sent is refused with a BadToken, which does not repeat it, or was a key."""
    try:
        token = read_token(text)
    except BadToken as bad:
        assert len(text) < 12 or text not in str(bad)  # noqa: PT017 - either may happen
    else:
        assert text.startswith(f"fs_{token.id}_")


@given(ids, secrets, st.sampled_from(["\n", " ", "\0", "é", "٣"]))
def test_nothing_may_surround_it(id_bytes: bytes, secret: bytes, more: str) -> None:
    """No space, no line end, no digit of another script."""
    text = make_token(id_bytes, secret)
    for wrong in (text + more, more + text, text[:-1] + more):
        with pytest.raises(BadToken):
            read_token(wrong)


@given(secrets)
def test_ticket(secret: bytes) -> None:
    """A ticket reads as its digest, and is no key; nor is a key a ticket."""
    text = make_ticket(secret)

    assert digest_of(text) == read_ticket(text)
    assert re.fullmatch(TICKET_PATTERN, text)
    with pytest.raises(BadToken):
        read_token(text)
    with pytest.raises(BadToken):
        read_ticket(make_token(bytes(5), secret))
    with pytest.raises(BadToken, match="mistyped"):
        read_ticket(text[:-1] + ("A" if text[-1] != "A" else "B"))
