"""The Redis behind a service dies, hangs, pauses, or has no room."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults import hurt
from tests.faults.registry import Skipped, scenario
from tests.faults.rig import LEASE_MS, Rig, Service
from tests.faults.scenarios.killed import settings_of
from tests.faults.servers import RedisServer
from tests.service.waiting import until


@scenario("SIGKILL", "orderly")
def redis_restarted(rig: Rig, how: str) -> Service:
    """Redis is killed, or ends in order, and is started again: the service goes on by itself."""
    rng = rig.rng
    redis = rig.redis()
    service = rig.serve(at=redis, **settings_of(rig)).ready()
    sender = rig.client(service, rig.items(rng.randint(300, 500)), pause_s=0.003)
    for _ in range(rng.randint(1, 3)):
        sender.has(sender.acked + rng.randint(0, 100))
        time.sleep(rng.random() * 0.01)
        (redis.kill if how == "SIGKILL" else redis.shut_down)()
        rig.note("Redis ended")
        if rng.random() < 0.6:
            hurt.away(service)
        redis.restart()
        service.ready()
    sender.finish()
    return service


@scenario("longer", "shorter")
def redis_stopped(rig: Rig, how: str) -> Service:
    """SIGSTOP of Redis, for longer than socket time-out and lease, or shorter; then SIGCONT."""
    rng = rig.rng
    redis = rig.redis()
    service = rig.serve(at=rig.proxy(redis), **settings_of(rig)).ready()
    sender = rig.client(service, rig.items(rng.randint(300, 400)), pause_s=0.003)
    for _ in range(rng.randint(1, 2)):
        sender.has(sender.acked + rng.randint(0, 100))
        redis.suspend()
        rig.note("Redis stopped")
        if how == "longer":
            hurt.away(service)
            time.sleep(LEASE_MS / 1000 * (1 + rng.random()))
        else:
            time.sleep(rng.random() * 0.5)
        redis.resume()
    sender.finish()
    return service


@scenario("WRITE", "ALL")
def client_pause(rig: Rig, what: str) -> Service:
    """CLIENT PAUSE, of writes or of everything, for longer than the socket time-out: what waits is executed late."""
    rng = rig.rng
    redis = rig.redis()
    service = rig.serve(at=rig.proxy(redis), **settings_of(rig)).ready()
    sender = rig.client(service, rig.items(rng.randint(250, 350)), chunk=7, pause_s=0.01)
    sender.has(rng.randint(0, 150))
    redis.command("CLIENT", "PAUSE", 1500, what)
    rig.note("Redis paused")
    if not sender.is_done:
        hurt.unready(service)
    assert service.http.get("/livez").status_code == 200
    sender.finish()
    return service


@scenario()
def redis_away_for_long(rig: Rig) -> Service:
    """Redis hangs: memory is bounded, a WebSocket gets no credit, and all that was sent is answered when it is back."""
    redis = rig.redis()
    service = rig.serve(at=rig.proxy(redis), request_timeout_s=1).ready()
    socket = hurt.CreditWatch(rig, service)
    socket.send(40)
    assert socket.hears(within_s=60) == 40
    redis.suspend()
    rig.note("Redis stopped")
    hurt.unready(service)
    waiting = 0
    while n := min(100, socket.left):
        socket.send(n)
        waiting += n
    assert socket.hears(within_s=0.5) == 0, "an answer while the store is away"
    assert socket.left == 0, "credit while the store is away"
    hurt.away(service)
    grown = hurt.grown(service)
    assert grown < hurt.MOST_GROWTH_BYTES, f"it grew by {grown / 1e6:.0f} MB"
    redis.resume()
    assert socket.hears(within_s=60) == waiting, "not all was answered"
    socket.close()
    return service


@scenario()
def no_memory(rig: Rig) -> Service:
    """Maxmemory with noeviction: 503 with the reason, nothing lost, and it goes on when there is room again."""
    rng = rig.rng
    redis = rig.redis()
    service = rig.serve(at=redis, **settings_of(rig)).ready()
    sender = rig.client(service, rig.items(rng.randint(400, 700)), chunk=7, pause_s=0.02)
    for _ in range(rng.randint(1, 2)):
        sender.has(sender.acked + rng.randint(0, 100))
        if sender.is_done:
            break
        used = redis.info("memory")["used_memory"]
        redis.command(
            "CONFIG", "SET", "maxmemory", int(used * rng.uniform(0.3, 0.7))
        )  # it may give some back
        rig.note("memory gone")
        reason = hurt.unready(service)
        assert "OOM" in reason or "memory" in reason, reason
        hurt.away(service)
        redis.command("CONFIG", "SET", "maxmemory", 0)
    sender.finish()
    return service


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own on a folder."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise Skipped(f"a file system cannot be mounted here ({done.stderr.decode().strip()}); run as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@scenario("embedded", "redis")
def disk_full(rig: Rig, where: str) -> Service:
    """The disk of the store is full: 503, nothing acknowledged is lost, and it goes on when there is room again."""
    rng = rig.rng
    disk = rig.enter(small_disk(rig.folder / "disk", 8))
    redis = RedisServer(disk / "redis", rig.binary) if where == "redis" else None
    if redis is not None:
        rig.adopt(redis)
        service = rig.serve(at=redis, snapshot_every_items=20_000).ready()
    else:
        service = rig.serve("disk/a", snapshot_every_items=20_000).ready()
    sender = rig.client(service, rig.items(rng.randint(500, 700)), chunk=7, pause_s=0.02)
    sender.has(rng.randint(1, 100))
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as full:
        while True:
            full.write(bytes(4096))
    rig.note("disk filled")
    reason = hurt.unready(service)
    store_died = redis is not None and not redis.is_alive()
    rig.say(f"said: {reason[:90]!r}, Redis {'has ended' if store_died else 'lives, or is started again'}")
    hurt.away(service)
    time.sleep(rng.random())
    filler.unlink()
    if redis is not None and not redis.is_alive():
        redis.restart()
    until(lambda: sender.acked > 0 and service.is_ready(), "it goes on")
    sender.finish()
    return service
