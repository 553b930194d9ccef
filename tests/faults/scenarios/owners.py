"""Two processes that want the same stream: one at a time has it, and who lost it changes nothing."""

import hashlib
import signal
import time
from typing import Any

from tests.faults import hurt
from tests.faults.registry import scenario
from tests.faults.rig import LEASE_MS, Rig, Service
from tests.faults.servers import RedisServer
from tests.service.waiting import until


def fingerprint(redis: RedisServer) -> str:
    """Of all that is in a Redis, but for leases, which come and go."""
    found = hashlib.sha256()
    for key in sorted(redis.command("KEYS", "*")):
        if not key.endswith(b":lease"):
            found.update(key + redis.command("DUMP", key))
    return found.hexdigest()


@scenario("busy", "idle", "late command")
def two_owners(rig: Rig, how: str) -> Service:
    """SIGSTOP the owner past its lease, let another serve, SIGCONT: the first is fenced, steps down, and comes back."""
    rng = rig.rng
    redis = rig.redis()
    proxy = rig.proxy(redis)
    settings: dict[str, Any] = {"snapshot_every_items": rng.choice([60, 20_000])}
    first = rig.serve("first", at=proxy, **settings).ready()
    sender = rig.client(first, rig.items(rng.randint(150, 250)), pause_s=0.01)
    sender.has(rng.randint(1, 60))
    if how == "late command":
        proxy.do(lambda line: line.arm(b"fs1_commit", "hold_request"))
        until(lambda: proxy.line.hits, "an append is held")
    elif how == "idle":
        sender.finish()
    time.sleep(rng.random() * 0.02)
    first.process.send_signal(signal.SIGSTOP)
    rig.note("owner stopped")

    second = rig.serve("second", at=redis, **settings).ready()
    epoch = second.get("/info")["epoch"]
    rig.client(second, rig.items(rng.randint(20, 120))).finish()
    second.ready()
    _no_fit_under_way(second)
    before = fingerprint(redis)
    if how == "late command":
        replies = proxy.release_held()
        assert all(reply.startswith((b"-FENCED", b":0")) for reply in replies), replies
    first.process.send_signal(signal.SIGCONT)
    until(lambda: first.said("stepped_down"), "the first steps down")
    said = first.said("stepped_down")[-1]["reason"]
    assert said.startswith("the stream is not ours any more"), said
    reason = hurt.unready(first)
    refused = first.http.post("/classify", json={"items": rig.items(3)})
    assert refused.status_code == 503, refused.text
    assert first.http.get("/livez").status_code == 200
    assert "another process" in until(
        lambda: _tells(first, "another process"), f"it says who has the stream (it says {reason})"
    )
    time.sleep(LEASE_MS / 1000)  # whatever the first still had in hand
    assert before == fingerprint(redis), "the fenced owner changed something"
    assert second.is_ready(), "the second was disturbed"
    assert second.get("/info")["epoch"] == epoch, "the second was disturbed"

    if rng.random() < 0.5:
        assert second.stop() == 0
    else:
        rig.kill(second)
    first.ready()
    assert first.get("/info")["epoch"] > epoch
    sender.finish()
    return first


def _tells(service: Service, words: str) -> str:
    reason: str = service.http.get("/readyz").json()["reason"] or ""
    return reason if words in reason else ""


def _no_fit_under_way(service: Service) -> None:
    """A fit that is ready waits for the next batch: give it one, of ids that are there."""
    time.sleep(0.1)
    service.classify([{"id": "i0", "x": [0.0] * 64}])


@scenario()
def owners_in_turn(rig: Rig) -> Service:
    """Three processes on one stream; whoever has it is stopped or killed, and all but one are fenced at the end."""
    rng = rig.rng
    redis = rig.redis()
    front = rig.front()
    names = ["first", "second", "third"]
    services = {name: rig.serve(name, at=redis, snapshot_every_items=50) for name in names}
    stopped: list[str] = []

    def owner() -> str:
        """Who serves now: the front leads there."""
        found = next((name for name in names if name not in stopped and _serves(services[name])), "")
        if found:
            front.point_to(services[found].url)
        return found

    until(owner, "one has it")
    sender = rig.http(front, rig.items(300), chunk=10, pause_s=0.005)
    for _ in range(4):
        enough = sender.acked + rng.randint(1, 60)
        until(lambda: owner() and (sender.acked >= enough or sender.is_done), "items are answered")  # noqa: B023
        for name in stopped:
            services[name].process.send_signal(signal.SIGCONT)
        had = until(owner, "one has it")
        if rng.random() < 0.6:
            services[had].process.send_signal(signal.SIGSTOP)
            stopped[:] = [had]
            rig.note("owner stopped")
        else:
            rig.kill(services[had])
            services[had] = services[had].again()
            stopped.clear()
    for name in stopped:
        services[name].process.send_signal(signal.SIGCONT)
    stopped.clear()
    until(lambda: owner() and sender.is_done, "all is answered", within_s=60)
    left = services[until(owner, "one has it")]
    for service in services.values():
        if service is not left:
            rig.kill(service)
    return left


def _serves(service: Service) -> bool:
    return service.process.poll() is None and bool(service.said("listening")) and service.is_ready()
