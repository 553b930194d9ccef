"""A fit finds that an announced cluster is two classes: the engine parts it, if it is still what the fit has seen."""

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.stream_gate import StreamFit
from service.events import EventKind
from service.records import Float64s
from tests.service.clustering.overlapping import APART, FAR, LABELS, Driven, overlapping
from tests.service.clustering.test_engine_stream_gate import announced, fit, joined, place, with_two_clusters


def parted(cluster: int, births: list[int]) -> StreamFit:
    return fit(partings=np.array([[cluster, birth] for birth in births]).reshape(-1, 2))


def test_a_cluster_that_is_two_becomes_two() -> None:
    """The new one is announced as a part of the old, at once; items go to the part that they lie in, and stay."""
    driven, old, young = with_two_clusters()
    db = driven.engine.clusterer
    driven.use(joined(young, old))
    births = db.births(db.rows_of(old)).tolist()
    far = [b for b, c in zip(births, db.centers(db.rows_of(old)), strict=True) if nearer_far(driven, c)]
    assert 0 < len(far) < len(births)
    result = driven.use(parted(old, far))
    (split,) = result.events

    assert (EventKind.SPLIT, old) == (split.kind, split.other_id)
    new = split.cluster.id
    members = driven.engine.lives[new].members
    assert len(members) > 0
    assert set(members.births.tolist()) <= set(far)
    assert not set(driven.engine.lives[old].members.births.tolist()) & set(far)
    assert [old, new] == announced(driven.engine)
    assert split.cluster.parent_id == old
    assert split.cluster.items > 0
    for which, cluster in ((APART, old), (FAR, new)):
        z = overlapping().items(np.random.default_rng(4), np.full(60, which))
        ids = [v.cluster_id for r in driven.feed(z) for v in r.verdicts if v.cluster_id]
        assert ids.count(cluster) > 0.9 * len(ids) > 10
    blob = snapshot.dump(driven.engine)
    assert blob == snapshot.dump(snapshot.load(blob, overlapping().known, LABELS))


@pytest.mark.parametrize("births", [[10**9], "all"], ids=["none of its own", "all of them"])
def test_a_parting_that_leaves_nothing_to_part_is_none(births: list[int] | str) -> None:
    """The cluster has changed since the fit was begun; nothing happens, but that the fit is used."""
    driven, old, _ = with_two_clusters()
    db = driven.engine.clusterer
    leave = births if isinstance(births, list) else db.births(db.rows_of(old)).tolist()
    result = driven.use(parted(old, leave))

    assert () == result.events
    assert 2 == len(announced(driven.engine))
    assert () == driven.use(parted(999, [1])).events


def nearer_far(driven: Driven, center: Float64s) -> bool:
    apart, far = (driven.engine.space.project(place(k)[None].astype(np.float32))[0] for k in (APART, FAR))
    return bool(np.square(center - far).sum() < np.square(center - apart).sum())
