"""The embedded server as real processes, with real signals."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.state.durability import Durability, Tier
from service.state.embedded import EmbeddedServer, socket_of
from service.state.errors import DataFolderInUse, EmbeddedServerFailed, StoreUnavailable
from service.state.store import Append, StreamStore, connect
from service.state.wire import Wire

pytestmark = pytest.mark.slow

# A firstseen in small: opens the folder, says its server's pid, appends and says each seq once it is durable.
# Ctrl-C ends it as a service ends: what was opened is closed.
PARENT = """
import asyncio, sys
from pathlib import Path
from service.state.embedded import EmbeddedServer
from service.state.store import Append, StreamStore, connect

async def main(folder, wanted):
    async with EmbeddedServer(Path(folder)) as server:
        print("pid", server.pid, flush=True)
        store = StreamStore(connect(server.socket), stream="s", bundle_id="b", owner="parent")
        await store.acquire()
        for seq in range(wanted):
            verdicts = [(f"id-{seq}", b"v%d" % seq)]
            await store.append(Append(first_seq=seq, count=1, payload=b"p%d" % seq, verdicts=verdicts))
            print("acked", seq, flush=True)
        while True:  # as the service does: a signal may come to a thread that does not wake the loop
            await asyncio.sleep(0.1)

try:
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
except KeyboardInterrupt:
    print("drained", flush=True)
"""
ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def parent(folder: Path, wanted: int) -> Iterator[subprocess.Popen[str]]:
    """Such a process, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder), str(wanted)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=ROOT,
    )
    with process:  # waits for it
        try:
            yield process
        finally:
            process.kill()
    with (folder / "server.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for its server: the folder is about to be deleted


def said(process: subprocess.Popen[str], until: str) -> list[str]:
    """The lines up to the one that starts with `until`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.startswith(until):
            return lines
    raise AssertionError(f"the process ended before it said {until!r}: {lines}")


async def gone(pid: int, within_s: float) -> bool:
    """Whether the process ends (or is a zombie, whom nobody here can reap) in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while psutil.pid_exists(pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                        return True
                await asyncio.sleep(0.01)  # another process: nothing to await
            return True
    return False


@contextlib.asynccontextmanager
async def store_on(server: EmbeddedServer) -> AsyncIterator[StreamStore]:
    client = connect(server.socket)
    store = StreamStore(client, stream="s", bundle_id="b", owner="test")
    await store.acquire(steal=True)
    yield store
    await client.aclose()


async def test_what_was_written_is_there_after_a_restart(short_path: Path) -> None:
    """Items appended before a stop are there after the next start, in the same folder."""
    async with EmbeddedServer(short_path) as server, store_on(server) as store:
        await store.append(Append(first_seq=0, count=1, payload=b"\xff", verdicts=[("a", b"v")]))
    async with EmbeddedServer(short_path) as server, store_on(server) as store:
        found = await store.lookup(["a"])

    assert found == [b"v"]


async def test_the_url(short_path: Path) -> None:
    """The URL leads to the server, also from a folder whose name needs escaping."""
    async with EmbeddedServer(short_path / 'a "b" %41 é#?') as server:
        client = connect(server.url)

        assert server.url.startswith("unix:///")
        assert await client.ping()
        await client.aclose()


async def test_it_is_private(short_path: Path) -> None:
    """Folder, data and socket are for their owner only, and no port is open."""
    async with EmbeddedServer(short_path / "data") as server:
        assert server.pid is not None
        listening = psutil.Process(server.pid).net_connections("inet")
        files = [path for path in (short_path / "data" / "redis").rglob("*") if path.suffix == ".aof"]
        modes = {path.stat().st_mode & 0o077 for path in [short_path / "data", server.socket, *files]}

    assert listening == []
    assert files
    assert modes == {0}


async def test_a_deep_folder(short_path: Path) -> None:
    """Where the path is too long for a unix socket, the socket lies elsewhere, and nothing of it stays."""
    deep = short_path / ("d" * 60) / ("e" * 60)
    async with EmbeddedServer(deep) as server, store_on(server) as store:
        socket = server.socket
        await store.append(Append(first_seq=0, count=1, payload=b"", verdicts=[]))

    assert len(os.fsencode(socket)) <= 103
    assert not socket.parent.exists()
    assert (deep / "redis").is_dir()


async def test_a_second_opener(short_path: Path) -> None:
    """A folder in use is refused with the pid of whoever has it; the server there is not disturbed."""
    with parent(short_path, 1) as first:
        said(first, "acked 0")
        with pytest.raises(DataFolderInUse, match=f"in use by process {first.pid}") as caught:
            await EmbeddedServer(short_path).start()
        client = connect(short_path / "redis" / "valkey.sock")
        answers = await client.ping()
        await client.aclose()

    assert caught.value.pid == first.pid
    assert answers


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_kill_of_the_parent(short_path: Path) -> None:
    """Kill -9 of the parent: its server goes with it, and all that was acknowledged is there again."""
    with parent(short_path, 100_000) as process:
        lines = said(process, "acked 200")
        process.kill()
        rest = process.stdout.read().split() if process.stdout else []
        server_pid = int(lines[0].split()[1])
        ended = await gone(server_pid, within_s=30.0)
    acked = max([200, *(int(word) for word in rest if word.isdecimal())])
    async with EmbeddedServer(short_path) as server, store_on(server) as store:
        found = await store.lookup([f"id-{seq}" for seq in range(acked)])
        records = [record async for record in store.replay(await store.load())]

    assert ended
    assert found == [b"v%d" % seq for seq in range(acked)]
    assert [record.payload for record in records] == [b"p%d" % seq for seq in range(len(records))]


async def test_ctrl_c_leaves_the_server(short_path: Path) -> None:
    """Ctrl-C goes to the whole group of the service; its server answers on, until it is stopped."""
    with parent(short_path, 1) as process:
        server_pid = int(said(process, "acked 0")[0].split()[1])
        own_group = os.getpgid(server_pid) != os.getpgid(process.pid)
        os.killpg(process.pid, signal.SIGSTOP)  # the service must not stop it by itself before we look
        os.killpg(process.pid, signal.SIGINT)
        client = connect(short_path / "redis" / "valkey.sock")
        answers = await client.ping()
        await client.aclose()
        os.killpg(process.pid, signal.SIGCONT)
        drained = said(process, "drained")
        ended = await gone(server_pid, within_s=30.0)

    assert own_group
    assert answers
    assert drained == ["drained"]
    assert ended


async def test_a_cancelled_stop(short_path: Path) -> None:
    """A stop that is cancelled while it waits still ends the server and gives the folder back."""
    server = EmbeddedServer(short_path)
    await server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping

    assert not psutil.pid_exists(pid)
    async with EmbeddedServer(short_path) as again:
        assert again.is_alive()


async def test_stop(short_path: Path) -> None:
    """Stop ends the server, takes the socket away, frees the folder, and may be called twice."""
    server = EmbeddedServer(short_path)
    await server.start()
    pid, alive = server.pid, server.is_alive()
    await server.stop()
    await server.stop()

    assert pid is not None
    assert alive
    assert not server.is_alive()
    assert not psutil.pid_exists(pid)
    assert not server.socket.exists()
    async with EmbeddedServer(short_path) as again:
        assert again.is_alive()


async def test_stop_of_a_server_that_hangs(short_path: Path) -> None:
    """A server that does not react is killed after the bound, and loses nothing."""
    server = EmbeddedServer(short_path, stop_timeout_s=0.2)
    await server.start()
    async with store_on(server) as store:
        await store.append(Append(first_seq=0, count=1, payload=b"", verdicts=[("a", b"v")]))
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    await server.stop()
    async with EmbeddedServer(short_path) as again, store_on(again) as store:
        found = await store.lookup(["a"])

    assert found == [b"v"]


async def test_restart_after_a_crash(short_path: Path) -> None:
    """A server that was killed is started again on its socket: the same store object goes on."""
    async with EmbeddedServer(short_path) as server, store_on(server) as store:
        await store.append(Append(first_seq=0, count=1, payload=b"", verdicts=[("a", b"v")]))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while server.is_alive():  # noqa: ASYNC110 - another process: nothing to await
                await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailable):
            await store.lookup(["a"])
        await server.restart()

        assert await store.lookup(["a"]) == [b"v"]
        assert await store.append(Append(first_seq=1, count=1, payload=b"", verdicts=[("b", b"w")]))


async def test_restart_of_a_server_that_hangs(short_path: Path) -> None:
    """A server that is alive but does not answer can be replaced too."""
    async with EmbeddedServer(short_path, stop_timeout_s=0.2) as server:
        before = server.pid
        assert before is not None
        os.kill(before, signal.SIGSTOP)
        await server.restart()

        assert server.pid != before
        assert server.is_alive()


async def test_a_left_over_server_is_cleared(short_path: Path) -> None:
    """A left-over server, where nothing tied it to its parent, is ended before ours starts; all is there."""
    first = EmbeddedServer(short_path)
    await first.start()
    async with store_on(first) as store:
        await store.append(Append(first_seq=0, count=1, payload=b"", verdicts=[("a", b"v")]))
    assert first._lock is not None
    os.close(first._lock)  # what the kernel does when its process is killed
    first._lock = None
    async with EmbeddedServer(short_path) as second, store_on(second) as store:
        found = await store.lookup(["a"])
        left = first.is_alive()

    assert not left
    assert found == [b"v"]


async def test_a_left_over_server_that_hangs(short_path: Path) -> None:
    """A left-over that does not end is reported by its pid; it is for a person to end it."""
    first = EmbeddedServer(short_path, stop_timeout_s=0.2)
    await first.start()
    assert first.pid is not None
    assert first._lock is not None
    os.kill(first.pid, signal.SIGSTOP)
    os.close(first._lock)
    first._lock = None
    with pytest.raises(EmbeddedServerFailed, match=rf"kill {first.pid}\b"):
        await EmbeddedServer(short_path, stop_timeout_s=0.2).start()
    os.kill(first.pid, signal.SIGCONT)
    await first.stop()
    async with EmbeddedServer(short_path) as second:
        assert second.is_alive()


async def test_a_copied_folder(short_path: Path) -> None:
    """A copy of a folder in use, socket record and all, starts a server of its own beside the original's."""
    async with EmbeddedServer(short_path / ("d" * 90)) as original:
        copy = short_path / "copy"
        copy.mkdir()
        (copy / "socket").write_bytes((short_path / ("d" * 90) / "socket").read_bytes())
        async with EmbeddedServer(copy):
            client = connect(original.socket)

            assert await client.ping()
            await client.aclose()


async def test_a_truncated_tail(short_path: Path) -> None:
    """After a power failure in the middle of a write the half written end is dropped, and nothing else."""
    async with EmbeddedServer(short_path) as server, store_on(server) as store:
        for seq in range(3):
            await store.append(Append(first_seq=seq, count=1, payload=b"p", verdicts=[(f"id-{seq}", b"v")]))
    (aof,) = (short_path / "redis" / "appendonlydir").glob("*.incr.aof")
    aof.write_bytes(aof.read_bytes()[:-5])
    async with EmbeddedServer(short_path) as server, store_on(server) as store:
        loaded = await store.load()
        found = await store.lookup(["id-0", "id-1", "id-2"])
        records = [record async for record in store.replay(loaded)]

    assert loaded.next_seq == len(records) == 2
    assert found == [b"v", b"v", None]


async def test_damaged_files(short_path: Path) -> None:
    """Files damaged before their end stop the start, with the end of the server's own log in the message."""
    async with EmbeddedServer(short_path) as server, store_on(server) as store:
        for seq in range(3):
            await store.append(Append(first_seq=seq, count=1, payload=b"p" * 100, verdicts=[]))
    (aof,) = (short_path / "redis" / "appendonlydir").glob("*.incr.aof")
    content = bytearray(aof.read_bytes())
    content[50:60] = b"\xff" * 10
    aof.write_bytes(content)

    with pytest.raises(EmbeddedServerFailed, match="Bad file format"):
        await EmbeddedServer(short_path).start()


async def test_a_program_that_cannot_run(short_path: Path) -> None:
    """A server program that is not there fails the start with the reason, and leaves the folder free."""
    with pytest.raises(EmbeddedServerFailed, match="ended at once"):
        await EmbeddedServer(short_path, binary=short_path / "no-such-program").start()

    async with EmbeddedServer(short_path) as server:
        assert server.is_alive()


async def test_a_program_that_never_answers(short_path: Path) -> None:
    """A server that does not answer in time fails the start and is not left running."""
    mute = short_path / "mute"
    mute.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    mute.chmod(0o700)
    server = EmbeddedServer(short_path / "data", binary=mute, start_timeout_s=0.3, stop_timeout_s=0.3)
    with pytest.raises(EmbeddedServerFailed, match="did not answer in time"):
        await server.start()

    assert not server.is_alive()


async def test_twice(short_path: Path) -> None:
    """A second start of the same object, and a restart before the first, are refused."""
    server = EmbeddedServer(short_path)
    with pytest.raises(EmbeddedServerFailed, match=r"use start\(\)"):
        await server.restart()
    async with server:
        with pytest.raises(EmbeddedServerFailed, match=r"use restart\(\)"):
            await server.start()


async def test_a_long_log_is_put_aside(short_path: Path) -> None:
    """The server's log does not grow for ever: beyond 1 MiB it is put aside at the next start."""
    (short_path / "server.log").write_text("old line\n" * 150_000)
    async with EmbeddedServer(short_path):
        pass

    assert (short_path / "server.log.1").stat().st_size > 1 << 20
    assert (short_path / "server.log").stat().st_size < 1 << 20


@pytest.mark.parametrize("tier", [Tier.FSYNC, Tier.RELAXED])
async def test_the_settings(short_path: Path, tier: Tier) -> None:
    """The server runs with what the durability needs, and says so itself."""
    durability = Durability(tier=tier)
    async with EmbeddedServer(short_path, appendfsync=durability.appendfsync) as server:
        client = connect(server.socket)
        fsync = await client.config_get("appendfsync")
        info, unsafe = await Wire(client).inspect(durability)
        truncated = await client.config_get("aof-load-truncated")
        await client.aclose()

    assert info.name == "valkey"
    assert (unsafe, info.warnings) == ((), ())
    assert list(fsync.values()) == [durability.appendfsync]
    assert list(truncated.values()) in (["yes"], [b"yes"])


async def test_where_it_listens(short_path: Path) -> None:
    """Whoever knows the folder finds the socket, while there is one."""
    assert socket_of(short_path) is None
    async with EmbeddedServer(short_path) as server:
        assert server.socket == socket_of(short_path)

    assert socket_of(short_path) is None


async def test_a_full_disk(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart that cannot write its configuration is one that failed, which may be tried again."""
    async with EmbeddedServer(short_path) as server:
        real = Path.write_text

        def full(file: Path, *args: Any, **options: Any) -> int:
            if file.name == "valkey.conf":
                raise OSError(28, "No space left on device")
            return real(file, *args, **options)

        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises(EmbeddedServerFailed, match="No space left"):
            await server.restart()
        monkeypatch.undo()
        await server.restart()
