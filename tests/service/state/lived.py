"""A stream with a life behind it: parameters, known and new digits, a change of parameters, snapshots between."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.decisions import Decision
from service.records import Float32s, Verdict, auto_id
from service.state.events import pack_events
from service.state.packing import pack_configure, pack_curate, pack_items, pack_verdict
from service.state.payloads import pack_payload
from service.state.reading import StreamReader
from service.state.store import Append, StreamStore
from service.state.verifying import Verified, verify
from tests.service import digits

BUNDLE_ID = "bundle-a"


def embeddings(n: int, seed: int = 0) -> Float32s:
    """Items of known classes, and some of one far-off spot: float32 (n, D)."""
    known = digits.bundle().known
    rng = np.random.default_rng(seed)
    z = known.calibration_embeddings[rng.integers(0, len(known.calibration_embeddings), n)].copy()
    far = -known.prototypes.mean(axis=0)
    is_new = rng.random(n) < 0.4
    z[is_new] = far / np.linalg.norm(far) + rng.normal(size=(int(is_new.sum()), z.shape[1])) * 0.03
    return z.astype(np.float32)


class Life:
    """Writes what a pipeline would, into a store that owns its stream."""

    def __init__(self, store: StreamStore, engine: Engine | None = None) -> None:
        self.store = store
        bundle = digits.bundle()
        self.labels = bundle.manifest.labels
        self.engine = engine or Engine(bundle.known, self.labels, EngineParams())
        self.verdicts: dict[str, Verdict] = {}
        self.kept: set[str] = set()

    async def configure(self, **changes: object) -> None:
        params = replace(self.engine.params, **changes)  # type: ignore[arg-type]  # values by name
        record = Append(first_seq=self.engine.seq, count=1, payload=pack_configure(params), verdicts=())
        await self.store.append(record)
        self.engine.configure(params)

    async def decide(self, decision: Decision) -> None:
        """What a person decides."""
        first_seq, prepared = self.engine.seq, self.engine.prepared(decision)
        result = self.engine.carry_out(prepared)
        record = Append(
            first_seq=first_seq,
            count=1,
            payload=pack_curate(prepared),
            verdicts=(),
            events=pack_events(result.events),
        )
        await self.store.append(record)

    async def items(self, n: int, *, batch: int = 7, seed: int = 0) -> None:
        """N items; every fifth comes without an id, and one now and then from quarantine, where it was given one."""
        z = embeddings(n, seed)
        for start in range(0, n, batch):
            await self._batch(z[start : start + batch])

    async def _batch(self, z: Float32s) -> None:
        seqs = range(self.engine.seq, self.engine.seq + len(z))
        ids = tuple(
            f"~1-{seq}" if seq % 35 == 2 else auto_id(seq) if seq % 5 == 0 else f"id-{seq}" for seq in seqs
        )
        observed = self.engine.decide(z, ids, np.full(len(z), 1e6 + self.engine.seq))
        result = self.engine.apply(observed)
        own = [v for v in result.verdicts if v.id != auto_id(v.seq)]
        verdicts = [(v.id, pack_verdict(v, self.engine.labels)) for v in own]
        self.verdicts |= {v.id: v for v in own}
        members = {member.id for life in self.engine.lives.values() for member in life.members}
        keep = [(id, pack_payload(f"what {id} looked like")) for id in ids if id in members]
        forget = sorted(self.kept - members)
        self.kept = members
        record = Append(
            first_seq=observed.first_seq,
            count=len(observed),
            payload=pack_items(observed, result.verdicts),
            verdicts=verdicts,
            events=pack_events(result.events),
            keep=keep,
            forget=forget,
        )
        await self.store.append(record)

    async def save(self) -> None:
        await self.store.save_snapshot(snapshot.dump(self.engine), seq=self.engine.seq)

    @property
    def hash(self) -> str:
        return snapshot.digest(self.engine)


async def a_life(store: StreamStore) -> Life:
    """0 configure, 1 to 60, a snapshot, to 121, parameters, a snapshot, to 142."""
    life = Life(store)
    await life.configure()
    await life.items(60, seed=1)
    await life.save()
    await life.items(60, seed=2)
    await life.configure(known_error_rate=0.05)
    await life.save()
    await life.items(20, seed=3)
    return life


def quiet(stage: str, done: int, total: int, note: str) -> None:
    """Progress that nobody looks at."""
    assert 0 <= done <= total, (stage, done, total, note)


async def verified(reader: StreamReader) -> Verified:
    bundle = digits.bundle()
    return await verify(reader, bundle.known, bundle.manifest.labels, quiet)


def faults(verified: Verified) -> dict[str, Sequence[str]]:
    """What failed -> what was said."""
    return {check.name: check.details for check in verified.checks if check.outcome.value == "failed"}
