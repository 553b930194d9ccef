"""How a message is signed: Standard Webhooks, symmetric.

    webhook-id          the event's; the same at every try
    webhook-timestamp   of this try, seconds since 1970
    webhook-signature   "v1," base64(HMAC-SHA256(secret, id "." timestamp "." body)), one a secret, with spaces between

A secret is `whsec_` and base64 of 24 to 64 bytes. While one replaces another both sign, so that a receiver which knows
either of them is content.

Reference: https://github.com/standard-webhooks/standard-webhooks, "Standard Webhooks", version 1.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
"""Of a secret that is made here."""

_LENGTHS: Final = range(24, 65)


def make_secret(luck: bytes) -> str:
    """A secret out of so many random bytes."""
    return PREFIX + base64.b64encode(luck).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret.

    Raises:
        ValueError: It is none; the message says what to send, and does not repeat it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in _LENGTHS:
        raise ValueError(f"secret: send {PREFIX} and base64 of 24 to 64 bytes, or leave it out")
    return key


def headers_of(secrets: Sequence[str], *, id: str, t: float, body: bytes) -> dict[str, str]:
    """The three headers of one try at time t."""
    timestamp = str(int(t))
    signed = f"{id}.{timestamp}.".encode() + body
    signatures = (hmac.new(key_of(secret), signed, hashlib.sha256).digest() for secret in secrets)
    return {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(s).decode()}" for s in signatures),
    }
