"""A Redis in memory: the commands that firstseen uses, and the real functions.lua on them.

    data      key ─► bytes | dict (hash) | set | Log (stream)
    expires   key ─► the millisecond at which it goes
    library   the Functions it has, or lost
    journal   every write that was carried out, in order, as an append-only file has them; never rewritten

It knows nothing of networks, and no time but `clock_ms`. A command is carried out at once and as a whole, as by the
one thread of a real server. What it cannot do it refuses as an unknown command, so that a test fails that needs more.

`fork` is a replica at this moment: handed out later, it is one that lagged. Since nothing is answered before it is in
the journal and on disk (appendfsync always), a restart loses nothing, and is a matter of the network (network.py).

Streams are cut into nodes as Redis cuts them (100 entries, 4 KB), for `XTRIM ~` drops whole nodes only.

Held to the real servers by running the store's own tests on it (test_server.py).
"""

import bisect
import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.simulation.lua import Library, ReplyError, Status, interpreter

OK = Status(b"OK")
_NODE_ENTRIES, _NODE_BYTES = 100, 4096
_WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
_FULL = "OOM command not allowed when used memory > 'maxmemory'."
_FULL_FUNCTION = (
    "OOM allow-oom flag is not set on the function, can not run it when used memory > 'maxmemory'"
)

EntryId = tuple[int, int]


@dataclass
class Log:
    """A stream: ids ascending, fields flat, the node each entry lies in."""

    ids: list[EntryId] = field(default_factory=list)
    fields: list[list[bytes]] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    last: EntryId = (0, 0)
    node_bytes: int = 0
    node_entries: int = 0

    def copy(self) -> "Log":
        """Another of the same entries."""
        return Log(
            list(self.ids), list(self.fields), list(self.nodes), self.last, self.node_bytes, self.node_entries
        )

    def add(self, at: EntryId, fields: list[bytes]) -> None:
        """Add an entry behind the last."""
        size = sum(map(len, fields)) + 16
        node = self.nodes[-1] if self.nodes else 0
        if not self.ids:
            self.node_bytes = self.node_entries = 0
        if self.node_entries and (
            self.node_bytes + size >= _NODE_BYTES or self.node_entries >= _NODE_ENTRIES
        ):
            node, self.node_bytes, self.node_entries = node + 1, 0, 0
        self.node_bytes += size
        self.node_entries += 1
        self.ids.append(at)
        self.fields.append(fields)
        self.nodes.append(node)
        self.last = at

    def keep(self, most: int) -> None:
        """Drop the oldest until there are no more than these."""
        goes = max(0, len(self.ids) - most)
        for column in (self.ids, self.fields, self.nodes):
            del column[:goes]

    def trim(self, before: EntryId, limit: int) -> int:
        """Drop whole nodes that lie before an id, up to about `limit` entries; how many went."""
        goes = 0
        while goes < len(self.ids):
            end = bisect.bisect_right(self.nodes, self.nodes[goes])
            if self.ids[end - 1] >= before or (limit and end > limit):
                break
            goes = end
        for column in (self.ids, self.fields, self.nodes):
            del column[:goes]
        return goes


class SimulatedServer:
    """One Redis."""

    def __init__(self, clock_ms: Callable[[], float]) -> None:
        self._clock_ms = clock_ms
        self.data: dict[bytes, Any] = {}
        self.expires: dict[bytes, float] = {}
        self.libraries: dict[bytes, Library] = {}
        self.journal: list[tuple[bytes, ...]] = []
        self.is_full = False
        self.settings = {b"appendfsync": b"always", b"appendonly": b"yes", b"maxmemory-policy": b"noeviction"}

    def fork(self) -> Self:
        """A replica that has everything up to now."""
        other = type(self)(self._clock_ms)
        other.data = {
            key: value if isinstance(value, bytes) else value.copy() for key, value in self.data.items()
        }
        other.expires = dict(self.expires)
        other.libraries = dict(self.libraries)
        other.journal = list(self.journal)
        other.settings = dict(self.settings)
        return other

    def execute(self, args: Sequence[bytes]) -> Any:
        """Carry out one command: an int, bytes, Status, None, or a list of these.

        Raises:
            ReplyError: An error reply.
        """
        return self._execute(args, may_fill=False)

    def _execute(self, args: Sequence[bytes], *, may_fill: bool) -> Any:
        name = args[0].upper()
        command = _COMMANDS.get(name)
        if command is None:
            raise ReplyError(f"ERR unknown command '{args[0].decode()}'")
        if self.expires:
            self._expire()
        if name in _WRITES:
            if self.is_full and not may_fill and name not in _FREES:
                raise ReplyError(_FULL)
            reply = command(self, *args[1:])
            self.journal.append(tuple(args))
            return reply
        return command(self, *args[1:])

    def _expire(self) -> None:
        now = self._clock_ms()
        if min(self.expires.values()) > now:
            return
        for key in [key for key, at in self.expires.items() if at <= now]:
            del self.expires[key]
            self.data.pop(key, None)
            self.journal.append((b"DEL", key))

    def _typed(self, key: bytes, kind: type, *, make: bool = False) -> Any:
        value = self.data.get(key)
        if value is None:
            value = kind()
            if make:
                self.data[key] = value
        elif not isinstance(value, kind):
            raise ReplyError(_WRONG_TYPE)
        return value

    def _drop_if_empty(self, key: bytes) -> None:
        if not self.data[key]:
            self._delete(key)

    # Keys and strings

    def _get(self, key: bytes) -> bytes | None:
        return self._typed(key, bytes) if key in self.data else None

    def _mget(self, *keys: bytes) -> list[bytes | None]:
        return [value if isinstance(value := self.data.get(key), bytes) else None for key in keys]

    def _set(self, key: bytes, value: bytes, *options: bytes) -> Status:
        self.data[key] = value
        self.expires.pop(key, None)
        if options:
            unit, amount = options
            if unit.upper() != b"PX" or int(amount) <= 0:
                raise ReplyError("ERR syntax error")
            self.expires[key] = self._clock_ms() + int(amount)
        return OK

    def _setrange(self, key: bytes, offset: bytes, value: bytes) -> int:
        old: bytes = self._typed(key, bytes)
        at = int(offset)
        self.data[key] = old[:at].ljust(at, b"\0") + value + old[at + len(value) :]
        return len(self.data[key])

    def _pttl(self, key: bytes) -> int:
        if key not in self.data:
            return -2
        return max(0, round(self.expires[key] - self._clock_ms())) if key in self.expires else -1

    def _pexpire(self, key: bytes, amount: bytes) -> int:
        if key not in self.data:
            return 0
        self.expires[key] = self._clock_ms() + int(amount)
        return 1

    def _delete(self, *keys: bytes) -> int:
        for key in keys:
            self.expires.pop(key, None)
        return sum(self.data.pop(key, None) is not None for key in keys)

    def _exists(self, *keys: bytes) -> int:
        return sum(key in self.data for key in keys)

    def _keys(self, pattern: bytes) -> list[bytes]:
        return [key for key in self.data if fnmatch.fnmatchcase(key, pattern)]

    # Hashes

    def _hget(self, key: bytes, name: bytes) -> bytes | None:
        return self._typed(key, dict).get(name)

    def _hmget(self, key: bytes, *names: bytes) -> list[bytes | None]:
        return list(map(self._typed(key, dict).get, names))

    def _hgetall(self, key: bytes) -> list[bytes]:
        return [part for pair in self._typed(key, dict).items() for part in pair]

    def _hset(self, key: bytes, *pairs: bytes) -> int:
        if not pairs or len(pairs) % 2:
            raise ReplyError("ERR wrong number of arguments for 'hset' command")
        table = self._typed(key, dict, make=True)
        before = len(table)
        table.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(table) - before

    def _hdel(self, key: bytes, *names: bytes) -> int:
        table = self._typed(key, dict)
        gone = sum(table.pop(name, None) is not None for name in names)
        if gone:
            self._drop_if_empty(key)
        return gone

    def _hexists(self, key: bytes, name: bytes) -> int:
        return int(name in self._typed(key, dict))

    def _hlen(self, key: bytes) -> int:
        return len(self._typed(key, dict))

    def _hstrlen(self, key: bytes, name: bytes) -> int:
        return len(self._hget(key, name) or b"")

    def _hkeys(self, key: bytes) -> list[bytes]:
        return list(self._typed(key, dict))

    def _hscan(self, key: bytes, cursor: bytes, _count: bytes, count: bytes) -> list[Any]:
        pairs = list(self._typed(key, dict).items())
        stop = int(cursor) + int(count)
        page = [part for pair in pairs[int(cursor) : stop] for part in pair]
        return [b"%d" % (stop if stop < len(pairs) else 0), page]

    def _hincrby(self, key: bytes, name: bytes, by: bytes) -> int:
        table = self._typed(key, dict, make=True)
        value = int(table.get(name, b"0")) + int(by)
        table[name] = b"%d" % value
        return value

    # Sets

    def _sadd(self, key: bytes, *members: bytes) -> int:
        found = self._typed(key, set, make=True)
        before = len(found)
        found.update(members)
        return len(found) - before

    def _scard(self, key: bytes) -> int:
        return len(self._typed(key, set))

    def _sismember(self, key: bytes, member: bytes) -> int:
        return int(member in self._typed(key, set))

    def _smembers(self, key: bytes) -> list[bytes]:
        return list(self._typed(key, set))

    # Streams

    def _xadd(self, key: bytes, at: bytes, *fields: bytes) -> bytes:
        log: Log = self._typed(key, Log, make=True)
        most = None
        if at.upper() == b"MAXLEN":
            if fields[0] != b"=":
                raise ReplyError("ERR only XADD MAXLEN = is simulated")
            most, at, *fields = int(fields[1]), *fields[2:]  # type: ignore[assignment]
        wanted = (log.last[0] + 1, 0) if at == b"*" else _entry_id(at, 0)
        if wanted <= log.last:
            if not log.ids and log.last == (0, 0):
                del self.data[key]
            raise ReplyError(
                "ERR The ID specified in XADD is equal or smaller than the target stream top item"
            )
        log.add(wanted, list(fields))
        if most is not None:
            log.keep(most)
        return b"%d-%d" % wanted

    def _xrange(self, key: bytes, first: bytes, last: bytes, *options: bytes) -> list[Any]:
        log: Log = self._typed(key, Log)
        start = 0 if first == b"-" else bisect.bisect_left(log.ids, _entry_id(first, 0))
        stop = len(log.ids) if last == b"+" else bisect.bisect_right(log.ids, _entry_id(last, 2**64))
        if options:
            stop = min(stop, start + int(options[1]))
        return [[b"%d-%d" % log.ids[n], list(log.fields[n])] for n in range(start, stop)]

    def _xlen(self, key: bytes) -> int:
        return len(self._typed(key, Log).ids)

    def _xdel(self, key: bytes, *given: bytes) -> int:
        log: Log = self._typed(key, Log)
        gone = 0
        for wanted in (_entry_id(at, 0) for at in given):
            n = bisect.bisect_left(log.ids, wanted)
            if n < len(log.ids) and log.ids[n] == wanted:
                del log.ids[n], log.fields[n], log.nodes[n]
                gone += 1
        return gone

    def _xtrim(self, key: bytes, *options: bytes) -> int:
        if len(options) not in (3, 5) or (options[0].upper(), options[1]) != (b"MINID", b"~"):
            raise ReplyError("ERR only XTRIM MINID ~ is simulated")
        log: Log = self._typed(key, Log)
        return log.trim(_entry_id(options[2], 0), int(options[4]) if len(options) == 5 else 10_000)

    # Functions

    def _function(self, what: bytes, *args: bytes) -> Any:
        match what.upper():
            case b"LOAD":
                library = self._load(args[-1])
                if library.name in self.libraries and args[0].upper() != b"REPLACE":
                    raise ReplyError(f"ERR Library '{library.name.decode()}' already exists")
                self.libraries[library.name] = library
                return library.name
            case b"FLUSH":
                self.libraries.clear()
                return OK
            case b"LIST":
                wanted = [args[1]] if args and args[0].upper() == b"LIBRARYNAME" else list(self.libraries)
                with_code = bool(args) and args[-1].upper() == b"WITHCODE"
                return [
                    _described(self.libraries[name], with_code=with_code)
                    for name in wanted
                    if name in self.libraries
                ]
        raise ReplyError(f"ERR unknown subcommand '{what.decode()}'")

    def _load(self, source: bytes) -> Library:
        return interpreter().load(source)

    def _fcall(self, name: bytes, count: bytes, *args: bytes) -> Any:
        for library in self.libraries.values():
            if name in library.functions:
                callback, flags = library.functions[name]
                break
        else:
            raise ReplyError("ERR Function not found")
        may_fill = (
            b"allow-oom" in flags or b"no-writes" in flags
        )  # as of Redis 7, the second implies the first
        if self.is_full and not may_fill:
            raise ReplyError(_FULL_FUNCTION)
        n = int(count)
        return interpreter().run(
            callback, args[:n], args[n:], lambda call: self._execute(call, may_fill=True)
        )

    # The server itself

    def _ping(self) -> Status:
        return Status(b"PONG")

    def _info(self, *_: bytes) -> bytes:
        policy, aof = self.settings[b"maxmemory-policy"], self.settings[b"appendonly"] == b"yes"
        return (
            b"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.0\r\nloading:0\r\nrole:master\r\n"
            b"connected_slaves:0\r\nmaxmemory_policy:%b\r\naof_enabled:%d\r\naof_last_write_status:ok\r\n"
            % (policy, aof)
        )

    def _config(self, what: bytes, *args: bytes) -> Any:
        if what.upper() == b"SET":
            if args[0] == b"maxmemory":
                self.is_full = args[1] != b"0"
            self.settings[args[0]] = args[1]
            return OK
        return [part for name in args if name in self.settings for part in (name, self.settings[name])]

    def _waitaof(self, local: bytes, replicas: bytes, _timeout: bytes) -> list[int]:
        return [min(1, int(local)), int(replicas)]


def _entry_id(text: bytes, default: int) -> EntryId:
    ms, dash, seq = text.partition(b"-")
    return int(ms), int(seq) if dash else default


def _described(library: Library, *, with_code: bool) -> list[Any]:
    functions = [
        [b"name", name, b"description", None, b"flags", sorted(flags)]
        for name, (_, flags) in library.functions.items()
    ]
    described = [b"library_name", library.name, b"engine", b"LUA", b"functions", functions]
    return [*described, b"library_code", library.source] if with_code else described


_COMMANDS: dict[bytes, Callable[..., Any]] = {
    name.upper().encode(): getattr(SimulatedServer, f"_{name}")
    for name in (
        *("get", "mget", "set", "setrange", "pttl", "pexpire", "exists", "keys"),
        *(
            "hget",
            "hmget",
            "hgetall",
            "hset",
            "hdel",
            "hexists",
            "hlen",
            "hkeys",
            "hstrlen",
            "hscan",
            "hincrby",
        ),
        *("sadd", "scard", "sismember", "smembers"),
        *("xadd", "xrange", "xlen", "xdel", "xtrim"),
        *("function", "fcall", "ping", "info", "config", "waitaof"),
    )
} | dict.fromkeys((b"DEL", b"UNLINK"), SimulatedServer._delete)

_FREES = frozenset({b"DEL", b"UNLINK", b"HDEL", b"XDEL", b"XTRIM", b"PEXPIRE"})
_WRITES = _FREES | {b"SET", b"SETRANGE", b"HSET", b"HINCRBY", b"SADD", b"XADD"}
