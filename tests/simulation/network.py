"""What lies between a process and its store, and all that can go wrong there.

    sent ──► arrives, carried out ──► answered         each way takes a while, and overtakes what came before
      │              │
      │              └──► the reply is lost            time-out, or the connection breaks: outcome unknown
      ├──► lost                                        the same, and nothing happened
      ├──► late: carried out after the time-out        maybe behind its own resend, or under another owner
      └──► nobody listens, or LOADING                  refused

A request on its way belongs to no process: it is carried out although its sender has been killed or stopped. A restart
of the store, or a fail-over, breaks every connection: what was on its way to the old one is lost, or carried out there
and seen by nobody.
"""

import random
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Literal

from redis import exceptions as rx

from tests.simulation.client import answered
from tests.simulation.loop import Host, VirtualLoop
from tests.simulation.lua import ReplyError
from tests.simulation.server import SimulatedServer

TIMEOUT_S = 0.5
"""How long a client waits for an answer of the store."""


Fate = Literal["well", "lost request", "lost reply", "late"]


@dataclass
class Weather:
    """Shares of requests that fare ill."""

    lost_requests: float = 0.0
    lost_replies: float = 0.0
    late: float = 0.0


@dataclass
class Gremlin:
    """Lies in wait for the next `count` requests with a word, and lets them fare ill one and the same way."""

    word: bytes
    fate: Fate
    count: int


class Network:
    """One store behind one network.

    Attributes:
        server: Who answers now.
        weather: How requests fare now.
        gremlins: Who lies in wait.
        is_away, is_loading: Nobody listens; it is there, and reads its data.
        sent: Requests so far, and `hurt`: those that fared ill.
    """

    def __init__(
        self, loop: VirtualLoop, rng: random.Random, server: SimulatedServer, distance_s: float = 3e-3
    ) -> None:
        self._loop = loop
        self._rng = rng
        self._distance_s = distance_s
        self._nobody = Context()
        self._connections = 0
        self.server = server
        self.weather = Weather()
        self.gremlins: list[Gremlin] = []
        self.is_away = False
        self.is_loading = False
        self.sent = 0
        self.hurt = 0

    def break_connections(self, server: SimulatedServer | None = None) -> None:
        """All connections end; new ones reach this server, the same unless given."""
        self._connections += 1
        if server is not None:
            self.server = server

    async def exchange(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        """Send commands that go together and wait for their replies.

        Raises:
            rx.ConnectionError, rx.TimeoutError: As redis-py does.
        """
        rng, loop = self._rng, self._loop
        reply = loop.create_future()
        self.sent += 1
        there, back = rng.uniform(1e-4, self._distance_s), rng.uniform(1e-4, self._distance_s)
        if self.is_away:
            self._fails(reply, there, rx.ConnectionError("Connection refused (simulated)"))
            return await reply
        match self._fate(commands[0]):
            case "lost request":
                self._breaks(reply)
            case "lost reply":
                self._arrives(there, commands, None, back)
                self._breaks(reply, there)
            case "late":
                at_once = rng.random() < 0.5
                self._breaks(reply, 0.0 if at_once else TIMEOUT_S)
                self._arrives((0.0 if at_once else TIMEOUT_S) + rng.expovariate(2), commands, None, back)
            case _:
                self._arrives(there, commands, reply, back)
        return await reply

    def _fate(self, args: Sequence[bytes]) -> Fate:
        for gremlin in self.gremlins:
            if gremlin.count > 0 and gremlin.word in args[:2]:
                gremlin.count -= 1
                return gremlin.fate
        chance, weather = self._rng.random(), self.weather
        for fate, share in (
            ("lost request", weather.lost_requests),
            ("lost reply", weather.lost_replies),
            ("late", weather.late),
        ):
            if chance < share:
                return fate  # type: ignore[return-value]
            chance -= share
        return "well"

    def _arrives(self, delay: float, commands: Sequence[Sequence[bytes]], reply: Any, back: float) -> None:
        connections, server, replies = self._connections, self.server, []

        def carry_out(rest: Sequence[Sequence[bytes]]) -> None:
            if connections != self._connections and server is self.server:  # it was restarted
                self._answers(reply, 0.0, rx.ConnectionError("Connection closed by server (simulated)"))
                return
            now, later = rest, rest[len(rest) :]
            if len(rest) > 1 and self._rng.random() < 0.2:  # others come between
                now, later = rest[:1], rest[1:]
            if self.is_loading:
                replies.extend(ReplyError("LOADING Redis is loading the dataset in memory") for _ in now)
            else:
                replies.extend(answered(server, args) for args in now)
            if later:
                self._loop.call_later(self._rng.uniform(0, 2e-3), carry_out, later, context=self._nobody)
            elif connections != self._connections:
                self._answers(reply, 0.0, rx.ConnectionError("Connection closed by server (simulated)"))
            else:
                self._answers(reply, back, replies)

        self._loop.call_later(delay, carry_out, commands, context=self._nobody)

    def _answers(self, reply: Any, delay: float, what: Any) -> None:
        if reply is None:
            return
        connections = self._connections

        def answer() -> None:
            if reply.done():
                return
            if isinstance(what, Exception):
                reply.set_exception(what)
            elif connections != self._connections:
                reply.set_exception(rx.ConnectionError("Connection reset by peer (simulated)"))
            else:
                reply.set_result(what)

        self._loop.call_later(delay, answer, context=self._nobody)

    def _fails(self, reply: Any, delay: float, error: Exception) -> None:
        self._answers(reply, delay, error)

    def _breaks(self, reply: Any, delay: float | None = None) -> None:
        """The sender learns of it by a broken connection, or by nothing at all."""
        self.hurt += 1
        if delay == TIMEOUT_S or self._rng.random() < 0.3:
            self._fails(reply, TIMEOUT_S, rx.TimeoutError("Timeout reading (simulated)"))
        else:
            self._fails(reply, delay or 1e-3, rx.ConnectionError("Connection lost (simulated)"))


class Line:
    """One process's way to the store. Once cut, nothing of the process comes through."""

    def __init__(self, network: Network, host: Host) -> None:
        self._network = network
        self._host = host
        self.is_cut = False

    async def exchange(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        if self.is_cut:
            raise rx.ConnectionError("This process is dead (simulated)")
        return await self._network.exchange(commands)
