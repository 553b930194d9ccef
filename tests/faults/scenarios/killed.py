"""Processes that die: services and their embedded stores, at any instant."""

import time

from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.service.waiting import until


def settings_of(rig: Rig) -> dict[str, int | None]:
    """Snapshots often, now and then, or never; of one chunk or of many."""
    return {
        "snapshot_every_items": rig.rng.choice([25, 60, 150, 20_000]),
        "chunk_bytes": rig.rng.choice([None, 2048, 8192]),
    }


@scenario("embedded", "redis")
def service_killed(rig: Rig, where: str) -> Service:
    """SIGKILL of the service at random instants, while it starts, serves and takes snapshots."""
    rng = rig.rng
    at = rig.redis() if where == "redis" else None
    settings = settings_of(rig)
    front = rig.front()
    service = rig.serve(at=at, **settings)
    front.point_to(service.ready().url)
    sender = rig.client(front, rig.items(rng.randint(200, 500)))
    for _ in range(rng.randint(2, 5)):
        if rng.random() < 0.75:
            front.point_to(service.ready().url)
            sender.has(sender.acked + rng.randint(0, 90))
            time.sleep(rng.random() * 0.02)
        else:  # while it starts
            time.sleep(rng.random() * 0.3)
        rig.kill(service)
        service = rig.serve(at=at, **settings)
    front.point_to(service.ready().url)
    sender.finish()
    return service


@scenario()
def embedded_store_killed(rig: Rig) -> Service:
    """SIGKILL of the embedded store: the service starts it again, and goes on by itself."""
    rng = rig.rng
    service = rig.serve(**settings_of(rig)).ready()
    sender = rig.client(service, rig.items(rng.randint(300, 500)))
    for _ in range(rng.randint(1, 3)):
        sender.has(sender.acked + rng.randint(0, 90))
        time.sleep(rng.random() * 0.02)
        store = service.store()
        store.kill()
        rig.note("store killed")
        assert service.http.get("/livez").status_code == 200
    sender.finish()
    return service


@scenario()
def everything_killed(rig: Rig) -> Service:
    """SIGKILL of the service and of its Redis together, as when a machine's supervisor gives up."""
    rng = rig.rng
    redis = rig.redis()
    settings = settings_of(rig)
    front = rig.front()
    service = rig.serve(at=redis, **settings)
    front.point_to(service.ready().url)
    sender = rig.client(front, rig.items(rng.randint(200, 400)))
    for _ in range(rng.randint(1, 3)):
        sender.has(sender.acked + rng.randint(0, 90))
        time.sleep(rng.random() * 0.02)
        for kill in rng.sample([lambda: rig.kill(service), redis.kill], 2):  # noqa: B023 - called here
            kill()
        rig.note("Redis killed")
        redis.restart()
        service = rig.serve(at=redis, **settings)
        front.point_to(service.ready().url)
    sender.finish()
    return service


@scenario("SIGTERM", "SIGINT")
def told_to_stop(rig: Rig, how: str) -> Service:
    """Told to stop in mid-stream it drains, snapshots and ends with 0 in under 5 s; the next one goes on."""
    rng = rig.rng
    front = rig.front()
    service = rig.serve()
    front.point_to(service.ready().url)
    sender = rig.client(front, rig.items(400), chunk=10, pause_s=0.005)
    for _ in range(rng.randint(1, 3)):
        before = sender.acked
        sender.has(sender.acked + rng.randint(20, 90))
        assert service.stop(15 if how == "SIGTERM" else 2, within_s=5) == 0
        rig.note("told to stop")
        rig.no_orphan_of(service)
        is_saved = bool(service.said("snapshot"))
        is_old = sender.acked == before  # the stream was over when this process began
        assert is_saved or is_old or service.said("stopped_without_snapshot"), "it ends with a snapshot"
        service = rig.serve()
        front.point_to(service.ready().url)
        assert not is_saved or service.said("restored")[0]["entries"] == 0, "the snapshot had it all"
    sender.finish()
    return service


@scenario()
def started_plainly(rig: Rig) -> Service:
    """The same with a process that a command line started, and nothing forked."""
    service = _patiently(rig.serve(is_forked=False, snapshot_every_items=50))
    front = rig.front()
    front.point_to(service.url)
    sender = rig.client(front, rig.items(300))
    sender.has(rig.rng.randint(20, 200))
    rig.kill(service)
    service = _patiently(rig.serve(is_forked=False, snapshot_every_items=50))
    front.point_to(service.url)
    sender.finish()
    return service


def _patiently(service: Service) -> Service:
    """Ready; the imports take three seconds of processor, which a busy machine does not give at once."""
    until(lambda: service.said("listening"), "it listens", within_s=100)
    return service.ready()
