"""What would be said of items, if they came now: a dry run.

Each item is taken as the next one by itself: what it gets does not depend on the others that are asked about, and is
to the bit what `Engine.step` would have said of it. The engine is not changed. Where clusters joined or parted and the
next item is to find them regrouped, which is rare, that is done on a copy.
"""

import numpy as np

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.gates import Said
from service.clustering.saying import home_of, said_of
from service.clustering.verdicts import verdicts_of
from service.records import NO_CLUSTER, Float32s, Float64s, Int64s, Observed, Verdict


def would_say(engine: Engine, z: Float32s, ids: tuple[str, ...], t: Float64s) -> tuple[Verdict, ...]:
    """The verdict that each item would get, were it the next one; all have the next item's place in the stream.

    Args:
        engine: Is only read.
        z: float32 (B, D) embeddings, finite.
        ids: B ids.
        t: float64 (B,) seconds since 1970 (UTC).
    """
    ready = as_at_next(engine, float(t.max()) if len(t) else 0.0)
    batch = ready.decide(z, ids, t)
    said, named = say(ready, batch, homes(ready, batch))
    return tuple(verdicts_of(batch, said, ready.labels, named=named, is_one_place=True))


def as_at_next(engine: Engine, t: float) -> Engine:
    """The engine as the next item that goes to the clusterer will find it: itself, or a copy that caught up."""
    if not engine.clusterer.is_stale:
        return engine
    copy = snapshot.copy_of(engine)
    copy.catch_up(t, "", [])
    return copy


def homes(ready: Engine, batch: Observed) -> Int64s:
    """int64 (B,): the announced cluster that each item would be said to be in, NO_CLUSTER for none.

    Args:
        ready: As at the next item.
        batch: What its gates say.
    """
    found = np.full(len(batch), NO_CLUSTER, dtype=np.int64)
    if batch.fed.any():
        own = ready.clusterer.predict(np.ascontiguousarray(ready.space.project(batch.z_fed)))
        claims, taken = batch.claimed[batch.fed].tolist(), batch.taken[batch.fed].tolist()
        found[batch.fed] = [
            NO_CLUSTER
            if by != NO_CLUSTER and ready.goes_by(by) == NO_CLUSTER
            else home_of(ready, home, claimed, by)
            for home, claimed, by in zip(own.tolist(), claims, taken, strict=True)
        ]
    return found


def say(ready: Engine, batch: Observed, clusters: Int64s) -> tuple[list[Said], dict[int, int]]:
    """What would be said of each item, and known classes that are not the nearest; `clusters` are its `homes`."""
    said, named = list[Said](), dict[int, int]()
    rows = zip(
        batch.novelty.tolist(),
        batch.accepted.tolist(),
        batch.fed.tolist(),
        batch.taken.tolist(),
        clusters.tolist(),
        strict=True,
    )
    for n, (novelty, accepted, fed, taken, cluster) in enumerate(rows):
        if not fed:
            said += ready.gates.passed([novelty], [accepted])
            continue
        one, label = said_of(ready, cluster, taken, novelty, accepted=accepted)
        said.append(one)
        if label is not None:
            named[n] = label
    return said, named


def one_of(batch: Observed, n: int) -> Observed:
    """Item n of a batch as a batch of its own, at the place in the stream that it has there."""
    row = slice(n, n + 1)
    before = int(batch.fed[:n].sum())
    return Observed(
        first_seq=batch.first_seq + n,
        ids=batch.ids[row],
        t=batch.t[row],
        nearest=batch.nearest[row],
        accepted=batch.accepted[row],
        fed=batch.fed[row],
        core=batch.core[row],
        claimed=batch.claimed[row],
        taken=batch.taken[row],
        novelty=batch.novelty[row],
        distance=batch.distance[row],
        features=batch.features[row],
        z_fed=batch.z_fed[before : before + int(batch.fed[n])],
    )
