"""A dry run says what learning would have said, and leaves no trace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import Backend
from service.clustering.trial import as_at_next, one_of, would_say
from service.records import VerdictKind
from tests.service.clustering.conftest import World
from tests.service.clustering.fed import feed
from tests.service.clustering.tried import cases, small


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(0, 300),
    gates=st.sampled_from(["items", "both"]),
    feeding=st.sampled_from([0.02, 0.1, 0.5]),
    backend=st.sampled_from(["firstseen", "river"]),
)
def test_a_dry_run_equals_what_learning_says(
    world: World, seed: int, n: int, gates: str, feeding: float, backend: Backend
) -> None:
    """At any place of any stream, of either clusterer: the verdict of the next item, to the bit."""
    engine = small(world, seed, n, gates=gates, feeding_rate=feeding, backend=backend)
    for z in world.items(np.random.default_rng(seed + 1), n=40, share_new=0.4):
        (dry,) = would_say(engine, z[None], (f"i{engine.seq}",), np.array([float(engine.seq)]))
        (learnt,) = feed(engine, z[None])

        assert learnt.verdicts == (dry,)


def test_with_a_stream_gate_it_does_too(world: World) -> None:
    """What a fit and a cluster's claim say of an item is said in a dry run."""
    *_, (engine, asked) = cases(world)
    engine = snapshot.copy_of(engine)
    kinds = set()
    for z in asked(5, 80):
        (dry,) = would_say(engine, z[None], (f"i{engine.seq}",), np.array([float(engine.seq)]))
        (learnt,) = feed(engine, z[None])
        kinds.add(dry.verdict)

        assert learnt.verdicts == (dry,)
    assert set(VerdictKind) == kinds


def test_it_changes_nothing_and_each_item_stands_alone(world: World) -> None:
    """The state is the same to the bit, and an item is told the same in any batch, at the same place."""
    for engine, asked in cases(world):
        z = asked(7, 30)
        before = snapshot.digest(engine)
        together = would_say(engine, z, tuple(map(str, range(30))), np.zeros(30))
        alone = [would_say(engine, z[n : n + 1], (str(n),), np.zeros(1))[0] for n in range(30)]

        assert list(together) == alone
        assert {engine.seq} == {verdict.seq for verdict in together}
        assert before == snapshot.digest(engine)


def test_nothing_asked_nothing_said(world: World) -> None:
    """Of no items."""
    for engine, asked in cases(world):
        assert () == would_say(engine, asked(0, 0), (), np.zeros(0))


def test_a_stale_engine_is_tried_on_a_copy(world: World) -> None:
    """Where clusters parted since the last item, the next one finds them regrouped, and so does a dry run."""
    engine = small(world, 2, 260)
    engine.configure(engine.params.with_changes(minimum_weight=40.0))
    before = snapshot.digest(engine)

    assert engine.clusterer.is_stale
    assert as_at_next(engine, 0.0) is not engine
    z = world.items(np.random.default_rng(3), n=10, share_new=1.0)
    dry = would_say(engine, z, tuple("abcdefghij"), np.zeros(10))
    assert before == snapshot.digest(engine)
    for n in range(10):
        other = snapshot.copy_of(engine)
        assert other.step(z[n : n + 1], ("abcdefghij"[n],), np.zeros(1)).verdicts == (dry[n],)


@pytest.mark.parametrize("seed", range(3))
def test_one_of_a_batch_after_the_other_is_the_batch(world: World, seed: int) -> None:
    """Applied item by item, a batch that was decided at once gives the same verdicts and the same state."""
    engine = small(world, seed, 150)
    other = snapshot.copy_of(engine)
    z = world.items(np.random.default_rng(seed), n=25, share_new=0.3)
    batch = engine.decide(z, tuple(f"j{n}" for n in range(25)), np.zeros(25))
    at_once = engine.apply(batch)
    apart = [_applied(other, batch, n) for n in range(25)]

    assert list(at_once.verdicts) == apart
    assert snapshot.digest(engine) == snapshot.digest(other)


def _applied(engine: Engine, batch: object, n: int) -> object:
    (verdict,) = engine.apply(one_of(batch, n)).verdicts  # type: ignore[arg-type]
    return verdict
