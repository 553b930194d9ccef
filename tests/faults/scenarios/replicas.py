"""The primary is lost, and a replica takes over: one that has everything, or one that lags."""

import random
import time

from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.faults.servers import RedisServer


def pair(rig: Rig) -> tuple[RedisServer, RedisServer]:
    """A primary, and a replica that follows it."""
    primary, replica = rig.redis("primary"), rig.redis("replica")
    replica.follow(primary.listen())
    return primary, replica


def _promote(replica: RedisServer) -> None:
    replica.resume()
    replica.command("REPLICAOF", "NO", "ONE")


@scenario()
def replica_has_all(rig: Rig) -> Service:
    """The primary dies, and a replica that has everything takes over: the service goes on, nothing is lost."""
    primary, replica = pair(rig)
    proxy = rig.proxy(primary)
    service = rig.serve(at=proxy, snapshot_every_items=rig.rng.choice([50, 20_000])).ready()
    rig.client(service, rig.items(rig.rng.randint(50, 200))).finish()
    assert primary.command("WAIT", 1, 5000) == 1
    primary.kill()
    rig.note("primary killed")
    _promote(replica)
    proxy.do(lambda line: line.point_to(replica.socket))
    rig.client(service, rig.items(100)).finish()
    return service.ready()


@scenario("busy", "idle")
def replica_lags(rig: Rig, how: str) -> Service:
    """The primary dies, and one that lags takes over: the service refuses aloud, and ends."""
    rng = rig.rng
    primary, replica = pair(rig)
    proxy = rig.proxy(primary)
    service = rig.serve(at=proxy, snapshot_every_items=rng.choice([50, 20_000])).ready()
    items = rig.items(400)
    sender = rig.http(service, items, chunk=7, pause_s=0.005)
    sender.has(rng.randint(10, 80))
    replica.suspend()
    primary.command("CLIENT", "KILL", "TYPE", "replica")
    sender.has(sender.acked + rng.randint(30, 80))
    if how == "idle":
        sender.stop()
    confirmed = sender.acked
    primary.kill()
    rig.note("primary killed")
    _promote(replica)
    proxy.do(lambda line: line.point_to(replica.socket))
    if how == "idle":  # nobody writes; somebody asks once more for what was confirmed
        time.sleep(rng.random())
        rig.http(service, items[:confirmed], chunk=50)
    assert service.wait(within_s=60) == 1
    last = service.log.strip().splitlines()[-1]
    assert "Redis came back with" in last, last
    assert "backup" in last, last
    assert "Traceback" not in last
    primary.restart()  # the backup that the message asks for
    proxy.do(lambda line: line.point_to(primary.socket))
    service = service.again().ready()
    sender.stop()
    rig.http(service, items).finish()
    return service


@scenario()
def replicated(rig: Rig) -> Service:
    """In the tier `replicated` the primary dies at any instant: the replica has what was confirmed."""
    rng: random.Random = rig.rng
    rig.binary = None  # WAITAOF came with Redis 7.2
    primary, replica = pair(rig)
    proxy = rig.proxy(primary)
    service = rig.serve(
        at=proxy, durability="replicated", replicas=1, snapshot_every_items=rng.choice([50, 20_000])
    ).ready()
    sender = rig.client(service, rig.items(rng.randint(200, 400)), pause_s=0.002)
    for _ in range(rng.randint(1, 2)):
        sender.has(sender.acked + rng.randint(0, 90))
        time.sleep(rng.random() * 0.02)
        primary.kill()
        rig.note("primary killed")
        _promote(replica)
        primary.restart()
        primary.follow(replica.listen())  # the tier wants one again
        proxy.do(lambda line: line.point_to(replica.socket))  # noqa: B023 - called at once
        primary, replica = replica, primary
    sender.finish()
    return service.ready()
