"""What a service writes, without the service: the log entries and verdicts of a real stream, cut as one likes.

    digits, each also moved by a pixel in four directions ─► bundle with a stream gate
    known items, and now and then one of an unseen class ─► engine ─► entries of B items, verdicts by id

The engine gives the same however a stream is cut, so a stream is decided once and cut afterwards.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from model.bundle import Bundle, read_bundle
from model.config import TrainConfig
from model.datasets import load_dataset
from model.export import run as train_bundle
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.embedding import Embedder
from service.pipeline.starting import starting_params
from service.records import Bools, Observed, Verdict, VerdictKind
from service.settings import Settings
from service.state.packing import pack_configure, pack_items, pack_verdict
from service.state.store import Append

HOLD_OUT = ("3", "7")
NEW_SHARE = 0.02
"""Share of the stream's items that are of an unseen class."""

_AT_ONCE = 512

IDS: dict[str, Callable[[int], str]] = {
    "12 characters": lambda n: f"{n * 0x9E3779B97F4A7C15 % 2**48:012x}",
    "UUID": lambda n: str(uuid.UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)),
}
"""Ids as clients send them, by what they look like."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A stream as the engine decided it.

    Attributes:
        bundle: With what.
        params: Likewise.
        parts: Batches of up to some hundred items, in order, and the verdicts.
        blob: A snapshot of the engine behind the last of them.
    """

    bundle: Bundle
    params: EngineParams
    parts: tuple[tuple[Observed, tuple[Verdict, ...]], ...]
    blob: bytes

    @property
    def fed_share(self) -> float:
        """Share of the items whose embeddings are in the log."""
        fed = [batch.fed for batch, _ in self.parts]
        return float(np.concatenate(fed).mean())


def make_bundle(folder: Path, *, epochs: int = 4) -> Path:
    """Train on digits and their shifted copies, enough held-out items for a stream gate; where the bundle is."""
    data = load_dataset("digits", data_dir=None)
    shifts = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    file = folder / "shifted.npz"
    np.savez(
        file,
        x=np.concatenate([np.roll(data.x, shift, axis=(2, 3)) for shift in shifts]),
        y=np.tile(data.y, len(shifts)),
    )
    out = folder / "bundle"
    train_bundle(
        TrainConfig(dataset=str(file), hold_out=HOLD_OUT, epochs=epochs),
        data_dir=None,
        out=out,
        progress=lambda *_: None,
        created=datetime.now(UTC),
    )
    return out


def decide(bundle_dir: Path, items: int, *, seed: int = 0) -> Decided:
    """Draw so many digits and decide them; what is unseen is decided as well as it is met."""
    bundle = read_bundle(bundle_dir)
    found = bundle.manifest.calibration
    params = starting_params(
        Settings.read({}),
        bundle.known,
        known_error_rate=found.known_error_rate,
        cluster_radius=found.cluster_radius,
    )
    data = load_dataset("digits", data_dir=None)
    spec = bundle.manifest.input
    x = (data.x - spec.minimum) / np.float32(spec.maximum - spec.minimum)
    z = Embedder(bundle, device="cpu", threads=1).embed(list(x.astype(np.float32)))
    rng = np.random.default_rng(seed)
    is_new = np.isin(np.array(data.labels)[data.y], HOLD_OUT)
    which = np.where(
        rng.random(items) < NEW_SHARE,
        rng.choice(np.flatnonzero(is_new), items),
        rng.choice(np.flatnonzero(~is_new), items),
    )
    engine = Engine(bundle.known, bundle.manifest.labels, params)
    engine.configure(params)
    parts = []
    for start in range(0, items, _AT_ONCE):
        rows = which[start : start + _AT_ONCE]
        batch = engine.decide(z[rows], ("",) * len(rows), np.full(len(rows), 1e9 + start))
        parts.append((batch, engine.apply(batch).verdicts))
    return Decided(bundle=bundle, params=params, parts=tuple(parts), blob=snapshot.dump(engine))


def batches(
    decided: Decided,
    size: int,
    name_of: Callable[[int], str],
    *,
    only_known: bool = False,
    first_seq: int = 0,
) -> Iterator[Append]:
    """The stream as batches of so many items, the first entry of its log before them.

    Args:
        decided: The stream.
        size: Items a batch.
        name_of: The id of the n-th item.
        only_known: Leave out what went to the clusterer. Such a log cannot be replayed: it is for counting bytes.
        first_seq: Of the first entry.
    """
    labels = decided.bundle.manifest.labels
    yield Append(first_seq=first_seq, count=1, payload=pack_configure(decided.params), verdicts=())
    seq = first_seq + 1
    for whole, answers in decided.parts:
        batch, verdicts = _without_fed(whole, answers) if only_known else (whole, answers)
        for start in range(0, len(batch), size):
            part, said = _cut(batch, verdicts, slice(start, start + size))
            ids = tuple(name_of(seq + n) for n in range(len(part)))
            named = [replace(v, id=id, seq=seq + n) for n, (v, id) in enumerate(zip(said, ids, strict=True))]
            yield Append(
                first_seq=seq,
                count=len(part),
                payload=pack_items(replace(part, first_seq=seq, ids=ids), named),
                verdicts=[(v.id, pack_verdict(v, labels)) for v in named],
            )
            seq += len(part)


def _cut(batch: Observed, verdicts: Sequence[Verdict], rows: slice) -> tuple[Observed, Sequence[Verdict]]:
    chosen = np.zeros(len(batch), dtype=np.bool_)
    chosen[rows] = True
    return _only(batch, chosen), verdicts[rows]


def _without_fed(batch: Observed, verdicts: Sequence[Verdict]) -> tuple[Observed, tuple[Verdict, ...]]:
    kept = ~batch.fed
    assert all(v.verdict is VerdictKind.KNOWN for v, keep in zip(verdicts, kept, strict=True) if keep)
    return _only(batch, kept), tuple(v for v, keep in zip(verdicts, kept, strict=True) if keep)


def _only(batch: Observed, chosen: Bools) -> Observed:
    """The items chosen, bool (B,)."""
    return Observed(
        first_seq=batch.first_seq,
        ids=tuple(id for id, is_chosen in zip(batch.ids, chosen, strict=True) if is_chosen),
        t=batch.t[chosen],
        nearest=batch.nearest[chosen],
        accepted=batch.accepted[chosen],
        fed=batch.fed[chosen],
        core=batch.core[chosen],
        claimed=batch.claimed[chosen],
        taken=batch.taken[chosen],
        novelty=batch.novelty[chosen],
        distance=batch.distance[chosen],
        features=batch.features[chosen],
        z_fed=batch.z_fed[chosen[batch.fed]],
    )
