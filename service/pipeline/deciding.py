"""One batch: look up, embed, step, commit. And what is done when the engine crashes on it.

    ids ─► verdicts there are, items in quarantine ─► what is new ─► embed, step ─► commit
                                                         ▲               │ crashed
                                                         └── smaller ◄───┘

Ids that are known to be new are not looked up (`service.state.new_ids`): then all of this is one call in the engine's
thread and one of the store. Else the embedding is begun before it is needed (`service.pipeline.ahead`): of this batch
while it is looked up, of the next while this one is stepped and committed.

What is tried after a crash, and which item is convicted, `service.pipeline.quarantine` decides; here it is carried
out. A crash while embedding leaves the engine as it was; one inside the step leaves it halfway, and the memory is
dropped and read again from the store. Either way nothing of the part that crashed is durable, and nobody has been
told anything, so it can be tried again.

An item is answered with its verdict or with the refusal of one in quarantine, each once it is durable.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np
import structlog

from model.bundle import Bundle
from model.inputs import decode_item
from service.clustering.engine import StepResult
from service.clustering.explanation import Explanation
from service.errors import EngineFails, InvalidItem, TooManyQuarantined
from service.ingest.intake import Refused
from service.pipeline.ahead import Ahead
from service.pipeline.asking import Asking
from service.pipeline.batching import Answer
from service.pipeline.dead_letters import DeadLetters
from service.pipeline.examined import Examined
from service.pipeline.examining import Embeds, Examiner
from service.pipeline.memory import Memory
from service.pipeline.payloads import Payloads
from service.pipeline.plotting import Plotter
from service.pipeline.quarantine import (
    PAUSE_S,
    PER_MINUTE,
    Convictions,
    Next,
    Search,
    is_short_of_memory,
    reason_of,
)
from service.pipeline.wary import REASON, TOGETHER, Doubt, name_of, succeed
from service.records import AUTO_ID_PREFIX, Item, Verdict, auto_id
from service.state.events import pack_events
from service.state.packing import pack_items, pack_verdict, unpack_verdict
from service.state.store import Append, StreamStore
from service.telemetry.metrics import StreamMetrics

log = structlog.get_logger("firstseen.pipeline")

T = TypeVar("T")

_FAILS: Final = (
    "The engine fails ({reason}), and it fails at the bundle's golden items, too: it is not what was sent. Send the "
    "same again after the time in Retry-After."
)
_PROBE_ID: Final = f"{AUTO_ID_PREFIX}probe"
_PROBE_ITEMS: Final = 4  # few, so that memory for them is missing only where it is missing for anything


class EngineCrashed(Exception):
    """Net or engine raised `__cause__`. `is_halfway`: inside the step, so that the engine is of no use any more."""

    def __init__(self, *, is_halfway: bool) -> None:
        super().__init__("net or engine raised an exception")
        self.is_halfway = is_halfway


class Decider:
    """Answers batches, one at a time.

    Args:
        bundle: What the stream is decided with.
        embedder: The bundle's net.
        memory: The engine.
        store: The stream's state.
        asking: To ask the store until it answers.
        metrics: What is counted.
        now: The clock, seconds since 1970 (UTC).
        dead_letters: The quarantine.
        payloads: Of clusters' members.
        waiting: The items of the next batch, as far as they are there.
        plotter: The map.
    """

    def __init__(
        self,
        *,
        bundle: Bundle,
        embedder: Embeds,
        memory: Memory,
        store: StreamStore,
        asking: Asking,
        metrics: StreamMetrics,
        now: Callable[[], float],
        dead_letters: DeadLetters,
        payloads: Payloads,
        waiting: Callable[[], list[Item]] = list,
        plotter: Plotter,
    ) -> None:
        self._bundle = bundle
        self._embedder = embedder
        self._memory = memory
        self._store = store
        self._ask = asking.until_answered
        self._metrics = metrics
        self._now = now
        self._letters = dead_letters
        self._payloads = payloads
        self._ahead = Ahead(embedder, memory.in_net, metrics.embed.time)
        self._waiting = waiting
        self._plotter = plotter
        self._had_repeats = False
        self._examiner = Examiner(bundle=bundle, embedder=embedder, memory=memory, metrics=metrics, now=now)
        self._convictions = Convictions()
        self._doubt: Doubt | None = None

    # Taking over, and leaving

    async def begin(self, epoch: int) -> None:
        """The stream is ours, and the engine is up to date."""
        await self._letters.load(epoch)
        before = await self._ask(self._store.hand.get)
        note = succeed(before, owner=self._store.hand.owner, seq=self._memory.engine().seq, now=self._now())
        self._doubt = Doubt(note)
        if self._doubt.is_wary and before is not None and before.owner != note.owner:
            log.warning("wary", unclean=note.unclean, in_doubt=len(note.deaths))
        await self._ask(lambda: self._store.hand.put(note))

    async def leave(self) -> None:
        """The stream is given up in order."""
        await self._ask(lambda: self._store.hand.put(None))

    # A batch

    async def answer(
        self, items: list[Item], *, retried: frozenset[int] = frozenset(), explained: bool = False
    ) -> list[Answer]:
        """The answer for every item, in order; durable when this returns.

        Args:
            items: Of one batch.
            retried: Which of them are to be tried although they are in quarantine.
            explained: Whether to say why as well.

        Raises:
            EngineFails, TooManyQuarantined: Not now; what is durable by then is found again when it is resent.
        """
        ids = list(dict.fromkeys(item.id for item in items if item.id is not None))
        by_id: dict[str, Answer] = {}
        if not self._store.new_ids.are_new(ids) or any(id in self._letters for id in ids):
            self._embed_ahead(items)
            by_id = await self._known(ids, {items[n].id for n in retried})
        if explained:
            by_id |= await self._explain_known(items, by_id)
        new: list[Item] = []
        new_ids: dict[str, bool] = {}
        for n, item in enumerate(items):
            if item.id is None:
                new.append(item)
            elif item.id not in by_id and item.id not in new_ids:
                new.append(item)
                new_ids[item.id] = n in retried
        self._had_repeats = len(new) < len(items)
        again = frozenset(id for id, is_retry in new_ids.items() if is_retry)
        answers = await self._settle(new, again, explained=explained)
        by_id |= {item.id: one for item, one in zip(new, answers, strict=True) if item.id is not None}
        auto = (one for item, one in zip(new, answers, strict=True) if item.id is None)
        self._metrics.repeats.inc(len(items) - len(new))
        return [next(auto) if item.id is None else by_id[item.id] for item in items]

    async def _known(self, ids: list[str], tried: set[str | None]) -> dict[str, Answer]:
        """What has been answered before: a verdict, or quarantine. A verdict counts where there are both.

        Args:
            ids: Each once.
            tried: Those that are to be tried although they are in quarantine.
        """
        with self._metrics.lookup.time():
            stored = await self._ask(lambda: self._store.lookup(ids))
        labels = self._memory.engine().labels
        known: dict[str, Answer] = {}
        for id, data in zip(ids, stored, strict=True):
            if data is not None:
                known[id] = unpack_verdict(data, id=id, labels=labels)
                if id in tried:
                    await self._letters.release(id)
            elif id in self._letters and id not in tried:
                known[id] = self._letters.refusal(id)
        return known

    async def _settle(self, new: list[Item], retried: frozenset[str], *, explained: bool) -> list[Answer]:
        """Answer items that have no answer yet, in order; whatever crashes on the way."""
        doubt = self._doubt
        assert doubt is not None
        crashes = {n: 1 for n, item in enumerate(new) if item.id in retried}
        if doubt.knows_some:
            crashes |= {n: 1 for n, item in enumerate(new) if doubt.is_suspect(name_of(item))}
        search = Search(len(new), crashes=crashes, at_most=TOGETHER if doubt.is_wary else 0)
        answers: list[Answer] = []
        while (part := search.part) is not None:
            items = new[part.start : part.stop]
            if doubt.knows_some and doubt.is_guilty(name_of(items[0])):
                deaths = doubt.deaths_of(name_of(items[0]))
                answers.append(await self._convict(items[0], REASON, deaths.in_company + deaths.alone))
                search.settled()
                continue
            await self._note(items)
            try:
                answered = await self._learn(items, explained=explained)
            except EngineCrashed as crash:
                if await self._crashed(crash, search, part):
                    seen = reason_of(crash.__cause__ or crash)
                    answers.append(await self._convict(items[0], seen, search.crashes_of(part.start)))
                    search.settled()
            else:
                answers += answered
                search.settled()
                self._acquit(items)
                for item in items:
                    if item.id in retried:
                        await self._letters.release(str(item.id))
        return answers

    async def _learn(self, new: list[Item], *, explained: bool) -> Sequence[Answer]:
        """Embed, step and commit.

        Raises:
            EngineCrashed: Nothing is durable.
        """
        made = await self._ahead.taken()
        async with self._memory.at_rest:
            engine = self._memory.engine()
            await self._payloads.follow(engine)
            ids = tuple(auto_id(engine.seq + n) if item.id is None else item.id for n, item in enumerate(new))
            t = np.full(len(new), self._now(), dtype=np.float64)
            self._metrics.batch_items.observe(len(new))

            whys: list[Explanation | None] = []

            def step() -> tuple[StepResult, Append]:
                is_halfway = False
                try:
                    z = self._ahead.embed(new, made)
                    with self._metrics.step.time():
                        if explained:
                            is_halfway = True
                            observed, result, whys[:] = self._examiner.step(engine, z, ids, t)
                        else:
                            observed = engine.decide(z, ids, t)
                            is_halfway = True
                            result = engine.apply(observed)
                    change = self._payloads.changed(engine, ids, new)
                    record = Append(
                        first_seq=observed.first_seq,
                        count=len(observed),
                        payload=pack_items(observed, result.verdicts, engine.labels),
                        verdicts=[
                            (v.id, pack_verdict(v, engine.labels))
                            for v, item in zip(result.verdicts, new, strict=True)
                            if item.id is not None
                        ],
                        events=pack_events(result.events),
                        keep=change.keep,
                        forget=change.forget,
                    )
                except Exception as error:
                    raise EngineCrashed(is_halfway=is_halfway) from error
                self._plotter.see(observed, z, result.verdicts, engine.labels)
                return result, record

            self._embed_ahead(self._waiting())
            result, record = await self._stepped(step)
            with self._memory.ahead():
                await self._note([])  # it was stepped: what ends the process from here on is not its fault
                self._embed_ahead(self._waiting())
                with self._metrics.commit.time():
                    await self._ask(lambda: self._store.append(record))
            self._memory.committed(result)
        if not explained:
            return result.verdicts
        return [
            Examined(id=verdict.id, verdict=verdict, is_learned=True, explanation=why)
            for verdict, why in zip(result.verdicts, whys, strict=True)
        ]

    def _embed_ahead(self, items: list[Item]) -> None:
        """Embed beside the store what can be expected to do no harm, and to be needed."""
        doubt = self._doubt
        assert doubt is not None
        if not (doubt.is_wary or doubt.knows_some or self._had_repeats):
            self._ahead.begin([item for item in items if item.id is None or item.id not in self._letters])

    async def _stepped(self, step: Callable[[], tuple[StepResult, Append]]) -> tuple[StepResult, Append]:
        try:
            return await self._memory.in_worker(step)
        except EngineCrashed as crash:
            if crash.is_halfway:
                self._memory.forget()
            raise
        except BaseException:  # cancelled, and the thread goes on
            self._memory.forget()
            raise

    # Without learning

    async def try_out(self, items: list[Item], *, explained: bool) -> list[Answer]:
        """What would be said of each item, were it the next one: nothing is looked up, written or counted as an item.

        One that crashes net or engine is refused, and is not put into quarantine.

        Raises:
            EngineFails: Not now: it fails at anything.
        """
        self._metrics.dry_runs.inc(len(items))
        answers: list[Answer] = []
        for part in self._parts(items):
            answers += await self._tried(part, [None] * len(part), explained=explained)
        return answers

    async def _explain_known(self, items: list[Item], by_id: dict[str, Answer]) -> dict[str, Answer]:
        """The verdicts there are, each with why it is or would be so as of now; one that crashes stays without."""
        verdicts = {id: answer for id, answer in by_id.items() if isinstance(answer, Verdict)}
        asked = {item.id: item for item in items if item.id in verdicts}
        found: dict[str, Answer] = {}
        for part in self._parts(list(asked.values())):
            own = [verdicts[str(item.id)] for item in part]
            answers = await self._tried(part, own, explained=True)
            found |= {
                verdict.id: Examined(id=verdict.id, verdict=verdict, is_learned=True, explanation=None)
                if isinstance(answer, Refused)
                else answer
                for verdict, answer in zip(own, answers, strict=True)
            }
        return found

    def _parts(self, items: list[Item]) -> list[list[Item]]:
        """How items are tried together: all of them, but for a wary owner's short notes, and who is in doubt."""
        doubt = self._doubt
        assert doubt is not None
        size = 1 if doubt.knows_some else TOGETHER if doubt.is_wary else max(len(items), 1)
        return [items[start : start + size] for start in range(0, len(items), size)]

    async def _tried(
        self, items: list[Item], verdicts: Sequence[Verdict | None], *, explained: bool
    ) -> list[Answer]:
        doubt = self._doubt
        assert doubt is not None
        if len(items) == 1 and doubt.is_guilty(name_of(items[0])):
            return [_crashes(items[0])]
        await self._note(items)
        try:
            found = await self._examiner.examine(items, verdicts, explained=explained)
        except Exception as error:
            await self._note([])
            log.warning("dry_run_crashed", items=len(items), reason=reason_of(error))
            if len(items) > 1:
                return [
                    answer
                    for item, verdict in zip(items, verdicts, strict=True)
                    for answer in await self._tried([item], [verdict], explained=explained)
                ]
            if not await self.is_well(with_step=False):
                raise EngineFails(_FAILS.format(reason=reason_of(error))) from error
            return [_crashes(items[0])]
        await self._note([])
        return list(found)

    # When it crashes

    async def _crashed(self, crash: EngineCrashed, search: Search, part: range) -> bool:
        """Make everything as it was before the part, and decide what is next; whether its one item is guilty."""
        cause = crash.__cause__ or crash
        reason = reason_of(cause)
        if crash.is_halfway:
            await self._memory.rebuild(f"a step failed ({reason}); reading the state again")
        is_well = await self.is_well(with_step=crash.is_halfway and len(part) == 1)
        loop = asyncio.get_running_loop()
        then = search.crashed(
            is_short_of_memory=is_short_of_memory(cause),
            is_engine_well=is_well,
            has_room=self._convictions.has_room(loop.time()),
        )
        log.warning(
            "engine_crashed",
            items=len(part),
            reason=reason,
            then=then.value,
            exc_info=None if then in (Next.SPLIT, Next.AGAIN) else cause,
        )
        match then:
            case Next.AGAIN if is_short_of_memory(cause):
                await asyncio.sleep(PAUSE_S)
            case Next.QUARANTINE:
                self._convictions.add(loop.time())
                return True
            case Next.ENGINE_FAILS:
                if crash.is_halfway:  # the state is to blame, not what is in hand
                    await self._note([])
                raise EngineFails(_FAILS.format(reason=reason))
            case Next.TOO_MANY:
                raise TooManyQuarantined(
                    f"{PER_MINUTE} items crashed the engine within a minute, the last by {reason}. The stream pauses; "
                    "a person should look: `firstseen dlq list`."
                )
        return False

    @property
    def has_room(self) -> bool:
        """Whether another item may be put into quarantine in this minute."""
        return self._convictions.has_room(asyncio.get_running_loop().time())

    async def is_well(self, *, with_step: bool) -> bool:
        """Whether the engine can do what it surely could: embed the bundle's golden items, and step them.

        With `with_step` the memory is dropped afterwards, and read again.
        """
        async with self._memory.at_rest:
            engine = self._memory.engine()

            def probe() -> None:
                raw = self._bundle.golden.items[:_PROBE_ITEMS]
                golden = [decode_item(item, self._bundle.manifest.input) for item in raw]
                z = self._embedder.embed(golden)
                ids = tuple(f"{_PROBE_ID}-{n}" for n in range(len(golden)))
                observed = engine.decide(z, ids, np.full(len(golden), self._now(), dtype=np.float64))
                if with_step:
                    engine.apply(observed)

            try:
                await self._memory.in_worker(probe)
            except Exception as error:
                log.exception("engine_fails", reason=reason_of(error))
                is_well = False
            else:
                is_well = True
            finally:
                if with_step:
                    self._memory.forget()
        if with_step:
            await self._memory.rebuild("the engine was tried out; reading the state again")
        return is_well

    async def _convict(self, item: Item, reason: str, attempts: int) -> Answer:
        seq = self._memory.engine().seq
        refused = await self._letters.quarantine(item, reason=reason, seq=seq, attempts=attempts)
        self._acquit([item])
        return refused

    # What is in hand

    async def _note(self, items: list[Item]) -> None:
        """Write down what is about to be stepped, where that is needed."""
        doubt = self._doubt
        assert doubt is not None
        names = tuple(map(name_of, items)) if doubt.is_wary or doubt.knows_some else ()
        note = doubt.takes(names, seq=self._memory.engine().seq)
        if note is not None:
            await self._ask(lambda: self._store.hand.put(note))

    def _acquit(self, items: list[Item]) -> None:
        doubt = self._doubt
        assert doubt is not None
        if doubt.is_wary or doubt.knows_some:
            doubt.acquitted(tuple(map(name_of, items)))


def _crashes(item: Item) -> Refused:
    return Refused(
        item.id,
        InvalidItem(
            "The item crashes the engine. It was not to be learnt, so nothing of it was kept; to be learnt it would go "
            "into quarantine."
        ),
    )
