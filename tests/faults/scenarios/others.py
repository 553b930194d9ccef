"""Clocks that jump, and restarts that nobody should notice."""

import asyncio

from service.records import Observed
from service.state.packing import unpack_entry
from tests.faults.oracle import read_state
from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.faults.scenarios.killed import settings_of
from tests.faults.zygote import set_clock
from tests.service import digits
from tests.service.waiting import until

DAY_S = 86_400.0
MOST_PAUSE_S = 15.0


@scenario("forward", "back", "forward and back")
def clock_moved(rig: Rig, how: str) -> Service:
    """The service's clock is moved by a day while it serves: times are logged, so a replay does not care."""
    rng = rig.rng
    clock = rig.clock()
    settings = settings_of(rig)
    front = rig.front()
    service = rig.serve(clock=clock, **settings)
    front.point_to(service.ready().url)
    sender = rig.client(front, rig.items(300), chunk=7, pause_s=0.01)
    for shift in {"forward": [DAY_S], "back": [-DAY_S], "forward and back": [DAY_S, 0.0, -DAY_S]}[how]:
        sender.has(sender.acked + rng.randint(10, 50))
        set_clock(clock, shift)
        rig.note("clock moved")
        sender.has(sender.acked + 20)
        if rng.random() < 0.5:
            rig.kill(service)
            service = rig.serve(clock=clock, **settings)
            front.point_to(service.ready().url)
    sender.finish()
    set_clock(clock, 0.0)
    rig.client(front, rig.items(20)).finish()
    state = asyncio.run(read_state(service.socket, digits.bundle()))
    times: list[float] = []
    for record in state.records:
        entry = unpack_entry(record.payload, first_seq=record.first_seq)
        if isinstance(entry, tuple) and isinstance(entry[0], Observed):
            times += entry[0].t.tolist()
    assert state.trimmed or max(times) - min(times) > DAY_S / 2, "the clock was not moved"
    return service


@scenario()
def rolling_restart(rig: Rig) -> Service:
    """An owner and a standby are restarted in turn: clients over HTTP and WebSocket see nothing beyond a resume."""
    rng = rig.rng
    redis = rig.redis()
    front = rig.front()
    owner = rig.serve("a", at=redis, lease_ms=2000).ready()
    front.point_to(owner.url)
    standby = rig.serve("b", at=redis, lease_ms=2000)
    clients = [
        rig.http(front, rig.items(250), chunk=5, pause_s=0.02),
        rig.websocket(front, rig.items(250), chunk=5, pause_s=0.02),
    ]
    for _ in range(2):
        for client in clients:
            client.has(client.acked + rng.randint(5, 40))
        until(lambda: standby.said("listening"), "the standby listens")  # noqa: B023 - called at once
        assert owner.stop() == 0
        rig.note("restarted in turn")
        front.point_to(standby.url)
        standby.ready()
        owner, standby = standby, owner.again()
    for client in clients:
        client.finish()
    pause = max(client.longest_pause_s for client in clients)
    rig.say(f"longest pause {pause:.2f} s")
    assert pause < MOST_PAUSE_S, f"a client waited {pause:.1f} s"
    return owner
