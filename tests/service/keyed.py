"""Keys for tests, made by number, so that every run has the same; and in the store of a data folder."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from service.access import keyring
from service.access.rights import Key, Scope
from service.access.tokens import make_token, read_token
from service.cli import keys as cli_keys
from service.settings import Settings
from service.state.errors import StoreUnavailable
from service.state.key_store import KeyStore, StoredKeys

T = TypeVar("T")

_numbers = itertools.count(1)


def key_of(**values: Any) -> tuple[Key, str]:
    """A key and its text; it may read and send, everywhere and for ever, unless `values` say otherwise."""
    n = next(_numbers)
    text = make_token(n.to_bytes(5), n.to_bytes(32))
    token = read_token(text)
    given: dict[str, Any] = {
        "id": token.id,
        "family": token.id,
        "digest": token.digest,
        "scopes": frozenset({Scope.INGEST, Scope.READ}),
        "streams": ("*",),
        "created": 0.0,
    }
    return Key(**(given | values)), text


def in_store(folder: Path, work: Callable[[KeyStore], Awaitable[T]]) -> T:
    """Do something in the store of a data folder, whether a service runs on it or not."""

    async def run() -> T:
        async with cli_keys._store(Settings.read({}, data_dir=folder), makes_folder=True) as store:
            return await work(store)

    return asyncio.run(run())


def put(folder: Path, *keys: Key) -> None:
    """Add keys."""

    async def add(store: KeyStore) -> None:
        for key in keys:
            await store.add(key)
            if key.revoked is not None:
                await store.revoke(key.id, key.revoked)

    in_store(folder, add)


@contextmanager
def looked_up_often() -> Iterator[None]:
    """Services in this process look their keys up so often that a test need not wait for that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyring, "REFRESH_S", 0.05)
        yield


class FakeKeyStore:
    """A store of keys in memory, which may be away."""

    def __init__(self, *keys: Key) -> None:
        self.keys = {key.id: key for key in keys}
        self.used: dict[str, float] = {}
        self.made: dict[str, int] = {}
        self.writes: list[Mapping[str, float]] = []
        self.is_away = False

    async def load(self) -> StoredKeys:
        if self.is_away:
            raise StoreUnavailable("away", outcome_unknown=True)
        return StoredKeys(keys=dict(self.keys), used=dict(self.used), made=dict(self.made))

    async def count_stream(self, family: str) -> int:
        if self.is_away:
            raise StoreUnavailable("away", outcome_unknown=True)
        self.made[family] = self.made.get(family, 0) + 1
        return self.made[family]

    async def touch(self, used: Mapping[str, float]) -> None:
        if used:
            self.writes.append(used)
            self.used |= used
