"""A stream of real digits in a real store, without a service: known ones first, then two new ones among them."""

import functools
from collections.abc import Iterator

import numpy as np
from redis.asyncio import Redis

from model.bundle import Bundle
from model.datasets.digits import load_digits
from model.inputs import decode_item
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.decisions import Action, Decision
from service.embedding import Embedder
from service.records import ANNOUNCED, Float32s, Verdict, auto_id
from service.state.keys import Keys
from service.state.packing import pack_configure, pack_curate, pack_items, pack_verdict
from service.state.reading import StreamReader
from service.state.store import Append, StreamStore
from service.state.wire import Wire
from tests.service import digits

PARAMS = EngineParams(min_items_to_emerge=5)


@functools.cache
def net() -> Embedder:
    """Of the bundle; its variant has the same."""
    return Embedder(digits.bundle(), device="cpu", threads=1)


@functools.cache
def embedded() -> Float32s:
    """float32 (N, D): all digits of the stream."""
    spec = digits.bundle().manifest.input
    return net().embed([decode_item(item["x"], spec) for item in digits.stream_items()])


@functools.cache
def _targets() -> tuple[str, ...]:
    data = load_digits()
    return tuple(data.labels[k] for k in data.y)


def truth(id: str) -> str | None:
    """The class of a digit; None for one that went without an id."""
    return _targets()[int(id.removeprefix("digit-"))] if id.startswith("digit-") else None


def _most(labels: list[str | None]) -> str | None:
    return max(set(labels), key=labels.count, default=None)


def sent() -> Iterator[tuple[str | None, object]]:
    """What the sender has: every tenth item went without an id, and it does not know which place that got."""
    for n, item in enumerate(digits.stream_items()):
        yield (None if n % 10 == 9 else item["id"]), item["x"]


class Sending:
    """Writes what a pipeline would, into a store that owns its stream."""

    def __init__(self, store: StreamStore, bundle: Bundle, engine: Engine | None = None) -> None:
        self.store = store
        self.bundle = bundle
        self.labels = bundle.manifest.labels
        self.engine = engine or Engine(bundle.known, self.labels, PARAMS)
        self.verdicts: list[Verdict] = []
        self.times: list[float] = []

    async def configure(self) -> None:
        """The first entry of every log."""
        wanted = Append(
            first_seq=self.engine.seq, count=1, payload=pack_configure(self.engine.params), verdicts=()
        )
        await self.store.append(wanted)
        self.engine.configure(self.engine.params)

    async def send(self, start: int, stop: int, batch: int = 40) -> None:
        """The digits of these places."""
        items = digits.stream_items()
        for first in range(start, stop, batch):
            rows = range(first, min(first + batch, stop))
            seq = self.engine.seq
            ids = tuple(auto_id(seq + k) if n % 10 == 9 else str(items[n]["id"]) for k, n in enumerate(rows))
            t = np.full(len(rows), 1e6 + first)
            observed = self.engine.decide(embedded()[list(rows)], ids, t)
            result = self.engine.apply(observed)
            own = [v for v in result.verdicts if v.id != auto_id(v.seq)]
            record = Append(
                first_seq=seq,
                count=len(rows),
                payload=pack_items(observed, result.verdicts),
                verdicts=[(v.id, pack_verdict(v, self.engine.labels)) for v in own],
            )
            await self.store.append(record)
            self.verdicts += result.verdicts
            self.times += t.tolist()

    async def decide(self, action: Action, cluster: int, **said: object) -> None:
        """What a person decides."""
        made = Decision(
            key=f"d{self.engine.seq}",
            action=action,
            cluster=cluster,
            t=2e6,
            who="ann",
            why="=so",
            **said,  # type: ignore[arg-type]
        )
        prepared = self.engine.prepared(made)
        wanted = Append(first_seq=self.engine.seq, count=1, payload=pack_curate(prepared), verdicts=())
        await self.store.append(wanted)
        self.engine.carry_out(prepared)

    def clusters_of(self, label: str) -> list[int]:
        """The announced clusters most of whose members are of a class, the largest first."""
        lives = [life for life in self.engine.lives.values() if life.state in ANNOUNCED]
        lives.sort(key=lambda life: -self.engine.items(life))
        return [life.id for life in lives if _most([truth(id) for id in life.members.ids]) == label]

    async def save(self) -> None:
        """A snapshot of now."""
        await self.store.save_snapshot(snapshot.dump(self.engine), seq=self.engine.seq)


def reader(client: "Redis", stream: str, bundle: Bundle) -> StreamReader:
    """Of the stream under a bundle."""
    return StreamReader(Wire(client), Keys(stream, bundle.manifest.bundle_id))


async def a_stream(store: StreamStore, *, items: int = 600, saves: tuple[int, ...] = (200, 400)) -> Sending:
    """So many digits, with snapshots on the way; the store is let go."""
    await store.open()
    await store.acquire()
    sending = Sending(store, digits.bundle())
    await sending.configure()
    at = 0
    for stop in (*saves, items):
        await sending.send(at, stop)
        if stop in saves:
            await sending.save()
        at = stop
    await store.release()
    return sending


def quiet(stage: str, done: int, total: int, note: str) -> None:
    """Progress that nobody looks at."""
    assert 0 <= done <= total, (stage, done, total, note)
