"""What a key looks like: made, read, and told from a typing error, without any store.

    fs_k3x9p2qa_3Vq8...43 characters...Zt0aB1cD
    │  │        │                          │
    │  │        │                          check: CRC-32 of all before it, 6 characters
    │  │        secret: 32 random bytes
    │  id: 8 characters, shown in lists and logs
    a fixed beginning, which programs that look for leaked secrets can search for (`PATTERN`)

Letters and digits only, so that a double click takes all of it and no shell or URL changes it. The check tells a
key that was cut off or mistyped from one that is not (any more) valid, before anybody is asked; it protects nothing.

What is kept of a key is the SHA-256 of its text. A slow hash (argon2, scrypt) makes guessing a *person's* password
dear; nobody guesses 256 random bits, at any price a guess, while every request would pay it: some 50 ms instead of
1 us, on the very path that an attacker can call for free. No salt either, as no two keys are alike.

A *ticket* is the same without an id, `fst_...`: it opens one WebSocket, once, within 30 s (service/api/tickets.py).
"""

import hashlib
import re
import zlib
from dataclasses import dataclass
from typing import Final

SECRET_BYTES: Final = 32
ID_BYTES: Final = 5

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_SECRET: Final = 43  # characters: 62^43 > 2^256
_CHECK: Final = 6  # 62^6 > 2^32
_ID: Final = 8  # 36^8 > 2^40

PATTERN: Final = rf"fs_[0-9a-z]{{{_ID}}}_[0-9A-Za-z]{{{_SECRET + _CHECK}}}"
TICKET_PATTERN: Final = rf"fst_[0-9A-Za-z]{{{_SECRET + _CHECK}}}"

_TOKEN: Final = re.compile(PATTERN)
_TICKET: Final = re.compile(TICKET_PATTERN)


class BadToken(ValueError):
    """It cannot be a key, or a ticket; the message says what about it is wrong."""


LENGTH: Final = 3 + _ID + 1 + _SECRET + _CHECK
"""Characters of a key."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a key that was presented. id: as in lists; digest: 32 bytes, SHA-256 of its text."""

    id: str
    digest: bytes


def make_token(id_bytes: bytes, secret: bytes) -> str:
    """A new key.

    Args:
        id_bytes: 5 random bytes.
        secret: 32 random bytes, from a source that is made for secrets.
    """
    assert (len(id_bytes), len(secret)) == (ID_BYTES, SECRET_BYTES)
    return _checked(f"fs_{_written(id_bytes, _BASE36, _ID)}_{_written(secret, _BASE62, _SECRET)}")


def id_in(text: str) -> str:
    """Where the id of a key stands; of any other text whatever stands there."""
    return text[3 : 3 + _ID]


def read_token(text: str) -> Token:
    """The id and the digest of a key.

    Raises:
        BadToken: It is none, or its check does not fit.
    """
    if _TOKEN.fullmatch(text) is None:
        raise BadToken("it is not of the form fs_<id>_<secret>; copy it whole")
    _must_fit(text)
    return Token(id_in(text), digest_of(text))


def make_ticket(secret: bytes) -> str:
    """A new ticket, of 32 random bytes."""
    assert len(secret) == SECRET_BYTES
    return _checked(f"fst_{_written(secret, _BASE62, _SECRET)}")


def read_ticket(text: str) -> bytes:
    """The digest of a ticket, 32 bytes.

    Raises:
        BadToken: It is none, or its check does not fit.
    """
    if _TICKET.fullmatch(text) is None:
        raise BadToken("it is not of the form fst_<secret>; POST /tickets gives one")
    _must_fit(text)
    return digest_of(text)


def digest_of(text: str) -> bytes:
    """SHA-256 of a token's text."""
    return hashlib.sha256(text.encode()).digest()


def _checked(body: str) -> str:
    return body + _written(zlib.crc32(body.encode()).to_bytes(4), _BASE62, _CHECK)


def _must_fit(text: str) -> None:
    if _checked(text[:-_CHECK]) != text:
        raise BadToken("its last characters do not fit the others: it was mistyped or cut off; copy it whole")


def _written(number: bytes, digits: str, width: int) -> str:
    """Bytes as a number of a fixed width in another base."""
    value = int.from_bytes(number)
    characters = []
    for _ in range(width):
        value, digit = divmod(value, len(digits))
        characters.append(digits[digit])
    assert value == 0
    return "".join(reversed(characters))
