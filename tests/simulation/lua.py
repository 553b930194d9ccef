"""functions.lua as Redis runs it: Lua 5.1, `redis.call` and its kin, and Redis's conversions between the two.

    Lua ─► reply      number ─► integer, cut      string ─► bulk      true ─► 1      false, nil ─► nil
                      {err=...} ─► error          {ok=...} ─► status  table ─► array, up to its first nil
    reply ─► Lua      integer ─► number           bulk ─► string      nil ─► false
                      array ─► table              status ─► {ok=...}  error ─► raised (call) or {err=...} (pcall)

One interpreter serves all runs, and a library's text is compiled once: functions.lua keeps no state of its own. Which
server a `redis.call` reaches is said for the time of each call. Reference: Redis, "Lua API reference", and
redis/src/script_lua.c.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lupa import lua51

_PRELUDE = b"""
redis = {LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3}
function redis.error_reply(text) return {err = text} end
function redis.status_reply(text) return {ok = text} end
function redis.log() end
return redis
"""


class ReplyError(Exception):
    """An error reply: its text, the code in front."""


class Status(bytes):
    """A status reply, as OK is."""

    __slots__ = ()


@dataclass
class Library:
    """What one text registered: callback and flags by function name."""

    name: bytes
    source: bytes
    functions: dict[bytes, tuple[Callable[..., Any], frozenset[bytes]]] = field(default_factory=dict)


class Interpreter:
    """Lua 5.1, with a `redis` whose calls go to `execute`."""

    def __init__(self) -> None:
        self._lua = lua51.LuaRuntime(encoding=None, unpack_returned_tuples=True, register_eval=False)
        self._loading: Library | None = None
        self._execute: Callable[[Sequence[bytes]], Any] | None = None
        redis = self._lua.execute(_PRELUDE)
        redis[b"call"] = self._call
        redis[b"pcall"] = self._pcall
        redis[b"register_function"] = self._register

    @functools.lru_cache(maxsize=64)  # noqa: B019 - there is one interpreter, for good
    def load(self, source: bytes) -> Library:
        """Run a library's text, once, and take what it registers.

        Raises:
            ReplyError: It is none.
        """
        shebang, _, code = source.partition(b"\n")
        if not shebang.startswith(b"#!lua name="):
            raise ReplyError("ERR Missing library metadata")
        self._loading = Library(name=shebang.partition(b"name=")[2].strip(), source=source)
        try:
            self._lua.execute(b"\n" + code)
        except lua51.LuaError as error:
            raise ReplyError(f"ERR Error compiling function: {error}") from error
        return self._loading

    def run(
        self,
        function: Callable[..., Any],
        keys: Sequence[bytes],
        args: Sequence[bytes],
        execute: Callable[[Sequence[bytes]], Any],
    ) -> Any:
        """Call a registered function; its `redis.call`s go to `execute`."""
        outer, self._execute = self._execute, execute
        try:
            return self._reply(function(self._lua.table_from(keys), self._lua.table_from(args)))
        except lua51.LuaError as error:
            raise ReplyError(f"ERR {error}") from error
        finally:
            self._execute = outer

    def _register(self, *given: Any) -> None:
        assert self._loading is not None, "only while a library is loaded"
        flags: list[bytes] = []
        if len(given) == 1:
            (table,) = given
            name, callback = table[b"function_name"], table[b"callback"]
            flags = list(table[b"flags"].values()) if table[b"flags"] is not None else []
        else:
            name, callback = given
        self._loading.functions[name] = (callback, frozenset(flags))

    def _call(self, *args: bytes | float) -> Any:
        assert self._execute is not None
        return self._to_lua(self._execute([_argument(arg) for arg in args]))

    def _pcall(self, *args: bytes | float) -> Any:
        try:
            return self._call(*args)
        except ReplyError as error:
            return self._lua.table_from({b"err": str(error).encode()})

    def _to_lua(self, reply: Any) -> Any:
        if reply is None:
            return False
        if isinstance(reply, Status):
            return self._lua.table_from({b"ok": bytes(reply)})
        if isinstance(reply, list):
            return self._lua.table_from([self._to_lua(part) for part in reply])
        return reply

    def _reply(self, value: Any) -> Any:
        if value is None or value is False:
            return None
        if value is True:
            return 1
        if isinstance(value, bytes):
            return value
        if isinstance(value, int | float):
            return int(value)
        if value[b"err"] is not None:
            raise ReplyError(value[b"err"].decode())
        if value[b"ok"] is not None:
            return Status(value[b"ok"])
        parts: list[Any] = []
        while (part := value[len(parts) + 1]) is not None:
            parts.append(self._reply(part))
        return parts


def _argument(value: bytes | float) -> bytes:
    """A number goes out with 17 digits, as Redis sends it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReplyError("ERR Lua redis lib command arguments must be strings or integers")
    return b"%d" % value if value == int(value) else b"%.17g" % value


@functools.cache
def interpreter() -> Interpreter:
    """The one of this process."""
    return Interpreter()
