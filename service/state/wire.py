"""The wire to Redis: one client that never repeats a write, one call that turns every failure into our
errors.

redis-py repeats a command whose reply was lost. For a write that is a second write: measured, a plain XADD
under one lost reply answered OK and left two entries. So `connect` builds clients that try once; who repeats
is the caller, who knows what a repeat means, through an append that recognises its own resend.

What a failure says about the outcome:

    no connection, time-out, connection lost    unknown: it may have been carried out
    LOADING, OOM, MISCONF, READONLY, BUSY, ...  refused: nothing was written
    Function not found                          refused: load the library, send again; the only repeat here
    a word of functions.lua                     refused: the caller of `call` translates it
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NoReturn

import hiredis
from redis import exceptions as rx
from redis.asyncio import Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.state.durability import Durability, ServerFacts, judge
from service.state.errors import StoreError, StoreMisconfigured, StoreUnavailable

LIBRARY: Final = "firstseen_v1"
_OLDEST: Final = (7, 0)
_CONFIRM_MS: Final = (1, 10, 200, 500, 1300)
"""Waits for replicas, one after the other, below the time-out of a reply each. Every one of them asks the replicas
again; the server looks for those that are over ten times a second.
"""
_REFUSED: Final = ("BUSY", "MISCONF", "NOREPLICAS", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "UNKILLABLE")


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    """What `StreamStore.open` found.

    name: `valkey` or `redis`; version: as it says itself; warnings: what was let pass under `allow_unsafe`,
    or could not be checked, each a sentence for `/readyz`.
    """

    name: str
    version: str
    warnings: tuple[str, ...]


class Refusal(StoreError):
    """An error reply, `word` and what follows it; one that nobody translates is a bug, and says so."""

    def __init__(self, word: str, rest: str) -> None:
        super().__init__(f"Redis answered '{word} {rest}'. This is a bug in firstseen.")
        self.word = word
        self.rest = rest

    @property
    def is_missing_library(self) -> bool:
        """Whether the server does not have functions.lua (any more)."""
        return (self.word, self.rest.lower()) == ("Function", "not found")


class _SendsQuickly(AbstractConnection):
    """A Function has two arguments an item; in Python it takes longer to put them together than to call it.

    And where the transport takes it all, a write need not be waited for. redis-py makes a task of each, to have a time
    limit; the wait for the reply has one too.
    """

    def pack_command(self, *args: Any) -> list[bytes]:  # noqa: ANN401 - redis-py's
        if args[0] == "FCALL":
            return [hiredis.pack_command(args)]
        return super().pack_command(*args)

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002 - redis-py's
        """Write at once where there is nothing in the way.

        redis-py's own would do it in `asyncio.wait_for`, which until Python 3.12 may swallow a cancellation.
        """
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health and asyncio.get_running_loop().time() > self.next_health_check:
            await self.check_health()  # type: ignore[no-untyped-call]
        writer = self._writer
        if not isinstance(command, list) or writer is None or writer.transport.is_closing():
            await super().send_packed_command(command, check_health)
            return
        writer.writelines(command)
        if writer.transport.get_write_buffer_size():
            try:
                async with asyncio.timeout(self.socket_timeout):
                    await writer.drain()
            except BaseException as fault:
                await self.disconnect(nowait=True)  # half of a command may be on its way
                if isinstance(fault, TimeoutError):
                    raise rx.TimeoutError("Timeout writing to socket") from None
                if isinstance(fault, OSError):
                    raise rx.ConnectionError(f"Error while writing to socket. {fault}") from fault
                raise


class _Unix(_SendsQuickly, UnixDomainSocketConnection):
    pass


class _Tcp(_SendsQuickly, Connection):
    pass


class _Tls(_SendsQuickly, SSLConnection):
    pass


_CONNECTIONS: Final = {UnixDomainSocketConnection: _Unix, Connection: _Tcp, SSLConnection: _Tls}


def connect(server: str | Path, *, timeout_s: float = 5.0) -> "Redis":
    """A client that sends every command at most once.

    server: `redis://`, `rediss://` or `unix://` URL, or the path of a unix socket. timeout_s bounds each
    connect and each reply; `?socket_timeout=` in the URL overrides it. An idle connection is pinged before
    its next use. Nothing is sent yet. StoreMisconfigured: not a URL that can be used.
    """
    ours: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "retry_on_timeout": False,
        "decode_responses": False,
        "protocol": 2,
        "health_check_interval": 30,
    }
    given: dict[str, Any] = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    if isinstance(server, Path):
        given |= {"connection_class": UnixDomainSocketConnection, "path": str(server)}
    else:
        try:
            given |= parse_url(server)
        except ValueError as error:
            raise StoreMisconfigured(
                f"FIRSTSEEN_REDIS_URL cannot be used ({error}); give redis://host:6379/0, "
                "rediss://host:6379/0 or unix:///path/to/socket"
            ) from error
    kind = _CONNECTIONS[given.pop("connection_class", Connection)]
    return Redis.from_pool(ConnectionPool(connection_class=kind, **(given | ours)))


def library_source() -> str:
    """The text of functions.lua as it came with this release."""
    return files("service.state").joinpath("functions.lua").read_text(encoding="utf-8")


class Wire:
    """Commands and Functions over one client, with our errors. Payloads and replies are bytes."""

    def __init__(self, client: "Redis") -> None:
        self._client: Any = client
        self._file_was_off = False

    async def command(self, *args: str | bytes | int) -> Any:  # noqa: ANN401 - a reply is what the command makes it
        """One plain command. Raises StoreUnavailable, StoreMisconfigured or Refusal."""
        try:
            return await self._client.execute_command(*args)
        except (rx.RedisError, OSError) as error:
            _translate(error)

    async def commands(self, *batch: Sequence[str | bytes | int]) -> list[Any]:
        """Several plain commands in one round trip, not a transaction; same errors as `command`."""
        return await self._together(batch, is_one_instant=False)

    async def transaction(self, *batch: Sequence[str | bytes | int]) -> list[Any]:
        """Several plain commands at one instant; same errors as `command`."""
        return await self._together(batch, is_one_instant=True)

    async def _together(
        self, batch: Sequence[Sequence[str | bytes | int]], *, is_one_instant: bool
    ) -> list[Any]:
        pipeline = self._client.pipeline(transaction=is_one_instant)
        for args in batch:
            pipeline.execute_command(*args)
        try:
            replies: list[Any] = await pipeline.execute()
        except (rx.RedisError, OSError) as error:
            _translate(error)
        return replies

    async def call(self, function: str, keys: Sequence[str], *args: str | bytes | int) -> Any:  # noqa: ANN401 - as above
        """One Function of functions.lua; loads the library again where the server has lost it.

        Raises StoreUnavailable, StoreMisconfigured, or Refusal with the word that functions.lua answered.
        """
        try:
            return await self.command("FCALL", function, len(keys), *keys, *args)
        except Refusal as refusal:
            if not refusal.is_missing_library:
                raise
        await self.load_library()
        return await self.command("FCALL", function, len(keys), *keys, *args)

    async def commit(
        self, function: str, keys: Sequence[str], *args: str | bytes | int, replicas: int
    ) -> Any:  # noqa: ANN401 - as above
        """`call`, and then wait until this server and so many replicas have the write in their files.

        Raises the same, and StoreUnavailable where they do not have it in time: make the very same call again.
        The function must write something also when it has nothing to do, or there is nothing to wait for.
        """
        if not replicas:
            return await self.call(function, keys, *args)
        try:
            return await self._confirmed(function, keys, args, replicas)
        except Refusal as refusal:
            if not refusal.is_missing_library:
                raise
        await self.load_library()
        return await self._confirmed(function, keys, args, replicas)

    async def _confirmed(
        self, function: str, keys: Sequence[str], args: Sequence[str | bytes | int], replicas: int
    ) -> Any:  # noqa: ANN401 - as above
        """The write, and then WAITAOF: on one connection, since it waits for the writes of its own only, and one after
        the other, since a replica is asked at once, and what it has not synced by then it tells a second later.
        """
        here = there = 0
        try:
            async with self._client.client() as one:
                answer = await one.execute_command("FCALL", function, len(keys), *keys, *args)
                for wait_ms in _CONFIRM_MS:
                    here, there = await one.execute_command("WAITAOF", 1, replicas, wait_ms)
                    if here >= 1 and there >= replicas:
                        return answer
        except rx.ResponseError as error:
            if "WAITAOF" in str(error) or str(error).startswith("UNBLOCKED"):
                # Demoted, or its file was switched off, while we waited: it may be there, and nobody has confirmed it.
                raise StoreUnavailable(
                    f"Redis cannot confirm a write ({error}); send the same again", outcome_unknown=True
                ) from error
            _translate(error)
        except (rx.RedisError, OSError) as error:
            _translate(error)
        raise StoreUnavailable(
            f"Redis has it, but {there} of {replicas} replicas confirmed it within {sum(_CONFIRM_MS)} ms; "
            "send the same again",
            outcome_unknown=True,
        )

    async def load_library(self) -> bool:
        """Put functions.lua into the server unless it is there to the letter. Returns True when it was
        loaded.
        """
        ours = library_source()
        there = await self.command("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        for library in there:
            fields = dict(zip(library[::2], library[1::2], strict=True))
            if _digest(fields[b"library_code"]) == _digest(ours.encode()):
                return False
        await self.command("FUNCTION", "LOAD", "REPLACE", ours)
        return True

    async def inspect(self, durability: Durability) -> tuple[ServerInfo, tuple[str, ...]]:
        """What the server is, and what about it could lose acknowledged items, a sentence each.

        Raises StoreMisconfigured where the server cannot be used at all, or not with this durability.
        """
        server, memory, persistence = await self.commands(
            ["INFO", "server"], ["INFO", "memory"], ["INFO", "persistence"]
        )
        name = "valkey" if "valkey_version" in server else "redis"
        version = str(server.get("valkey_version") or server.get("redis_version"))
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
        if numbers[:2] < _OLDEST:
            raise StoreMisconfigured(
                f"{name} {version} has no Functions; use Redis 7.0, Valkey 7.2 or newer, or leave "
                "FIRSTSEEN_REDIS_URL empty for the embedded server"
            )
        has_aof = bool(int(persistence.get("aof_enabled", 0)))
        settings = await self._settings("appendfsync", "no-appendfsync-on-rewrite") if has_aof else {}
        self._file_was_off = not has_aof or (self._file_was_off and _is_rewriting(persistence))
        found = judge(
            ServerFacts(
                name=name,
                version=numbers,
                eviction=str(memory.get("maxmemory_policy")),
                has_aof=has_aof,
                appendfsync=settings.get("appendfsync"),
                aof_is_written=persistence.get("aof_last_write_status", "ok") == "ok",
                aof_is_whole=not self._file_was_off,
                skips_fsync=settings.get("no-appendfsync-on-rewrite") == "yes",
            ),
            durability,
        )
        if found.impossible:
            raise StoreMisconfigured("; ".join(found.impossible))
        return ServerInfo(name=name, version=version, warnings=found.unsafe + found.unknown), found.unsafe

    async def _settings(self, *names: str) -> dict[str, str]:
        """Settings by name; none where the server does not tell (managed servers forbid CONFIG)."""
        try:
            reply = await self.command("CONFIG", "GET", *names)
        except (Refusal, StoreMisconfigured):
            return {}
        texts = [part.decode() for part in reply]
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _is_rewriting(persistence: Mapping[str, Any]) -> bool:
    """Whether the append-only file is being rewritten, or will be, or that went wrong."""
    is_under_way = int(persistence.get("aof_rewrite_in_progress", 0)) or int(
        persistence.get("aof_rewrite_scheduled", 0)
    )
    return bool(is_under_way) or persistence.get("aof_last_bgrewrite_status", "ok") != "ok"


def _kind_of(error: Exception) -> str:
    """What failed, without the address that redis-py's messages have: clients are told it, who need not know."""
    cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return (
        "no answer in time" if isinstance(error, TimeoutError | rx.TimeoutError) else "the connection broke"
    )


def _digest(code: bytes) -> bytes:
    return hashlib.blake2b(code, digest_size=16).digest()


def _translate(error: Exception) -> NoReturn:
    """Raise what a failure of redis-py means to us."""
    if type(error) is rx.ConnectionError and isinstance(error.__cause__, rx.RedisError):
        error = error.__cause__  # an answer to the greeting, wrapped: the command itself was never sent
    text = str(error)
    if isinstance(error, (rx.AuthenticationError, rx.AuthorizationError, rx.NoPermissionError)):
        raise StoreMisconfigured(
            f"Redis does not let firstseen in ({text}): check user and password in FIRSTSEEN_REDIS_URL and "
            "that the user may run FCALL, FUNCTION, CONFIG GET and INFO, and read and write the keys fs:*"
        ) from error
    if isinstance(error, (rx.OutOfMemoryError, rx.ReadOnlyError, rx.BusyLoadingError)) or text.startswith(
        _REFUSED
    ):
        raise StoreUnavailable(f"Redis refuses now ({text}); try again", outcome_unknown=False) from error
    if isinstance(error, (rx.ConnectionError, rx.TimeoutError, OSError)):
        raise StoreUnavailable(
            f"Redis does not answer ({_kind_of(error)}); send the same again",
            outcome_unknown=True,
        ) from error
    if isinstance(error, (rx.MovedError, rx.AskError)):
        raise StoreMisconfigured(
            f"this Redis is one node of a cluster ({text}): point FIRSTSEEN_REDIS_URL at a single primary"
        ) from error
    if isinstance(error, rx.ResponseError):
        word, _, rest = text.partition(" ")
        raise Refusal(word, rest) from error
    raise StoreError(f"{type(error).__name__}: {text}. This is a bug in firstseen.") from error
