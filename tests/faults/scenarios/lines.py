"""The line between service and Redis loses, cuts, holds, delays."""

import time

from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.faults.scenarios.killed import settings_of
from tests.service.waiting import until

_NEEDLES = (
    b"fs1_commit",
    b"fs1_commit",
    b"fs1_commit",
    b"HMGET",
    b"fs1_renew",
    b"fs1_begin",
    b"fs1_put",
    b"fs1_flip",
)


@scenario("drop_reply", "cut_reply", "drop_request", "cut_request", "hold_request")
def line_fault(rig: Rig, fault: str) -> Service:
    """Replies lost after execution, frames cut in the middle, requests lost, or held and executed late; one by one."""
    rng = rig.rng
    proxy = rig.proxy(rig.redis())
    service = rig.serve(at=proxy, snapshot_every_items=50, chunk_bytes=8192).ready()
    sender = rig.client(service, rig.items(rng.randint(250, 400)), pause_s=0.003)
    for _ in range(rng.randint(3, 6)):
        needle, skip, hits = rng.choice(_NEEDLES), rng.randint(0, 3), proxy.line.hits
        proxy.do(lambda line: line.arm(needle, fault, skip=skip))  # noqa: B023 - called at once
        with rig.patience():
            until(lambda: proxy.line.hits > hits or sender.is_done, "it is hit", within_s=3)  # noqa: B023
        if fault == "hold_request" and proxy.line.hits > hits:
            time.sleep(rng.random() * 0.2)  # the service has sent it again by then, or not
            proxy.release_held()
    rig.counts["line hurt"] = proxy.line.hits
    sender.finish()
    return service


@scenario("slow", "trickling", "both")
def slow_line(rig: Rig, how: str) -> Service:
    """Latency before each command, and replies that come some bytes at a time."""
    rng = rig.rng
    proxy = rig.proxy(rig.redis(), timeout_s=5)
    service = rig.serve(at=proxy, **settings_of(rig)).ready()
    if how != "trickling":
        proxy.do(lambda line: setattr(line, "delay_s", rng.choice([0.005, 0.02])))
    if how != "slow":
        proxy.do(lambda line: setattr(line, "trickle", rng.choice([64, 256])))
    sender = rig.client(service, rig.items(rng.randint(150, 250)), chunk=20)
    sender.has(100)
    sender.stop()
    rig.kill(service)  # its successor reads snapshot and log through the same line
    service = rig.serve(at=proxy, **settings_of(rig)).ready()
    rig.client(service, sender.items, chunk=20).finish()
    proxy.do(lambda line: (setattr(line, "delay_s", 0.0), setattr(line, "trickle", 0)))
    return service


@scenario("frozen", "cut")
def line_gone(rig: Rig, how: str) -> Service:
    """A network that goes silent with all connections open, or closes them all, again and again."""
    rng = rig.rng
    proxy = rig.proxy(rig.redis())
    service = rig.serve(at=proxy, **settings_of(rig)).ready()
    sender = rig.client(service, rig.items(rng.randint(250, 400)), pause_s=0.003)
    for _ in range(rng.randint(2, 5)):
        sender.has(sender.acked + rng.randint(0, 60))
        rig.note("line hurt")
        if how == "cut":
            proxy.do(lambda line: line.cut())
        else:
            proxy.do(lambda line: line.freeze())
            time.sleep(rng.choice([0.1, 0.7, 1.3]))  # the time-out is 0.6 s
            proxy.do(lambda line: line.thaw())
    sender.finish()
    return service
