"""`firstseen upgrade`: a stream goes on with another bundle; ids, names, lineage and decisions are kept.

    own it ─► the engine at the head ─► payloads of members, kept by the stream or brought by their sender
                                            └─► embedded by the new net ─► another engine (clustering/moving.py)
    what would become of it is shown, and only then: state/moving.py, one step that is made or not made

One step back is to the state that the move left, at the place where the stream stands now: what came since is unlearnt,
its ids keep their verdicts, and numbers of clusters that were given since are given to no other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from model.bundle import Bundle
from model.inputs import InvalidInput, Payload, decode_item
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.moving import Fate, Moved, moved
from service.clustering.params import EngineParams
from service.errors import ClientError
from service.records import ClusterState, Float32s
from service.roundtrip.standing import Progress, head_of, stand
from service.state.checkpoint import lease_kept
from service.state.errors import LeaseHeld
from service.state.keys import Keys
from service.state.moving import Kept, kept_of, staging
from service.state.reading import Cut, StreamReader
from service.state.store import StreamStore
from service.state.wire import Wire

_BATCH: Final = 256
"""Items that are embedded at once."""

Embeds = Callable[[Sequence[Payload]], Float32s]
"""B payloads -> float32 (B, D)."""

Asks = Callable[["Diff"], Awaitable[bool]]
"""Shows what would become of the stream, and says whether it shall."""

Items = Callable[[], Iterable[tuple[str | None, object]]]
"""(id, item as it is sent) of each item that the sender has."""


class NotUpgraded(ClientError):
    """A stream cannot be moved as asked; nothing was changed. The message says what to give."""


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What a move would make of a stream.

    Attributes:
        stream: Its name.
        seq: Where it stands.
        before, after: Ids of the two bundles.
        gained: Classes that the new bundle has and the old one had not.
        lost: The other way round.
        fates: What becomes of each cluster that people know; none for a step back.
        dropped: Candidates that go, and form again.
        unlearnt: Places of the stream that a step back forgets; None for an upgrade.
        undecided: Those of them that are decisions.
        unfound: Clusters that people know and that came since.
    """

    stream: str
    seq: int
    before: str
    after: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    fates: tuple[Fate, ...]
    dropped: int = 0
    unlearnt: int | None = None
    undecided: int = 0
    unfound: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """What came of it: `is_done` says whether it was wanted. size: bytes of the new state."""

    diff: Diff
    is_done: bool
    size: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stream is, and who moves it.

    Attributes:
        wire: To its Redis.
        store: Open, under the bundle that it is of.
        lease_s: The store's.
        is_alone: A lock elsewhere proves that no owner lives, so a lease that is left can be taken.
        token: Unique to this move: letters and digits.
        progress: Told how far it is.
    """

    wire: Wire
    store: StreamStore
    lease_s: float
    is_alone: bool
    token: str
    progress: Progress


async def upgrade(
    place: Place,
    old: Bundle,
    new: Bundle,
    params: EngineParams,
    *,
    embeds: Embeds,
    items: Items | None,
    asks: Asks,
) -> Upgraded:
    """Move a stream that nobody serves to another bundle.

    Args:
        place: Where it is.
        old: The bundle that it is of.
        new: The one that it is to be of.
        params: What it shall decide with.
        embeds: The new bundle's net.
        items: The sender's items, for members whose payload the stream does not keep.
        asks: Whether it shall be so.

    Raises:
        NotUpgraded: It is one bundle, or two that do not take the same items, or the stream has a clusterer that cannot
            be moved.
        LeaseHeld: Somebody serves the stream.
        StoreError: It is damaged, or Redis is away; then it is as it was, or moved.
    """
    if old.manifest.bundle_id == new.manifest.bundle_id:
        raise NotUpgraded(
            f"Both are the bundle {new.manifest.bundle_id}: give the one that the stream is to be of, too."
        )
    if old.manifest.input != new.manifest.input:
        raise NotUpgraded(
            f"The bundle {new.manifest.bundle_id} takes other items than the stream's: {new.manifest.input.summary()}, "
            f"and not {old.manifest.input.summary()}. Begin another stream with it."
        )
    async with _owned(place) as stream:
        engine = await stream.engine(old)
        if engine.params.backend != "firstseen":
            raise NotUpgraded("Clusters of river's clusterer cannot be moved. Begin another stream.")
        z = await _embedded(place, engine, new, embeds, items)
        before = engine.labels
        after = await asyncio.to_thread(
            moved, engine, new.known, new.manifest.labels, _with_backend(params, engine), z
        )
        diff = _diff(stream, before, old, new, after)
        if not await asks(diff):
            return Upgraded(diff=diff, is_done=False, size=0)
        size = await stream.move(new, after.engine, before=before, generation=stream.generation)
        return Upgraded(diff=diff, is_done=True, size=size)


async def step_back(place: Place, now: Bundle, before: Bundle, *, asks: Asks) -> Upgraded:
    """Move a stream back to the state that the latest move left.

    Args:
        place: Where it is.
        now: The bundle that it is of.
        before: The one that it was of.
        asks: Whether it shall be so.

    Raises:
        NotUpgraded: Nothing is kept of that bundle.
        LeaseHeld, StoreError: As `upgrade`.
    """
    async with _owned(place) as stream:
        kept = stream.kept
        if kept is None or kept.bundle_id != before.manifest.bundle_id:
            there = "nothing is kept" if kept is None else f"what is kept is of bundle {kept.bundle_id}"
            raise NotUpgraded(
                f"There is no step back to bundle {before.manifest.bundle_id}: {there}. To go on with that bundle all "
                "the same, leave --back out: then what was learnt is carried over to it."
            )
        engine = await stream.engine(now)
        earlier, generation = await stream.earlier(before)
        _jump(earlier, engine)
        diff = Diff(
            stream=stream.old.stream,
            seq=engine.seq,
            before=now.manifest.bundle_id,
            after=before.manifest.bundle_id,
            gained=_missing(earlier.labels, engine.labels),
            lost=_missing(engine.labels, earlier.labels),
            fates=(),
            unlearnt=engine.seq - kept.seq,
            undecided=sum(decided.seq >= kept.seq for decided in engine.decisions),
            unfound=tuple(sorted(_announced(engine) - _announced(earlier))),
        )
        if not await asks(diff):
            return Upgraded(diff=diff, is_done=False, size=0)
        size = await stream.move(
            before, earlier, before=engine.labels, generation=max(stream.generation, generation)
        )
        return Upgraded(diff=diff, is_done=True, size=size)


def _jump(earlier: Engine, now: Engine) -> None:
    """Let an engine stand where another does; what came in between neither counts nor lets a cluster fade."""
    by = now.seq - earlier.seq
    for life in earlier.lives.values():
        if life.state is not ClusterState.GONE:
            life.last_seq += by
    earlier.seq = now.seq
    earlier.next_cluster_id = max(earlier.next_cluster_id, now.next_cluster_id)


def _announced(engine: Engine) -> set[int]:
    return {life.id for life in engine.lives.values() if life.emerged_seq is not None}


def _missing(there: Sequence[str], here: Sequence[str]) -> tuple[str, ...]:
    return tuple(label for label in there if label not in here)


def _with_backend(params: EngineParams, engine: Engine) -> EngineParams:
    return params.with_changes(backend=engine.params.backend)


def _diff(stream: "_Stream", before: Sequence[str], old: Bundle, new: Bundle, after: Moved) -> Diff:
    return Diff(
        stream=stream.old.stream,
        seq=after.engine.seq,
        before=old.manifest.bundle_id,
        after=new.manifest.bundle_id,
        gained=_missing(new.manifest.labels, old.manifest.labels),
        lost=_missing(before, after.engine.labels),
        fates=after.fates,
        dropped=after.dropped,
    )


async def _embedded(
    place: Place, engine: Engine, new: Bundle, embeds: Embeds, items: Items | None
) -> Mapping[str, Float32s]:
    """The members that are to be had, by id, as the new net embeds them: float32 (D,)."""
    wanted = {
        id
        for life in engine.lives.values()
        if life.state not in (ClusterState.CANDIDATE, ClusterState.GONE)
        for id in life.members.ids
    }
    payloads = {} if items is None else await asyncio.to_thread(_brought, items, wanted, new)
    payloads |= await place.store.payloads.get(sorted(wanted - payloads.keys()))
    found: dict[str, Float32s] = {}
    ids = sorted(payloads)
    for start in range(0, len(ids), _BATCH):
        part = ids[start : start + _BATCH]
        z = await asyncio.to_thread(embeds, [payloads[id] for id in part])
        found |= dict(zip(part, np.asarray(z, dtype=np.float32), strict=True))
        place.progress("embed", len(found), len(ids), "members")
    return found


def _brought(items: Items, wanted: Set[str], new: Bundle) -> dict[str, Payload]:
    """Those of the sender's items that are wanted; of an id that comes twice the first, as in the stream."""
    found: dict[str, Payload] = {}
    for id, x in items():
        if id in wanted and id not in found:
            try:
                found[str(id)] = decode_item(x, new.manifest.input)
            except InvalidInput as error:
                raise NotUpgraded(f"The item {id!r} is none for the new bundle: {error}") from None
    return found


@asynccontextmanager
async def _owned(place: Place) -> "AsyncIterator[_Stream]":
    """The stream as it stands, ours while the context is open."""
    store = place.store
    try:
        await store.acquire(steal=place.is_alone)
    except LeaseHeld as held:
        raise LeaseHeld(
            f"{held}. A stream is moved while nobody serves it: stop the service (SIGTERM), move the stream, and start "
            "the service with the new bundle.",
            owner=held.owner,
            remaining_ms=held.remaining_ms,
        ) from None
    async with lease_kept(store, place.lease_s):
        reader = StreamReader(place.wire, store.keys)
        cut = await reader.cut()
        yield _Stream(place, reader, cut, await kept_of(place.wire, store.keys))


class _Stream:
    """A stream that is owned, as it stands."""

    def __init__(self, place: Place, reader: StreamReader, cut: Cut, kept: Kept | None) -> None:
        self._place = place
        self._reader = reader
        self._cut = cut
        self.kept = kept
        self.head = head_of(reader, cut)
        self.old = reader.keys

    @property
    def generation(self) -> int:
        """The last one of snapshots that was handed out."""
        return self.head.gen

    async def engine(self, bundle: Bundle) -> Engine:
        """The engine at the head."""
        known, labels = bundle.known, bundle.manifest.labels
        progress = self._place.progress
        return await stand(self._reader, self.head, known, labels, told=lambda *_: None, progress=progress)

    async def earlier(self, bundle: Bundle) -> tuple[Engine, int]:
        """The engine as the latest move left it, and the generation of its snapshots."""
        keys = Keys(self.old.stream, bundle.manifest.bundle_id)
        reader = StreamReader(self._place.wire, keys)
        head = head_of(reader, await reader.cut())
        known, labels = bundle.known, bundle.manifest.labels
        progress = self._place.progress
        engine = await stand(reader, head, known, labels, told=lambda *_: None, progress=progress)
        return engine, head.gen

    async def move(self, new: Bundle, engine: Engine, *, before: Sequence[str], generation: int) -> int:
        """Make it so; the bytes of the state."""
        place = self._place
        blob = await asyncio.to_thread(snapshot.dump, engine)
        snapshot.load(blob, new.known, new.manifest.labels)  # what could not be loaded is not written
        keys = Keys(self.old.stream, new.manifest.bundle_id)
        async with staging(place.wire, self._reader, keys, token=place.token, kept=self.kept) as moving:
            await moving.copy_rest()
            await moving.write_ids(self.head, before=before, after=engine.labels, progress=place.progress)
            await moving.write_state(blob, self._cut, generation=generation)
            await moving.move(place.store, self.head)
        return len(blob)
