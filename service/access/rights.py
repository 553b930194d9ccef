"""Who may do what: a key's record, as it is kept, and the one rule that reads it.

A key has *scopes* and *streams*. A scope is a kind of work:

    ingest   send items: POST /classify, WS /stream
    read     look: clusters, info, quarantine, metrics, WS /watch
    curate   decide about clusters
    admin    all of these, and what concerns the operator: retry and drop items in quarantine

A stream is named exactly, or by how its name begins (`team-*`); `*` is every stream, and what belongs to none (the
metrics of the process) needs it. A key may expire, and is kept after it expired or was revoked: so a list shows it,
the one who still uses it is told why it fails, and a service does not become open because its last key went.

A key that takes another's place (rotation) is of the same *family*, and shares its quota while both are valid.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_KEYS: Final = 1000
"""Of one store, those that expired or were revoked included."""

MOST_PATTERNS: Final = 100
MOST_NOTE: Final = 200

_PATTERN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}|[A-Za-z0-9._-]{0,63}\*")


class Scope(StrEnum):
    """A kind of work."""

    INGEST = "ingest"
    READ = "read"
    CURATE = "curate"
    ADMIN = "admin"


class KeyState(StrEnum):
    """What has become of a key."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key, without its secret.

    Attributes:
        id: 8 characters; public.
        family: The id of the first key of a chain of rotations; its own where it replaces none.
        digest: SHA-256 of the key's text, 32 bytes.
        scopes: What it may do.
        streams: Where: names, and beginnings of names that end with `*`.
        created, expires, revoked: Seconds since 1970 (UTC); None: never.
        items_per_s, burst: Items it may send, on average and at once; None: the service's default.
        connections: WebSockets it may have open; None: the same.
        new_streams: Streams it may create; None: the same.
        note: Whose it is, or what for.
    """

    id: str
    family: str
    digest: bytes
    scopes: frozenset[Scope]
    streams: tuple[str, ...]
    created: float
    expires: float | None = None
    revoked: float | None = None
    items_per_s: float | None = None
    burst: int | None = None
    connections: int | None = None
    new_streams: int | None = None
    note: str = ""

    def state(self, t: float) -> KeyState:
        """What has become of it at time `t`."""
        if self.revoked is not None:
            return KeyState.REVOKED
        return KeyState.EXPIRED if self.expires is not None and t >= self.expires else KeyState.VALID

    def has(self, scope: Scope) -> bool:
        """Whether it may do this kind of work at all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def reaches(self, stream: str | None) -> bool:
        """Whether it may do its work on a stream; None: on all of them, and on the process."""
        if stream is None:
            return "*" in self.streams
        return any(matches(pattern, stream) for pattern in self.streams)


def matches(pattern: str, stream: str) -> bool:
    """Whether a pattern names a stream: exactly, or by its beginning when it ends with `*`."""
    return stream.startswith(pattern[:-1]) if pattern.endswith("*") else stream == pattern


def read_scopes(listed: str) -> frozenset[Scope]:
    """Scopes between commas. ValueError says what to send."""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(Scope)]
    if unknown or not names:
        raise ValueError(f"{listed!r}: give one or more of {', '.join(Scope)}, between commas")
    return frozenset(map(Scope, names))


def read_streams(listed: str) -> tuple[str, ...]:
    """Patterns of stream names between commas. ValueError says what to send."""
    patterns = _distinct([name.strip() for name in listed.split(",") if name.strip()])
    if not 0 < len(patterns) <= MOST_PATTERNS or not all(map(_PATTERN.fullmatch, patterns)):
        raise ValueError(
            f"{listed!r}: give 1 to {MOST_PATTERNS} names between commas, each of letters, digits, '.', '_' or '-', "
            "with a * at the end for all that begin so"
        )
    return patterns


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
