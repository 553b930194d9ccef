"""`Idempotency-Key`: a request that is sent again gives the same verdicts, also without ids of one's own.

    Idempotency-Key: "8e03978e-40d5-43e8-bc93-6894a57f9324"

An id keeps its verdict, durably; so a key only has to give ids. Item n of the request gets one that is made of the key
and n, for items of a caller of their own:

    ~key-<blake2b-128 of caller and key, in hex>-<n>

It starts with `~`, as no client's id may, and none of firstseen's own goes on with `key-`; hence it is nobody else's.
n counts all items from 0, refused ones too. An item that has an id keeps it. A request cut short is sent again under
its key, and what was counted the first time is not counted twice, after a restart as well, for as long as ids are
remembered (`FIRSTSEEN_DEDUP_HORIZON`). Two that run at once are no conflict: both get the verdicts.

The same key with another body is a mistake of the client, and is refused where it is noticed: the fingerprints of the
bodies of the last 10,000 keys are kept in memory. Beyond that the oldest is forgotten, and so are all at a restart; the
other body then gets the verdicts of the first. A fingerprint is noted when items are taken, so that a body that was
refused as a whole can be mended and sent under the same key. Of a stream of lines there is none: its body is not known
before it ends.

Reference: IETF draft-ietf-httpapi-idempotency-key-header-07. A key without its quotes is taken, too.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from service.api.formats.head import Head
from service.errors import InvalidHeader, KeyReused
from service.ingest.intake import Refused
from service.records import AUTO_ID_PREFIX, Item

KEY_HEADER = "Idempotency-Key"
MOST_KEYS = 10_000
_LONGEST_KEY = 256
_DIGEST_BYTES = 16


def key_of(head: Head, *, caller: str = "") -> str | None:
    """What the ids of a request's items begin with, None where it has no key.

    Raises:
        InvalidHeader: The key is empty, too long, or not of printable ASCII.
    """
    sent = head.short(KEY_HEADER)
    if sent is None:
        return None
    key = sent[1:-1] if len(sent) >= 2 and sent[0] == sent[-1] == '"' else sent
    if not 1 <= len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise InvalidHeader(
            f'{KEY_HEADER} must be 1 to {_LONGEST_KEY} printable ASCII characters in quotes, like "8e03978e-40d5".'
        )
    digest = hashlib.blake2b(f"{caller}\0{key}".encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{AUTO_ID_PREFIX}key-{digest}"


def with_ids(read: Iterable[Item | Refused], key: str, *, first: int = 0) -> list[Item | Refused]:
    """Items that have no id get the key's; `first` is the number of the first."""
    return [
        replace(one, id=f"{key}-{n}") if isinstance(one, Item) and one.id is None else one
        for n, one in enumerate(read, start=first)
    ]


class Fingerprints:
    """Which body a key was sent with, for the latest keys; the oldest goes when there are more than `most`."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._most = most
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def check(self, key: str, body: bytes | bytearray, *about: str) -> bytes:
        """The fingerprint of a body, to be noted when its items are taken.

        Args:
            key: It came under this one.
            body: All of it.
            about: What else tells which items it is: its form, and header fields that belong to that.

        Raises:
            KeyReused: The key was sent with another.
        """
        hashed = hashlib.blake2b("\0".join((*about, "")).encode(), digest_size=_DIGEST_BYTES)
        hashed.update(body)
        found = hashed.digest()
        if self._bodies.get(key, found) != found:
            raise KeyReused(
                f"This {KEY_HEADER} was sent before, with another body: give every request a key of its own, and use "
                "it again only to send the very same request again."
            )
        return found

    def note(self, key: str, fingerprint: bytes) -> None:
        """The items of this body are taken."""
        self._bodies[key] = fingerprint
        self._bodies.move_to_end(key)
        if len(self._bodies) > self._most:
            self._bodies.popitem(last=False)
