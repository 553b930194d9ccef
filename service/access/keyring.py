"""The keys as the service has them in memory, so that no request waits for Redis to know who asks.

    store ── every REFRESH_S ──► keys ──► `key_of(token)`, at once, on each request
          ◄── once a minute ──── when each was last used

A key that is added, rotated or revoked counts within `REFRESH_S` and the time of one look-up; who is in by a WebSocket
is sent away then (`held`). While Redis is away
the last known keys go on: an outage of the store must not lock everybody out, and what is sent meanwhile cannot
become durable anyway. Before the first look-up nothing is known, and nobody gets in.

Whoever presents a key learns nothing about others by how long an answer takes: the digest is compared in constant
time, and an unknown id is compared as well.
"""

import asyncio
import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from service.access.rights import Key, KeyState
from service.access.tokens import LENGTH, BadToken, digest_of, id_in, read_token
from service.errors import KeysNotKnown, Unauthorized
from service.state.errors import StoreError
from service.state.key_store import KeyStore, StoredKeys

log = structlog.get_logger("firstseen.keys")

REFRESH_S: Final = 2.0
"""A revoked key ends within this time, and that of one look-up."""

_MINUTE_S: Final = 60
_NOBODY: Final = bytes(32)


class Keyring:
    """All keys. Lives in one event loop.

    Args:
        store: Where they are kept.
        now: Seconds since 1970.
    """

    def __init__(self, store: KeyStore, *, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._stored: StoredKeys | None = None
        self._used: dict[str, float] = {}  # not yet written; at most one entry a key
        self._held: dict[str, list[Callable[[], None]]] = {}  # by id; at most one entry a WebSocket
        self._is_away = False

    @property
    def is_known(self) -> bool:
        """Whether the store has been asked."""
        return self._stored is not None

    @property
    def is_empty(self) -> bool:
        """Whether it is known that there is no key at all, not even one that is of no use any more."""
        return self._stored is not None and not len(self._stored)

    def key(self, id: str) -> Key | None:
        """The valid key of this id."""
        key = None if self._stored is None else self._stored.keys.get(id)
        return key if key is not None and key.state(self._now()) is KeyState.VALID else None

    def families(self) -> set[str]:
        """Of all keys."""
        return set() if self._stored is None else {key.family for key in self._stored.keys.values()}

    def made(self, family: str) -> int:
        """Streams that a family has created."""
        return 0 if self._stored is None else self._stored.made.get(family, 0)

    @contextmanager
    def held(self, id: str, on_end: Callable[[], None]) -> Iterator[None]:
        """Somebody stays in with a key, for as long as the context is open; `on_end` is called once it is not valid."""
        self._held.setdefault(id, []).append(on_end)
        try:
            yield
        finally:
            if (those := self._held.get(id)) is not None and on_end in those:
                those.remove(on_end)
                if not those:
                    del self._held[id]

    async def created(self, family: str) -> None:
        """Count a stream that a family has created; while Redis is away it is not counted."""
        try:
            await self._store.count_stream(family)
        except StoreError as error:
            log.warning("stream_not_counted", family=family, reason=str(error))
        await self.refresh()

    def key_of(self, presented: str) -> Key:
        """The key that somebody presents.

        Raises:
            Unauthorized: It is none, or not valid (any more); the message says which.
            KeysNotKnown: The store has not been asked yet.
        """
        stored = self._stored
        key = None
        if stored is not None and len(presented) == LENGTH:
            key = stored.keys.get(id_in(presented))
            if not hmac.compare_digest(digest_of(presented), _NOBODY if key is None else key.digest):
                key = None
        if key is None or stored is None:
            raise self._refusal(presented)
        now = self._now()
        state = key.state(now)
        if state is not KeyState.VALID:  # only who has the key itself learns this
            raise Unauthorized(f"The key {key.id} was {state}; ask for another one.", is_wrong=True)
        minute = float(now // _MINUTE_S * _MINUTE_S)
        if stored.used.get(key.id, 0.0) < minute:
            self._used[key.id] = minute
        return key

    def _refusal(self, presented: str) -> Unauthorized | KeysNotKnown:
        """Why something presented is no key of ours. What its form tells is only looked at now: it takes longer than to
        find the right one.
        """
        try:
            read_token(presented)
        except BadToken as bad:
            return Unauthorized(f"The key cannot be one: {bad}.", is_wrong=True)
        if self._stored is None:
            return KeysNotKnown(
                "The keys are not known yet, since the store has not answered; send the same again."
            )
        return Unauthorized("The key is not known here.", is_wrong=True)

    async def refresh(self) -> None:
        """Look the keys up, write down when they were used, and send away whose key has ended. While Redis is away,
        keys still expire.
        """
        await self._look()
        for id in [id for id in self._held if self.key(id) is None]:
            for on_end in self._held.pop(id):
                on_end()

    async def _look(self) -> None:
        try:
            self._stored = await self._store.load()
            used, self._used = self._used, {}
            fresh = {
                id: t
                for id, t in used.items()
                if self._stored.used.get(id, 0.0) < t and id in self._stored.keys
            }
            await self._store.touch(fresh)
        except StoreError as error:
            if not self._is_away:
                log.warning("keys_not_refreshed", reason=str(error), known=self.is_known)
            self._is_away = True
            return
        self._is_away = False

    async def run(self) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self.refresh()
