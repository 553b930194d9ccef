"""Crash points: the service is killed at every step of its protocol with Redis.

Every step is a command on the wire, so the proxy is where the process dies, and no line of the product knows of it:

    asked   the command has left the service, and never reaches Redis
    done    Redis has executed it, and the service never hears
    told    the reply has been delivered, and the service dies on it
"""

import signal
import time
from collections.abc import Callable

from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.faults.servers import ProxyThread
from tests.service.waiting import until

START = (
    *("INFO", "CONFIG GET", "FUNCTION LIST", "FUNCTION LOAD", "GET"),  # look at the server, load the library
    *("acquire", "abandon_snapshot", "HGETALL", "MGET", "XRANGE"),  # take the stream, read it
    *("HKEYS", "set_hand"),  # what is in quarantine, and that nobody left in order
    *("HSCAN", "EXEC"),  # which ids have a verdict, and who is to be told of what
    "SMEMBERS",  # which streams there are, to be visited
)
STREAM = ("lookup", "commit", "begin_snapshot", "put_chunk", "flip_snapshot", "trim")
OTHER = ("renew", "release")
MAYBE = frozenset({"PING", "MULTI", "CLIENT SETINFO", "CLIENT SETNAME", "SELECT", "WAITAOF", "WAIT"})
"""Of the connection, or only in some set-ups: nothing of ours is between them and the next step."""

POINTS = tuple(
    f"{kind} {moment}" for kind in (*START, *STREAM, *OTHER) for moment in ("asked", "done", "told")
)

OFTEN = {"snapshot_every_items": 40, "chunk_bytes": 4096}


@scenario(*POINTS)
def crash_point(rig: Rig, point: str) -> Service:
    """SIGKILL of the service at one step of the protocol: before it, after it, and after its reply."""
    rng = rig.rng
    kind, _, moment = point.rpartition(" ")
    settings = OFTEN if kind != "XRANGE" else {}  # which reads a log that no snapshot has
    redis = rig.redis()
    proxy = rig.proxy(redis)
    front = rig.front()
    service = rig.serve(at=proxy, **settings).ready()
    front.point_to(service.url)
    sender = rig.client(front, rig.items(rng.randint(250, 350)), chunk=rng.choice([7, 20]), pause_s=0.002)
    sender.has(100)  # so there are snapshots
    if kind in START:
        _stop_somehow(rig, service, proxy, kind)
        service = rig.serve(at=proxy, **settings)
    # The victim is known by now; a process that starts is killed at the first such step, others at any.
    skip = 0 if kind in (*START, "release") else rng.randint(0, 5 if kind in ("lookup", "commit") else 1)
    died = proxy.at_step(kind, moment, _killer(service), skip=skip)
    if kind == "release":
        service.process.send_signal(signal.SIGTERM)
    senders = [sender]
    known = rig.items(40)  # sent again and again: ids that are known to be new are not looked up

    def over() -> bool:
        if kind in STREAM and senders[-1].is_done:  # the step has to come
            items = known if kind == "lookup" else rig.items(40)
            senders.append(rig.http(front, items, chunk=10))
        return died.is_set() or service.process.poll() is not None

    until(over, f"it is killed at {point}")
    assert died.is_set(), f"it ended by itself before {point}:\n{service.log[-2000:]}"
    assert service.wait() == -signal.SIGKILL
    rig.note("service killed")
    if rng.random() < 0.3:  # and the next one, too
        service = rig.serve(at=proxy, **settings)
        time.sleep(rng.random() * 0.5)
        rig.kill(service)
    service = rig.serve(at=proxy, **settings)
    front.point_to(service.ready().url)
    for one in senders:
        one.finish()
    unknown = proxy.line.seen - {*START, *STREAM, *OTHER} - MAYBE
    assert not unknown, f"steps that nobody is killed at: {unknown}; add them to steps.py"
    return service


def _killer(service: Service) -> Callable[[], None]:
    return service.process.kill


def _stop_somehow(rig: Rig, service: Service, proxy: ProxyThread, kind: str) -> None:
    """End the service such that the next one will take the step."""
    if kind == "abandon_snapshot":  # after a save that was interrupted
        died = proxy.at_step(rig.rng.choice(["put_chunk", "flip_snapshot"]), "asked", _killer(service))
        until(died.is_set, "it is killed in mid-save")
        service.wait()
        rig.note("service killed")
        return
    if kind == "FUNCTION LOAD":
        rig.servers[0].command("FUNCTION", "FLUSH")
    rig.kill(service)
    if kind == "FUNCTION LOAD":  # which the service loaded anew with its next step
        rig.servers[0].command("FUNCTION", "FLUSH")


@scenario()
def killed_between_chunks(rig: Rig) -> Service:
    """SIGKILL in mid-snapshot, after some of its many chunks, again and again."""
    rng = rig.rng
    redis = rig.redis()
    proxy = rig.proxy(redis)
    front = rig.front()
    settings = {"snapshot_every_items": 40, "chunk_bytes": 1024}
    service = rig.serve(at=proxy, **settings)
    front.point_to(service.ready().url)
    sender = rig.client(front, rig.items(400), pause_s=0.002)
    for _ in range(3):
        moment = rng.choice(["asked", "done", "told"])
        died = proxy.at_step("put_chunk", moment, _killer(service), skip=rng.randint(0, 30))
        until(lambda died=died: died.is_set() or sender.is_done, "it is killed in mid-save")  # type: ignore[misc]
        if not died.is_set():
            break
        service.wait()
        rig.note("service killed")
        service = rig.serve(at=proxy, **settings)
        front.point_to(service.ready().url)
    proxy.do(lambda line: setattr(line, "on_step", None))
    sender.finish()
    return service
