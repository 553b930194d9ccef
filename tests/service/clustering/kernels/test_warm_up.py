"""After a warm-up nothing is left to compile, whatever the clusterer is asked to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numba.core import event

from service.clustering import snapshot
from service.clustering.dbstream import DBSTREAM
from service.clustering.kernels import entries
from service.clustering.kernels.warm_up import ENTRIES, are_kept, warm_up
from service.compiling.compiled import kept_in
from service.records import Float64s
from tests.service.clustering.conftest import LABELS, MakeEngine, World


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm_up()


@contextmanager
def compiles_nothing() -> Iterator[None]:
    """Neither does numba compile, nor does any entry get code for other types, be it from disk."""
    before = [function.signatures[:] for function in ENTRIES]
    with event.install_recorder("numba:compile") as recorder:
        yield

    assert [] == recorder.buffer
    assert before == [function.signatures for function in ENTRIES]


def stream(dim: int, seed: int = 0) -> Float64s:
    """Two clusters that a third joins, among noise: clusters are born, join, part and die."""
    rng = np.random.default_rng(seed)
    centers = np.stack([np.zeros(dim), np.full(dim, 4.0), np.full(dim, 2.0)])
    which = np.where(np.arange(1200) < 600, rng.integers(0, 2, 1200), rng.integers(0, 3, 1200))
    items = centers[which] + rng.normal(size=(1200, dim)) * 0.5
    items[::7] = rng.uniform(-50, 50, (len(items[::7]), dim))
    return items


def drive(db: DBSTREAM, items: Any, t: Any = None) -> None:
    """All that an estimator can be asked."""
    one = dict(enumerate(np.asarray(items)[0].tolist()))
    db.learn_one(one, t=None if t is None else t[0])
    db.predict_one(one)
    db.learn_many(items, t=t)
    db.predict_many(items)
    assert db.clusters.keys() == db.centers.keys()
    again = DBSTREAM.from_bytes(db.to_bytes())
    again.learn_many(items, t=t)


def test_it_uses_every_entry() -> None:
    """Each has been compiled, and for one set of types; none is forgotten."""
    assert set(ENTRIES) == {value for value in vars(entries).values() if kept_in(value) is not None}
    assert [1] * len(ENTRIES) == [len(function.signatures) for function in ENTRIES]


def test_it_fills_the_folder() -> None:
    """The next process finds all of it."""
    assert are_kept()


@pytest.mark.parametrize("dim", [1, 2, 20, 70])
@pytest.mark.parametrize("river_online", [False, True])
def test_nothing_is_left_for_an_estimator(dim: int, river_online: bool) -> None:
    """Counting items, in both arithmetics, with few rows and many, from any kind of matrix."""
    items = stream(dim)
    frozen = items.copy()
    frozen.flags.writeable = False
    forms = (
        frozen,
        items,
        items.astype(np.float32),
        np.asfortranarray(items),
        items[::2, ::-1],
        items.tolist(),
    )
    with compiles_nothing():
        for form in forms:
            drive(DBSTREAM(1.0, 0.01, 50, river_online=river_online, max_micro_clusters=300), form)


def test_nothing_is_left_for_event_time() -> None:
    """With times of any kind, late ones too."""
    items = stream(3)
    times = np.random.default_rng(1).exponential(size=len(items)).cumsum()
    times[100:120] -= 5.0
    with compiles_nothing():
        for t in (times, times.tolist(), (times * 1000).astype(np.int64)):
            drive(DBSTREAM(1.0, 0.01, 50), items, t)


def test_nothing_is_left_for_the_engine(make_engine: MakeEngine, world: World) -> None:
    """Steps, other parameters while it runs, a snapshot and going on from it."""
    rng = np.random.default_rng(3)
    with compiles_nothing():
        engine = make_engine()
        seq = 0
        for n in (1, 64, 2, 300):
            z = world.items(rng, n=n, share_new=0.6)
            engine.step(z, tuple(f"i{seq + k}" for k in range(n)), np.zeros(n))
            seq += n
            engine.configure(engine.params.with_changes(clustering_threshold=1.8 + seq / 1000))
        restored = snapshot.load(snapshot.dump(engine), world.known, LABELS)
        restored.step(world.items(rng, n=50, share_new=1.0), tuple(f"r{k}" for k in range(50)), np.zeros(50))
        assert restored.clusters()
