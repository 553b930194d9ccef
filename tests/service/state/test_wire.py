"""The wire: one try per command, our errors, the library, the check of the server."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from redis.asyncio import Redis, SSLConnection

from service.state.durability import Durability
from service.state.embedded import EmbeddedServer
from service.state.errors import StoreMisconfigured, StoreUnavailable
from service.state.wire import LIBRARY, Refusal, Wire, connect, library_source
from tests.service.state.fault_proxy import Fault, FaultProxy, read_frame


@pytest.mark.parametrize("fault", ["drop_reply", "cut_reply"])
async def test_a_lost_reply_is_not_a_second_write(proxy: FaultProxy, stream: str, fault: Fault) -> None:
    """A plain XADD whose reply is lost fails, leaves one entry, and is not repeated by the client library."""
    client = connect(proxy.path)
    wire = Wire(client)
    proxy.arm(b"XADD", fault)

    with pytest.raises(StoreUnavailable) as caught:
        await wire.command("XADD", f"plain:{stream}", "*", "a", "1")

    expected = {"unknown": True, "hits": 1, "entries": 1}
    entries = await wire.command("XLEN", f"plain:{stream}")
    assert expected == {"unknown": caught.value.outcome_unknown, "hits": proxy.hits, "entries": entries}
    await client.aclose()


async def test_nobody_listens(short_path: Path) -> None:
    """A server that is not there is unavailable, not a crash; where it would be, clients are not told."""
    for place, why in (
        (short_path / "nothing", "No such file or directory"),
        ("redis://127.0.0.1:1", "Connection refused"),
    ):
        client = connect(place)
        with pytest.raises(StoreUnavailable, match="send the same again") as caught:
            await Wire(client).command("PING")
        await client.aclose()

        assert f"Redis does not answer ({why}); send the same again" == str(caught.value)


async def test_silence_ends_in_a_time_out(server: EmbeddedServer) -> None:
    """A server that holds its answer back longer than timeout_s is unavailable, the outcome unknown."""
    client = connect(server.socket, timeout_s=0.05)

    with pytest.raises(StoreUnavailable) as caught:
        await Wire(client).command("BLPOP", "never-written", 1)

    assert caught.value.outcome_unknown
    assert "no answer in time" in str(caught.value)
    await client.aclose()


def test_urls() -> None:
    """redis://, rediss:// and unix:// are understood, password and database included."""
    plain = connect("redis://user:secret@example.org:6380/3").connection_pool.connection_kwargs
    local = connect("unix:///tmp/a%20b.sock").connection_pool.connection_kwargs

    expected = ("example.org", 6380, 3, "user", "secret")
    assert expected == tuple(plain[name] for name in ("host", "port", "db", "username", "password"))
    assert issubclass(connect("rediss://example.org").connection_pool.connection_class, SSLConnection)
    assert local["path"] == "/tmp/a b.sock"  # noqa: S108 - only a name here


@pytest.mark.parametrize("size", [0, 3, 5000, 40_000])
def test_a_function_call_is_packed_as_redis_py_packs_it(size: int) -> None:
    """The same bytes, whatever the arguments are and however long."""
    ours = connect("redis://h").connection_pool.make_connection()
    theirs = Redis().connection_pool.make_connection()
    arguments = ("FCALL", "fs1_commit", 1, "key", "ä", 2**53, b"\x00\xff\r\n" * size, b"", "with a space")

    assert b"".join(theirs.pack_command(*arguments)) == b"".join(ours.pack_command(*arguments))


def test_a_url_cannot_switch_retries_on() -> None:
    """Options of the URL never override what keeps writes single and replies bytes."""
    client = connect("redis://h?retry_on_timeout=true&decode_responses=true&socket_timeout=9")
    kwargs = client.connection_pool.connection_kwargs

    expected = (False, False, 0, 9.0)
    retries = kwargs["retry"].get_retries()
    assert expected == (
        kwargs["retry_on_timeout"],
        kwargs["decode_responses"],
        retries,
        kwargs["socket_timeout"],
    )


@pytest.mark.parametrize("url", ["http://example.org", "localhost:6379", ""])
def test_other_urls(url: str) -> None:
    """Another URL is refused with examples of what to give."""
    with pytest.raises(StoreMisconfigured, match="redis://host:6379/0"):
        connect(url)


async def test_the_library_is_loaded_once(private: "Redis") -> None:
    """The library is loaded when it is missing or differs to the letter, and else left alone."""
    wire = Wire(private)
    first, second = await wire.load_library(), await wire.load_library()
    await private.execute_command("FUNCTION", "LOAD", "REPLACE", library_source() + "\n-- an edit\n")
    third = await wire.load_library()

    expected = [True, False, True]
    assert expected == [first, second, third]


async def test_a_lost_library_comes_back(private: "Redis") -> None:
    """A call finds the server without the library (a fail-over, FUNCTION FLUSH): it loads it and goes on."""
    wire = Wire(private)
    await wire.load_library()
    await private.execute_command("FUNCTION", "FLUSH")

    assert await wire.call("fs1_release", ["e", "l"], "1 owner") == 0


async def test_every_function_is_of_the_version(private: "Redis") -> None:
    """All functions carry the version in their name, so that two releases can share a server."""
    await Wire(private).load_library()
    ((*_, functions),) = [
        [library[i + 1] for i in range(0, len(library), 2) if library[i] in (b"library_name", b"functions")]
        for library in await private.execute_command("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY)
    ]

    names = [function[function.index(b"name") + 1] for function in functions]
    assert names
    assert all(name.startswith(b"fs1_") for name in names)


async def test_out_of_memory_is_a_refusal(private: "Redis") -> None:
    """With no memory left a write is refused as such: nothing was written, and that is known."""
    wire = Wire(private)
    await private.config_set("maxmemory", "1")

    with pytest.raises(StoreUnavailable, match="Redis refuses now") as caught:
        await wire.command("SET", "a", "1")

    assert not caught.value.outcome_unknown


async def test_a_wrong_password(private: "Redis", short_path: Path) -> None:
    """A server that wants a password is misconfigured, not away: waiting would not help."""
    await private.config_set("requirepass", "secret")
    other = connect(f"unix://{short_path}/redis/valkey.sock?password=wrong")

    with pytest.raises(StoreMisconfigured, match="check user and password"):
        await Wire(other).command("PING")
    await other.aclose()
    await private.config_set("requirepass", "")


async def test_a_command_that_redis_does_not_know(client: "Redis") -> None:
    """An answer that nobody foresaw says that it is our bug."""
    with pytest.raises(Refusal, match="This is a bug in firstseen"):
        await Wire(client).command("NOT-A-COMMAND")


async def test_a_good_server_has_no_warnings(client: "Redis") -> None:
    """The embedded server's own settings pass the check."""
    info, unsafe = await Wire(client).inspect(Durability())

    expected: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    assert expected == (unsafe, info.warnings)
    assert info.name in ("valkey", "redis")
    assert info.version[0].isdigit()


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("maxmemory-policy", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
        ("appendonly", "no", "CONFIG SET appendonly yes"),
        ("appendfsync", "everysec", "CONFIG SET appendfsync always"),
        ("no-appendfsync-on-rewrite", "yes", "CONFIG SET no-appendfsync-on-rewrite no"),
    ],
)
async def test_unsafe_settings(private: "Redis", setting: str, value: str, advice: str) -> None:
    """Each setting that could lose acknowledged items is named with the command that mends it."""
    await private.config_set(setting, value)
    info, unsafe = await Wire(private).inspect(Durability())

    assert len(unsafe) == 1
    assert advice in unsafe[0]
    assert unsafe == info.warnings


async def test_a_file_that_is_on_again(private: "Redis") -> None:
    """Switched off and on, the append-only file is made anew, and until it is whole nothing is safe."""
    wire = Wire(private)
    await private.config_set("appendonly", "no")
    assert len((await wire.inspect(Durability()))[1]) == 1
    await private.config_set("rdb-key-save-delay", "20000")  # so that making it takes a while
    await private.execute_command("MSET", *(part for n in range(100) for part in (f"k{n}", "x")))
    await private.config_set("appendonly", "yes")
    _, unsafe = await wire.inspect(Durability())
    assert len(unsafe) == 1
    assert "being made" in unsafe[0]
    async with asyncio.timeout(30):
        while (await wire.inspect(Durability()))[1]:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.05)


async def test_a_file_that_is_rewritten(private: "Redis") -> None:
    """Which a server does now and then, by itself: the old one is kept meanwhile, and nothing is unsafe."""
    await private.config_set("rdb-key-save-delay", "20000")
    await private.execute_command("MSET", *(part for n in range(100) for part in (f"k{n}", "x")))
    await private.execute_command("BGREWRITEAOF")
    _, unsafe = await Wire(private).inspect(Durability())

    assert (await private.info("persistence"))["aof_rewrite_in_progress"]
    assert unsafe == ()


async def test_a_server_that_is_too_old(short_path: Path) -> None:
    """A server without Functions is refused with what to install instead."""
    info = b"redis_version:6.2.14\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while command := await read_frame(reader):
                writer.write(b"$%d\r\n%s\r\n" % (len(info), info) if b"INFO" in command else b"+PONG\r\n")
        writer.close()

    listener = await asyncio.start_unix_server(answer, short_path / "old")
    client = connect(short_path / "old")
    wire = Wire(client)
    with pytest.raises(StoreMisconfigured, match=r"redis 6\.2\.14 has no Functions; use Redis 7\.0"):
        await wire.inspect(Durability())
    await client.aclose()
    listener.close()
    await listener.wait_closed()


@pytest.mark.parametrize(
    "command", ["CONFIG SET min-replicas-to-write 1", "REPLICAOF 127.0.0.1 1"], ids=["lonely", "replica"]
)
async def test_a_server_that_takes_no_writes(private: "Redis", command: str) -> None:
    """A server without its replicas, or that became a replica, refuses: nothing was written, try again."""
    wire = Wire(private)
    await wire.load_library()
    await private.execute_command(*command.split())

    with pytest.raises(StoreUnavailable, match="Redis refuses now") as caught:
        await wire.call("fs1_release", ["e", "l"], "1 owner")
    assert not caught.value.outcome_unknown


async def test_a_server_without_config(private: "Redis") -> None:
    """Where CONFIG is forbidden (managed servers) the fsync policy is a warning, not a refusal."""
    await private.execute_command("ACL", "SETUSER", "default", "-config")
    info, unsafe = await Wire(private).inspect(Durability())

    assert unsafe == ()
    assert len(info.warnings) == 1
    assert "could not be checked" in info.warnings[0]


async def test_a_transaction_is_one_instant(client: "Redis", stream: str) -> None:
    """All commands in order, and the errors of the wire."""
    wire = Wire(client)
    replies = await wire.transaction(["SET", stream, "1"], ["GET", stream], ["HGETALL", f"{stream}-none"])

    assert [b"1", {}] == replies[1:]
    with pytest.raises(Refusal, match="WRONGTYPE"):
        await wire.transaction(["GET", stream], ["HGETALL", stream])
