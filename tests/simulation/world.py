"""The whole of it on one seed: processes, their store, the clients, the faults, and the judge.

    plan ─► processes, clients ─► faults, each at its time ─► they stop ─► all is ready and answered ─► judge

Nothing here is real but the code under test: the pipeline, its engine, the store, functions.lua, and redis-py's client
above its sockets. A run is made again to the bit by its seed; `trace` is a hash of all that was sent and told.
"""

import asyncio
import hashlib
import logging
import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

import structlog

from service.clustering.params import EngineParams
from service.decisions import Decision
from service.errors import ClientError, FirstseenError, InternalError
from service.ingest.intake import Refused
from service.pipeline.batching import Answer
from service.pipeline.pipeline import Pipeline
from service.pipeline.stream_view import StreamView
from service.records import Item
from service.state.keys import Keys
from service.state.store import StreamStore
from tests.simulation import small
from tests.simulation.curator import thought_of
from tests.simulation.faults import Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network, Weather
from tests.simulation.oracle import Oracle, Violation
from tests.simulation.plan import Plan
from tests.simulation.process import STREAM, Lost, Process
from tests.simulation.server import SimulatedServer

QUIET_S = 40.0
"""Once faults have stopped, all is answered and at rest within this."""

_PATIENCE_S = 3.0
_CLASSES = (0, 1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The code under test, or a mutant of it."""

    make_server: Callable[[Callable[[], float]], SimulatedServer] = SimulatedServer
    make_store: Callable[..., StreamStore] = StreamStore
    make_pipeline: Callable[..., Pipeline] = Pipeline


@dataclass
class Client:
    """One sender: what it has not been told yet, oldest first, by the number it was made with."""

    name: str
    unanswered: dict[str, tuple[int, Item]] = field(default_factory=dict)
    answered: list[tuple[int, Item]] = field(default_factory=list)
    to_make: int = 0


@dataclass
class Counts:
    """What a run was made of."""

    items: int = 0
    entries: int = 0
    requests: int = 0
    snapshots: int = 0
    clusters: int = 0
    decisions: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class World:
    """One run. Use as a context: it silences the log and sets the stream gate's constants.

    Args:
        plan: What is settled before.
        variant: The code under test.
    """

    def __init__(self, plan: Plan, variant: Variant | None = None) -> None:
        self.plan = plan
        self.variant = variant or Variant()
        self.rng = random.Random(f"run {plan.seed}")
        self.loop = VirtualLoop(self._work_s)
        server = self.variant.make_server(lambda: (self.loop.time() + self.store_skew_s) * 1000)
        self.network = Network(self.loop, self.rng, server, plan.distance_s)
        self.keys = Keys(STREAM, small.bundle().manifest.bundle_id)
        self.oracle = Oracle(self.keys)
        self.counts = Counts()
        self.processes: list[Process] = []
        self.clients = [Client(f"c{n}") for n in range(plan.clients)]
        self.params = small.PARAMS
        self.lagging: SimulatedServer | None = None
        self.faults = Faults(self)
        self._made = 0
        self._deciding: list[asyncio.Task[None]] = []
        self._started = 0
        self.skew_s = self.store_skew_s = 0.0
        self.is_over = False
        self._violation: BaseException | None = None
        self._trace = hashlib.blake2b(digest_size=16)
        self._traced = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        before = structlog.get_config()
        self._stack.callback(lambda: structlog.configure(**before))
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        self._stack.enter_context(small.small_numbers(gated=self.plan.is_gated))
        for _ in range(self.plan.processes):
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        for process in self.processes:
            process.kill()
        self.loop.drain()
        self._stack.close()

    def _work_s(self) -> float:
        return self.rng.choice((1e-4, 1e-3, 1e-2)) * self.rng.random()

    # What has happened

    def note(self, *what: object) -> None:
        """Add to the trace."""
        self._trace.update(repr((round(self.loop.time(), 9), *what)).encode())

    def trace(self) -> str:
        """A hash of every write, every answer and every fault so far."""
        for write in self.network.server.journal[self._traced :]:
            self._trace.update(b"\0".join(write))
        self._traced = len(self.network.server.journal)
        return self._trace.hexdigest()

    def violated(self, violation: BaseException) -> None:
        """A promise was broken; the first one is raised."""
        if self._violation is None and not self.is_over:
            self._violation = violation

    def check(self) -> None:
        """Raises what was violated up to now."""
        if self.loop.failures:
            self.violated(Violation(f"something failed, and nobody looked after it: {self.loop.failures[0]}"))
        try:
            self.oracle.follow(self.network.server)
        except Violation as violation:
            self.violated(violation)
        if self._violation is not None:
            raise self._violation

    # Processes

    def start(self, params: EngineParams | None = None) -> Process:
        """Start a process."""
        plan = self.plan
        self.params = params or self.params
        process = Process(
            self.loop,
            self.network,
            name=f"p{self._started}",
            params=self.params,
            max_batch=plan.max_batch,
            snapshot_every=plan.snapshot_every,
            horizon=plan.horizon,
            lease_ms=plan.lease_ms,
            is_alone=plan.is_alone,
            skew_s=self.skew_s,
            make_store=self.variant.make_store,
            make_pipeline=self.variant.make_pipeline,
        )
        self._started += 1
        self.processes.append(process)
        process.task.add_done_callback(lambda task: self._ended(process, task))
        return process

    def _ended(self, process: Process, task: "asyncio.Task[None]") -> None:
        process.error = None if task.cancelled() else task.exception()
        if process in self.processes:
            self.processes.remove(process)
        if process.error is not None and not process.is_dead and self.lagging is None:
            self.violated(process.error)

    def kill(self, process: Process) -> None:
        """SIGKILL; another one starts in a moment."""
        if process.is_dead or process not in self.processes:
            return
        self.note("killed", process.name)
        self.processes.remove(process)
        process.kill()
        if not self.is_over:
            self.loop.call_later(self.rng.uniform(0.01, 1), self.start_again)

    def start_again(self) -> None:
        """Start as many processes as are missing, one at a time."""
        if not self.is_over and len(self.processes) < self.plan.processes:
            self.start()

    async def restart(self, process: Process, params: EngineParams | None = None) -> None:
        """SIGTERM, and the next one."""
        process.fuse = None
        self.loop.resume_host(process)
        stopping = self.loop.create_task(process.pipeline.stop(grace_s=2), context=process.context.copy())
        await asyncio.wait({stopping})
        await asyncio.wait({process.task}, timeout=2)
        if not process.task.done():
            self.kill(process)
        if not self.is_over and len(self.processes) < self.plan.processes:
            self.start(params)

    def ready(self) -> Process | None:
        """Who serves, if anybody does."""
        return next((process for process in self.processes if process.is_ready), None)

    # Clients

    def make(self, client: Client, kind: int | None = None) -> None:
        """A new item of a client's, of a class that is given or drawn."""
        rng, plan = self.rng, self.plan
        known = 1 - plan.share_unseen
        if kind is None:
            kind = rng.choices(
                _CLASSES, (known / 2, known / 2, plan.share_unseen * 0.7, plan.share_unseen * 0.3)
            )[0]
        id = f"{client.name}-{self._made}"
        client.unanswered[id] = (self._made, small.item(id, kind, rng.randrange(small.OF_CLASS)))
        self._made += 1
        self.counts.items += 1

    def may_make(self) -> bool:
        """Whether what waits for an answer is young enough to be remembered once another item is there."""
        waiting = [n for client in self.clients for n, _ in client.unanswered.values()]
        return self._made - min(waiting, default=self._made) < self.plan.horizon // 3

    def request_of(self, client: Client) -> list[Item]:
        """What a client sends next: what is unanswered, new items, repeats, and now and then one without a name."""
        rng, plan = self.rng, self.plan
        for _ in range(rng.randint(1, plan.most_a_request)):
            if client.to_make > 0 and self.may_make():
                client.to_make -= 1
                self.make(client)
        items = [item for _, item in client.unanswered.values()]
        if items and rng.random() < 0.3:
            items = items[: rng.randint(1, len(items))]
        oldest = self._made - plan.horizon // 4
        repeatable = [item for n, item in client.answered if n >= oldest]
        if repeatable and rng.random() < plan.share_repeats:
            items += rng.sample(repeatable, min(len(repeatable), 2))
        if rng.random() < plan.share_unnamed:
            items.append(small.item(None, rng.choice(_CLASSES), rng.randrange(small.OF_CLASS)))
        if rng.random() < 0.2:
            rng.shuffle(items)
        return items

    async def send(self, client: Client, items: list[Item]) -> bool:
        """One request to one of the processes; whether it was answered."""
        if not items or not self.processes:
            return False
        process = self.ready() if self.rng.random() < 0.7 else None
        process = process or self.rng.choice(self.processes)
        cut = self.rng.random() < 0.03 and self.network.weather != Weather()
        try:
            verdicts = await process.ask(
                items, self._heard, self.rng.uniform(1e-4, 5e-3), 0.01 if cut else _PATIENCE_S
            )
        except Lost:
            return False
        except InternalError as error:
            self.violated(error)
            return False
        except FirstseenError:
            return False
        for item, verdict in zip(items, verdicts, strict=True):
            if item.id is not None:
                if item.id != verdict.id:
                    self.violated(Violation(f"{item.id} was answered with the verdict of {verdict.id}"))
                if (sent := client.unanswered.pop(item.id, None)) is not None:
                    client.answered.append(sent)
        return True

    def _heard(self, answers: list[Answer]) -> None:
        try:
            self.oracle.hear(self.network.server, answers)
        except Violation as violation:
            self.violated(violation)
        self.note(
            "told",
            [
                (a.id,) if isinstance(a, Refused) else (a.id, a.seq, a.verdict.value, a.cluster_id)
                for a in answers
            ],
        )

    async def _curator(self, pause_s: float) -> None:
        """Think of a decision now and then, and send it, always the same, until it is answered or refused."""
        for n in range(6 * self.plan.decisions):
            await asyncio.sleep(pause_s * self.rng.uniform(0.05, 0.3))
            await self._decide(f"d{n}")

    async def _decide(self, key: str) -> None:
        process = self.ready()
        decision = None if process is None else await self._thought(process, key)
        while decision is not None and not await self._decided(decision):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(self.rng.uniform(0.05, 0.4))

    async def _thought(self, process: Process, key: str) -> Decision | None:
        try:
            return await thought_of(self.rng, process, key)
        except FirstseenError:
            return None

    async def _decided(self, decision: Decision) -> bool:
        if not self.processes:
            return False
        process = self.ready() or self.rng.choice(self.processes)
        try:
            decided = await process.decide(decision, self.rng.uniform(1e-4, 5e-3), _PATIENCE_S)
        except ClientError:
            return True
        except InternalError as error:
            self.violated(error)
            return True
        except (Lost, FirstseenError):
            return False
        try:
            self.oracle.hear_decided(self.network.server, decided)
        except Violation as violation:
            self.violated(violation)
        self.counts.decisions += 1
        self.note("decided", decided.seq, decided.decision.action.value)
        return True

    async def _client(self, client: Client, pause_s: float) -> None:
        while client.to_make > 0 or client.unanswered:
            was_answered = await self.send(client, self.request_of(client))
            await asyncio.sleep(
                pause_s * self.rng.uniform(0.2, 1.8) if was_answered else self.rng.uniform(0.05, 0.4)
            )

    # A replica that lags

    def lag(self) -> None:
        """Let a replica receive nothing more from now on."""
        self.lagging = self.network.server.fork()

    def fail_over_to_lagging(self) -> None:
        """It takes over. From now on a process may end with an error: someone has to decide."""
        assert self.lagging is not None
        self.network.break_connections(self.lagging)

    def go_on_from_replica(self) -> None:
        """A person starts the service again, and takes what is there for all there is."""
        self.lagging = None
        self.oracle.forget_lost(self.network.server)
        for client in self.clients:
            client.answered = [sent for sent in client.answered if sent[1].id in self.oracle.told]
        self.start()

    # A run

    def run(self) -> Counts:
        """Make the run of the plan.

        Raises:
            Violation, Stuck: A promise was broken; or whatever ended a process.
        """
        share, left = divmod(self.plan.items, len(self.clients))
        for n, client in enumerate(self.clients):
            client.to_make += share + (n < left)
        self.loop.run_until_complete(self._run())
        return self.counts

    def run_for(self, seconds: float) -> None:
        """Let time pass; raises what was violated."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.check()

    def request(self, client: Client, items: list[Item]) -> None:
        """Begin to send a request, and do not wait for its answer."""
        self.loop.create_task(self.send(client, items))

    def decide(self) -> None:
        """Let a person begin to decide something, and do not wait for the answer."""
        self._deciding.append(self.loop.create_task(self._decide(f"p{len(self._deciding)}")))

    def finish(self, *, new_items: int = 0) -> Counts:
        """No more faults; new items of each client, and what is unanswered until it is answered; then judge."""
        for client in self.clients:
            client.to_make += new_items

        async def finish() -> None:
            clients = [asyncio.create_task(self._client(client, 0.1)) for client in self.clients]
            await self.settle([*clients, *self._deciding])

        self.loop.run_until_complete(finish())
        return self.counts

    async def _run(self) -> None:
        plan = self.plan
        requests = plan.items / len(self.clients) / ((1 + plan.most_a_request) / 2)
        senders = [
            asyncio.create_task(self._client(client, plan.busy_s / max(1.0, requests)))
            for client in self.clients
        ]
        senders.append(asyncio.create_task(self._curator(plan.busy_s / max(1, plan.decisions))))
        for episode in plan.episodes:
            await asyncio.sleep(max(0.0, episode.at_s - self.loop.time()))
            self.check()
            self.faults.suffer(episode)
        await asyncio.sleep(max(0.0, plan.busy_s - self.loop.time()))
        await self.settle(senders)

    async def settle(self, senders: "list[asyncio.Task[None]]") -> None:
        """Heal everything, and demand that all becomes quiet; then judge."""
        self.faults.heal()
        try:
            async with asyncio.timeout(QUIET_S):
                await asyncio.gather(*senders)
                view = await self._at_rest()
        except TimeoutError:
            self.check()
            waiting = sorted(id for client in self.clients for id in client.unanswered)
            reasons = [(process.name, process.pipeline.reason) for process in self.processes]
            raise Violation(f"not quiet {QUIET_S:.0f} s after the last fault: {reasons}, {waiting}") from None
        self._judge(view)

    async def _at_rest(self) -> StreamView:
        """What the owner shows once it serves, nothing is under way, and whoever else thought to own it has learnt."""
        while True:
            self.check()
            self.faults.heal()
            if (process := self._only_owner()) is not None:
                view = await process.pipeline.view(with_hash=True)
                if not view.stale and process is self._only_owner():
                    return view
            await asyncio.sleep(0.05)

    def _only_owner(self) -> Process | None:
        ready = [process for process in self.processes if process.is_ready]
        owner = self.oracle.facts.token.decode().partition(" ")[2]
        return ready[0] if [process.name for process in ready] == [owner] else None

    def _judge(self, view: StreamView) -> None:
        assert view.state_hash is not None
        self.check()
        self.oracle.judge(self.network.server, live_hash=view.state_hash)
        answered = {item.id for client in self.clients for _, item in client.answered if item.id}
        if missing := answered - self.oracle.told.keys() - self.oracle.refused:
            raise Violation(f"{sorted(missing)} were answered, and nobody was told")
        self.counts.entries = len(self.oracle.facts.entries)
        self.counts.requests = self.network.sent
        self.counts.snapshots = self.oracle.facts.flips
        self.counts.clusters = sum(cluster.emerged_seq is not None for cluster in view.clusters)
        self.note("rest", view.state_hash)
