"""Known bugs, each a small change of the code under test, that the simulation has to find.

An oracle that has never failed says nothing. Each mutant takes away one thing that a promise rests on: a line of
functions.lua, or a step of the store or the pipeline. Where two lines of defence stand behind each other (the look-up
before a batch and the check inside the append), one mutant takes away both, since neither alone is missed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from service.clustering import snapshot
from service.clustering.engine import StepResult
from service.pipeline.pipeline import Pipeline
from service.records import Item
from service.state.errors import Fenced, StoreUnavailable
from service.state.store import Append, StreamStore
from tests.simulation.lua import Library, interpreter
from tests.simulation.server import SimulatedServer
from tests.simulation.world import Variant

Edit = tuple[str, str]


class _Edited(SimulatedServer):
    """A server that runs an edited functions.lua, whatever it is given."""

    edits: Sequence[Edit] = ()

    def _load(self, source: bytes) -> Library:
        text = source.decode()
        for old, new in self.edits:
            assert old in text, f"functions.lua has no {old!r} any more: mend the mutant"
            text = text.replace(old, new)
        return interpreter().load(text.encode())


def lua(*edits: Edit, **others: Any) -> Variant:
    """functions.lua with other words in it."""
    return Variant(make_server=type("Edited", (_Edited,), {"edits": edits}), **others)


_NO_FENCE: Final = ("if epoch ~= token then", "if false then")


class _BlindStore(StreamStore):
    """Finds no verdict of any id."""

    async def lookup(self, ids: Sequence[str]) -> list[bytes | None]:
        return [None] * len(ids)


class _HopefulStore(StreamStore):
    """Takes an append whose outcome is unknown for done."""

    async def append(self, batch: Append) -> bool:
        try:
            return await super().append(batch)
        except StoreUnavailable as away:
            if not away.outcome_unknown:
                raise
            return True


class _DeafStore(StreamStore):
    """Takes no notice of being fenced."""

    async def append(self, batch: Append) -> bool:
        try:
            return await super().append(batch)
        except Fenced:
            return True


class _LateStore(StreamStore):
    """Answers first and appends a moment later."""

    async def append(self, batch: Append) -> bool:
        async def later() -> None:
            await asyncio.sleep(0.05)
            await super(_LateStore, self).append(batch)

        self.writing = asyncio.create_task(later())
        self.writing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return True


class _RestampedStore(StreamStore):
    """Stores other verdicts than those that were answered."""

    async def append(self, batch: Append) -> bool:
        verdicts = [(id, verdict[:-1] + bytes([verdict[-1] ^ 1])) for id, verdict in batch.verdicts]
        return await super().append(
            Append(first_seq=batch.first_seq, count=batch.count, payload=batch.payload, verdicts=verdicts)
        )


class _StaleSnapshots(StreamStore):
    """Saves the blob before the one it was given."""

    _before: bytes | None = None

    async def save_snapshot(self, blob: bytes, *, seq: int) -> None:
        saved, self._before = self._before or blob, blob
        await super().save_snapshot(saved, seq=seq)


class _ClingingPipeline(Pipeline):
    """Does not read the state again when it has become the owner again."""

    async def _restore(self) -> None:
        kept = getattr(self, "_kept", None)
        if kept is None:
            await super()._restore()
            self._kept = self._engine
        else:
            self._engine = kept


class _SteppingAgainPipeline(Pipeline):
    """Takes an unanswered append for not done, and makes another batch of the same items."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._learn_once = self._decider._learn
        self._decider._learn = self._learn  # type: ignore[method-assign]

    async def _learn(self, new: list[Item]) -> StepResult:
        blob = snapshot.dump(self._present())
        append = self._store.append

        async def once(batch: Append) -> bool:
            try:
                return await append(batch)
            except StoreUnavailable:
                raise _Again from None

        self._store.append = once  # type: ignore[method-assign]
        try:
            return await self._learn_once(new)
        except _Again:
            self._store.append = append  # type: ignore[method-assign]
            self._engine = snapshot.load(blob, self._bundle.known, self._labels)
            await asyncio.sleep(0.05)
            again = await self._learn(new[::-1])
            return replace(again, verdicts=again.verdicts[::-1])
        finally:
            self._store.append = append  # type: ignore[method-assign]


class _ForgetfulPipeline(Pipeline):
    """Does not remember what it has confirmed once it reads the state again."""

    async def _restore(self) -> None:
        self._durable_seq = 0
        await super()._restore()


class _Again(Exception):
    """The append was not answered."""


FORGETFUL: Final = Variant(make_pipeline=_ForgetfulPipeline)
"""Shows only where a replica that lagged takes over."""

MUTANTS: Final[dict[str, Callable[[], Variant]]] = {
    "an append that is not fenced": lambda: lua(
        (
            "local function append(keys, args)\n  local refusal = fence(keys[1], args[1])",
            "local function append(keys, args)\n  local refusal = nil",
        )
    ),
    "nothing is fenced": lambda: lua(_NO_FENCE),
    "an epoch that does not grow": lambda: lua(("'^%d+')) + 1", "'^%d+')) + 0")),
    "a lease that nobody respects": lambda: lua(
        ("if lease and args[5] ~= '1' then", "if false then"), ("if epoch ~= token then", "if false then")
    ),
    "an id that nobody looks up or checks": lambda: lua(
        ("if #taken > 0 then", "if false then"), make_store=_BlindStore
    ),
    "ids that are forgotten a generation too early": lambda: lua(
        ("redis.call('UNLINK', keys[6])", "redis.call('UNLINK', keys[6], keys[5])")
    ),
    "verdicts that are not stored": lambda: lua(
        ("redis.call('HSET', keys[4], unpack(args, i,", "redis.call('HSET', 'other', unpack(args, i,")
    ),
    "a log that is trimmed behind the newer snapshot": lambda: lua(
        ("redis.call('HGET', keys[2], 'prev')", "redis.call('HGET', keys[2], 'cur')")
    ),
    "a flip that keeps no older snapshot": lambda: lua(
        ("if prev then redis.call('HSET', keys[2], 'prev', prev) end", "redis.call('HDEL', keys[2], 'prev')")
    ),
    "a flip that drops the new chunks": lambda: lua(("for i = 4 + chunks, #keys", "for i = 4, #keys")),
    "events that are not stored": lambda: lua(("if keys[7] then tell(", "if false then tell(")),
    "payloads that are not forgotten": lambda: lua(
        ("redis.call('HDEL', key, unpack(args", "local _ = (unpack(args")
    ),
    "payloads that are not kept": lambda: lua(
        ("redis.call('HSET', key, unpack(args", "local _ = (unpack(args")
    ),
    "an answer before the append": lambda: Variant(make_store=_LateStore),
    "an unknown outcome taken for done": lambda: Variant(make_store=_HopefulStore),
    "an unknown outcome taken for not done": lambda: lua(
        ("and fields[i + 1] == args[5]", "and true"), make_pipeline=_SteppingAgainPipeline
    ),
    "being fenced taken for done": lambda: Variant(make_store=_DeafStore),
    "other verdicts stored than answered": lambda: Variant(make_store=_RestampedStore),
    "a snapshot of an older moment": lambda: Variant(make_store=_StaleSnapshots),
    "memory that outlives the loss of the stream": lambda: Variant(make_pipeline=_ClingingPipeline),
}
"""What each is called -> how to make it."""
