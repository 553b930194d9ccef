"""What the durabilities beside `fsync` promise, and a Redis that is set up otherwise while it serves."""

from tests.faults import hurt
from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.faults.scenarios.killed import settings_of
from tests.faults.scenarios.replicas import pair


@scenario()
def relaxed(rig: Rig) -> Service:
    """In the tier `relaxed`, with an fsync a second, SIGKILL of the service at random instants loses nothing."""
    rng = rig.rng
    redis = rig.redis()
    redis.command("CONFIG", "SET", "appendfsync", "everysec")
    front = rig.front()
    settings = {**settings_of(rig), "durability": "relaxed"}
    service = rig.serve(at=redis, **settings)
    front.point_to(service.ready().url)
    sender = rig.client(front, rig.items(300), chunk=7, pause_s=0.003)
    for _ in range(2):
        sender.has(sender.acked + rng.randint(10, 80))
        rig.kill(service)
        service = rig.serve(at=redis, **settings)
        front.point_to(service.ready().url)
    sender.finish()
    return service


@scenario("asked", "done", "told")
def killed_while_replicas_confirm(rig: Rig, moment: str) -> Service:
    """In the tier `replicated`, SIGKILL of the service between a write and the replicas' word for it."""
    rng = rig.rng
    rig.binary = None  # WAITAOF came with Redis 7.2
    primary, _ = pair(rig)
    proxy = rig.proxy(primary)
    front = rig.front()
    settings = {"durability": "replicated", "replicas": 1}
    service = rig.serve(at=proxy, **settings)
    front.point_to(service.ready().url)
    sender = rig.client(front, rig.items(200), chunk=7, pause_s=0.003)
    died = proxy.at_step("WAITAOF", moment, service.process.kill, skip=rng.randint(0, 8))
    assert died.wait(20), "it is not killed"
    service.wait()
    rig.note("service killed")
    service = rig.serve(at=proxy, **settings)
    front.point_to(service.ready().url)
    sender.finish()
    return service


@scenario()
def file_switched_off(rig: Rig) -> Service:
    """Somebody switches the append-only file off: nothing more is acknowledged until it is on again."""
    redis = rig.redis()
    service = rig.serve(at=redis).ready()
    sender = rig.client(service, rig.items(300), chunk=7, pause_s=0.005)
    sender.has(rig.rng.randint(10, 100))
    redis.command("CONFIG", "SET", "appendonly", "no")
    rig.note("file switched off")
    reason = hurt.unready(service)
    assert "append-only file is off" in reason, reason
    hurt.away(service)
    redis.command("CONFIG", "SET", "appendonly", "yes")
    sender.finish()
    return service
