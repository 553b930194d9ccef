"""The engine: pure, exact under any batching, quick to see a new class, and silent without one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.background import clopper_pearson_upper
from service.clustering.clusterer import BackendChanged
from service.clustering.engine import Engine
from service.clustering.kinship import Life
from service.clustering.params import Backend, EngineParams
from service.events import EventKind
from service.records import ClusterState, Float32s, VerdictKind
from service.state.packing import pack_items, unpack_entry
from tests.service.clustering.conftest import LABELS, MakeEngine, World
from tests.service.clustering.fed import feed

BACKENDS: tuple[Backend, ...] = ("firstseen", "river")


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_a_batch_equals_its_items_one_by_one(
    world: World, backend: Backend, seed: int, sizes: list[int]
) -> None:
    """Verdicts, events and state are the same to the bit, however the stream is cut."""
    n = sum(sizes)
    z = world.items(np.random.default_rng(seed), n=n, share_new=0.3)
    params = EngineParams(
        cleanup_interval=40, fading_factor=0.01, fade_after_items=30, gone_after_items=90, backend=backend
    )
    cut, single = Engine(world.known, LABELS, params), Engine(world.known, LABELS, params)
    in_batches = feed(cut, z, sizes)
    one_by_one = feed(single, z, [1] * n)

    assert [v for r in in_batches for v in r.verdicts] == [v for r in one_by_one for v in r.verdicts]
    assert [e for r in in_batches for e in r.events] == [e for r in one_by_one for e in r.events]
    assert snapshot.dump(cut) == snapshot.dump(single)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 300))
def test_replay_and_restore_are_bit_identical(world: World, backend: Backend, seed: int, cut: int) -> None:
    """Log entries through bytes, from a snapshot taken anywhere, lead to the live state."""
    z = world.items(np.random.default_rng(seed), n=300, share_new=0.3)
    params = EngineParams(cleanup_interval=40, fading_factor=0.01, backend=backend)
    live = Engine(world.known, LABELS, params)
    stored = snapshot.dump(live)
    entries: list[tuple[int, bytes]] = []
    for start in range(0, 300, 20):
        if start <= cut < start + 20:
            stored, entries = snapshot.dump(live), []
        at = range(live.seq, live.seq + 20)
        observed = live.decide(
            z[start : start + 20], tuple(f"i{n}" for n in at), np.array(at, dtype=np.float64)
        )
        entries.append((live.seq, pack_items(observed, live.apply(observed).verdicts)))
    again = snapshot.load(stored, world.known, LABELS)
    for first_seq, payload in entries:
        entry = unpack_entry(payload, first_seq=first_seq)
        assert isinstance(entry, tuple)
        clusters = [v.cluster_id or 0 for v in again.apply(entry[0]).verdicts]
        assert entry[1].tolist() == clusters

    assert snapshot.dump(live) == snapshot.dump(again)


def test_an_empty_batch_changes_nothing(make_engine: MakeEngine) -> None:
    """No items, no verdicts, the same state."""
    engine = make_engine()
    before = snapshot.digest(engine)
    feed(engine, np.empty((0, 8), dtype=np.float32))

    assert before == snapshot.digest(engine)


def test_deciding_changes_nothing(make_engine: MakeEngine, world: World) -> None:
    """The known gate only reads."""
    engine = make_engine()
    before = snapshot.digest(engine)
    engine.decide(world.items(np.random.default_rng(0), n=5), tuple("abcde"), np.zeros(5))

    assert before == snapshot.digest(engine)


def test_a_new_class_is_found_and_named_by_one_id(make_engine: MakeEngine, world: World) -> None:
    """Within 40 of its items a new class at a share of 20 % has a cluster, and its later items that id."""
    engine = make_engine()
    rng = np.random.default_rng(4)
    feed(engine, world.items(rng, n=500))
    (first,) = feed(engine, world.items(rng, n=200, share_new=0.2))
    (later,) = feed(engine, world.items(rng, n=100, share_new=1.0))
    emerged = [event for event in first.events if event.kind is EventKind.EMERGED]

    assert 1 == len(emerged)
    assert {emerged[0].cluster.id} == {
        v.cluster_id for v in later.verdicts if v.verdict is VerdictKind.CLUSTER
    }
    assert sum(v.verdict is VerdictKind.CLUSTER for v in later.verdicts) > 80
    (cluster,) = [c for c in engine.clusters() if c.emerged_seq is not None]
    assert cluster.state is ClusterState.ESTABLISHED
    assert cluster.items_to_emerge is not None
    assert cluster.items_to_emerge <= 40
    assert cluster.evidence.log10_e >= cluster.evidence.log10_threshold
    assert cluster.exemplars[-1] == later.verdicts[-1].id


def test_two_new_classes_are_two_clusters(make_engine: MakeEngine, world: World) -> None:
    """Classes that come together are told apart."""
    engine = make_engine()
    rng = np.random.default_rng(5)
    z = np.concatenate(
        [world.items(rng, n=150, share_new=1.0, new=3), world.items(rng, n=150, share_new=1.0, new=5)]
    )
    order = rng.permutation(300)
    (result,) = feed(engine, z[order])
    of_three = {
        v.cluster_id for v, row in zip(result.verdicts, order, strict=True) if v.cluster_id and row < 150
    }
    of_five = {
        v.cluster_id for v, row in zip(result.verdicts, order, strict=True) if v.cluster_id and row >= 150
    }

    assert 1 == len(of_three) == len(of_five)
    assert of_three != of_five


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_without_novelty_raises_no_alarm(make_engine: MakeEngine, world: World, seed: int) -> None:
    """20,000 items of known classes: no cluster is announced, and none is a verdict."""
    engine = make_engine()
    rng = np.random.default_rng(seed)
    for _ in range(20):
        (result,) = feed(engine, world.items(rng, n=1000))
        assert () == result.events

    assert 0 == engine.verdict_counts[VerdictKind.CLUSTER]
    assert engine.verdict_counts[VerdictKind.OUTLIER] <= 0.04 * 20_000


def test_a_class_that_stays_away_fades_and_goes_and_its_id_stays_its_own(
    make_engine: MakeEngine, world: World
) -> None:
    """Fading after the items set, gone after more; another class gets another id; the old one is still listed."""
    engine = make_engine(fade_after_items=200, gone_after_items=1000)
    rng = np.random.default_rng(6)
    feed(engine, world.items(rng, n=120, share_new=1.0))
    last = max(c.last_seq for c in engine.clusters())
    (quiet,) = feed(engine, world.items(rng, n=1200))
    (other,) = feed(engine, world.items(rng, n=120, share_new=1.0, new=6))

    assert [(EventKind.FADED, last + 200), (EventKind.GONE, last + 1000)] == [
        (e.kind, e.seq) for e in quiet.events
    ]
    ids = [e.cluster.id for e in other.events if e.kind is EventKind.EMERGED]
    assert [quiet.events[0].cluster.id] != ids
    assert ClusterState.GONE in {c.state for c in engine.clusters() if c.id == quiet.events[0].cluster.id}


def test_a_class_that_comes_back_is_revived(make_engine: MakeEngine, world: World) -> None:
    """The same id, with the same items and more."""
    engine = make_engine(fade_after_items=200, gone_after_items=10_000)
    rng = np.random.default_rng(6)
    (first,) = feed(engine, world.items(rng, n=120, share_new=1.0))
    feed(engine, world.items(rng, n=400))
    (back,) = feed(engine, world.items(rng, n=20, share_new=1.0))

    assert [EventKind.REVIVED] == [e.kind for e in back.events]
    assert {e.cluster.id for e in first.events} == {back.events[0].cluster.id}


def test_parameters_change_from_the_next_item_on(make_engine: MakeEngine, world: World) -> None:
    """A stricter rate refuses more; the change takes a place in the stream."""
    lenient, strict = make_engine(), make_engine()
    z = world.items(np.random.default_rng(8), n=1000)
    strict.configure(strict.params.with_changes(known_error_rate=0.3))
    feed(lenient, z)
    feed(strict, z)

    assert (1000, 1001) == (lenient.seq, strict.seq)
    assert strict.verdict_counts[VerdictKind.KNOWN] < lenient.verdict_counts[VerdictKind.KNOWN] < 1000


@pytest.mark.parametrize("seed", range(8))
def test_the_first_parameters_leave_nothing_of_those_before(world: World, seed: int) -> None:
    """A log begins with parameters, and what the engine was made with is not in it: one state, to the bit."""
    rng = np.random.default_rng(seed)
    first, other = other_parameters(rng, "firstseen"), other_parameters(rng, "firstseen")
    states = []
    for before in (first, other):
        engine = Engine(world.known, LABELS, before)
        engine.configure(first)
        states.append(snapshot.dump(engine))

    assert states[0] == states[1]


def test_a_candidate_may_go_while_its_item_is_learnt(make_engine: MakeEngine, world: World) -> None:
    """Other parameters end a candidate just as an item falls to one of its micro-clusters: the stream goes on."""
    engine = make_engine(
        fading_factor=0.2, cleanup_interval=8, minimum_weight=1.5, min_items_to_emerge=1_000_000
    )
    places = [world.centers[n].astype(np.float32)[None] for n in (3, 4, 5)]
    feed(engine, np.concatenate([places[0]] * 3 + [places[1]] + [places[2]] * 11))
    (idle,) = [life.id for life in engine.lives.values() if life.last_seq < 4]
    engine.configure(engine.params.with_changes(fade_after_items=5, gone_after_items=10))
    assert [3] == [engine.clusterer.items_of(idle)]

    (result,) = feed(engine, places[0])

    assert [VerdictKind.OUTLIER] == [v.verdict for v in result.verdicts]
    assert idle not in engine.lives


def test_a_cluster_may_go_as_others_join(make_engine: MakeEngine, world: World) -> None:
    """Other parameters join two clusters and end a third, whose going is settled before the item is learnt."""
    engine = make_engine(intersection_factor=0.3, min_items_to_emerge=1_000_000)
    unit = np.linalg.norm(engine.space.project(np.eye(8, dtype=np.float32)[:1] * 2.0) / 2.0)

    def along(axis: int, *steps: float) -> Float32s:
        """Items on a line from a new class's place, a step being 1.25 radii."""
        way = np.array(steps)[:, None] * np.eye(8)[axis] * 2.4 / unit
        return (world.centers[axis] + way).astype(np.float32)

    feed(engine, along(3, *[1, 0, 2] * 3, *[0.5, 1.5] * 6))  # three in a row, the oldest between the others
    feed(engine, along(5, *[0, 1] * 10, *[0.5] * 3))  # two, that share too little
    (idle,) = [life.id for life in engine.lives.values() if life.last_seq < 30]
    assert [3, 1, 1] == [len(engine.clusterer.rows_of(cluster)) for cluster in engine.lives]
    engine.configure(
        engine.params.with_changes(intersection_factor=0.1, fade_after_items=5, gone_after_items=20)
    )

    feed(engine, along(5, 0))

    (left,) = engine.lives
    assert left != idle
    assert 2 == len(engine.clusterer.rows_of(left)) == len(engine.clusterer)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_parameters_become_nothing_is_lost(world: World, backend: Backend, seed: int) -> None:
    """Random changes of parameters in mid-stream: every micro-cluster's cluster lives, every item counts once."""
    rng = np.random.default_rng(seed)
    engine = Engine(world.known, LABELS, other_parameters(rng, backend))
    for _ in range(60):
        if rng.random() < 0.3:
            engine.configure(other_parameters(rng, backend))
        a, b = world.centers[rng.integers(3, 8, 2)]
        way = rng.random((int(rng.integers(1, 12)), 1))
        feed(engine, (way * a + (1 - way) * b + rng.normal(0, 0.5, (len(way), 8))).astype(np.float32))
        if rng.random() < 0.2:
            engine = snapshot.load(snapshot.dump(engine), world.known, LABELS)
        db = engine.clusterer
        refused = sum(engine.verdict_counts.values()) - engine.verdict_counts[VerdictKind.KNOWN]

        assert sum(len(db.rows_of(cluster)) for cluster in [0, *engine.lives]) == len(db)
        assert sum(cluster.items for cluster in engine.clusters()) <= refused
        assert len(db) <= engine.params.max_micro_clusters


def other_parameters(rng: np.random.Generator, backend: Backend) -> EngineParams:
    fade_after = int(rng.integers(2, 40))
    return EngineParams(
        clustering_threshold=float(rng.choice([0.7, 1.2, 1.9])),
        fading_factor=float(rng.choice([0.001, 0.05, 0.2])),
        cleanup_interval=float(rng.choice([2, 8, 32])),
        intersection_factor=float(rng.choice([0.05, 0.1, 0.3])),
        minimum_weight=float(rng.choice([1, 2, 4])),
        max_micro_clusters=int(rng.choice([3, 10, 1000])),
        min_items_to_emerge=int(rng.choice([1, 8, 1_000_000])),
        false_alarm_rate=float(rng.choice([0.01, 0.5])),
        fade_after_items=fade_after,
        gone_after_items=fade_after + int(rng.integers(1, 60)),
        backend=backend,
    )


def test_every_item_is_counted_once(make_engine: MakeEngine, world: World) -> None:
    """Verdict counts sum to the items; known counts to the known verdicts."""
    engine = make_engine()
    feed(engine, world.items(np.random.default_rng(9), n=777, share_new=0.1))

    assert 777 == sum(engine.verdict_counts.values())
    assert int(engine.known_counts.sum()) == engine.verdict_counts[VerdictKind.KNOWN]


def test_memory_is_bounded_under_noise(make_engine: MakeEngine) -> None:
    """Uniform noise in eight dimensions, ten times the cap: micro-clusters and candidates stay within it."""
    engine = make_engine(max_micro_clusters=50)
    z = np.random.default_rng(10).uniform(-30, 30, (500, 8)).astype(np.float32)
    feed(engine, z)

    assert len(engine.clusterer) <= 50
    assert len(engine.lives) <= 50


def test_bad_embeddings_are_a_bug_and_change_nothing(make_engine: MakeEngine) -> None:
    """NaN or a wrong width never reaches the state."""
    engine = make_engine()
    before = snapshot.digest(engine)
    with pytest.raises(AssertionError):
        feed(engine, np.full((1, 8), np.nan, dtype=np.float32))
    with pytest.raises(AssertionError):
        feed(engine, np.zeros((1, 7), dtype=np.float32))

    assert before == snapshot.digest(engine)


def test_clusters_that_grow_together_merge_and_when_the_bridge_fades_they_split(
    make_engine: MakeEngine, world: World
) -> None:
    """The lighter id ends and redirects; items are kept; a part that comes off gets a new id and its parent's."""
    engine = make_engine(fading_factor=0.01, cleanup_interval=20, intersection_factor=0.1, minimum_weight=2.0)
    rng = np.random.default_rng(11)
    left, right = (
        (lambda n: world.items(rng, n=n, share_new=1.0, new=3)),
        (lambda n: world.items(rng, n=n, share_new=1.0, new=5)),
    )
    for _ in range(10):
        feed(engine, left(12))
        feed(engine, right(8))
    ids = {c.id for c in engine.clusters() if c.emerged_seq is not None}
    assert 2 == len(ids)

    events = []
    while EventKind.MERGED not in {e.kind for e in events} and engine.seq < 5000:
        way = rng.random((8, 1))
        bridge = way * world.centers[3] + (1 - way) * world.centers[5] + rng.normal(0, 0.1, (8, 8))
        for z in (left(6), right(4), bridge.astype(np.float32)):
            (result,) = feed(engine, z)
            events += result.events
    (merged,) = [e for e in events if e.kind is EventKind.MERGED]
    by_id = {c.id: c for c in engine.clusters()}
    assert ids == {merged.cluster.id, merged.other_id}
    assert ClusterState.GONE is by_id[merged.cluster.id].state
    assert merged.other_id == by_id[merged.cluster.id].merged_into
    assert 0 == by_id[merged.cluster.id].items
    refused = engine.verdict_counts[VerdictKind.OUTLIER] + engine.verdict_counts[VerdictKind.CLUSTER]
    assert sum(c.items for c in by_id.values()) <= refused

    events = []
    while EventKind.SPLIT not in {e.kind for e in events} and engine.seq < 10_000:
        for z in (left(6), right(4)):
            (result,) = feed(engine, z)
            events += result.events
    (split,) = [e for e in events if e.kind is EventKind.SPLIT]
    assert split.cluster.id not in ids
    assert merged.other_id == split.other_id == split.cluster.parent_id
    (result,) = feed(engine, left(40))
    (other,) = feed(engine, right(40))
    assert {merged.other_id, split.cluster.id} == {
        v.cluster_id for r in (result, other) for v in r.verdicts if v.cluster_id
    }


@pytest.mark.parametrize("seed", [54, *range(12)])
def test_lineage_never_runs_in_circles(make_engine: MakeEngine, seed: int) -> None:
    """Whatever splits, merges and ends, parents form no cycle and no live cluster descends from a merged one."""
    engine = make_engine(
        fading_factor=0.05,
        cleanup_interval=32,
        intersection_factor=0.1,
        minimum_weight=2.0,
        min_items_to_emerge=8 if seed % 2 else 100_000,
    )
    rng = np.random.default_rng(seed)
    places = rng.normal(0, 4, (6, 8)) + 8.0
    for _ in range(60):
        a, b = places[rng.integers(0, 6, 2)]
        way = rng.random((12, 1))
        feed(engine, (way * a + (1 - way) * b + rng.normal(0, 0.4, (12, 8))).astype(np.float32))
        lives = engine.lives
        for life in lives.values():
            seen, above = {life.id}, life.parent_id
            while above is not None:
                assert above not in seen
                assert lives[above].merged_into is None
                seen.add(above)
                above = lives[above].parent_id


def test_what_splits_off_is_answered_with_its_parents_heir(make_engine: MakeEngine) -> None:
    """A candidate whose announced parent was merged gives its items the cluster that took the parent in."""
    engine = make_engine()
    for cluster in (1, 2, 3):
        engine.lives[cluster] = Life(
            id=cluster, ordinal=cluster, born_seq=0, first_t=0.0, last_seq=0, last_t=0.0
        )
    engine.lives[1].state = engine.lives[3].state = ClusterState.ESTABLISHED
    engine.lives[1].emerged_seq = engine.lives[3].emerged_seq = 0
    engine.lives[2].parent_id = 1
    assert 1 == engine.announced(2)

    engine.merge(engine.lives[1], engine.lives[3], 0.0, [])

    assert 3 == engine.announced(2)


def test_a_newborns_exemplar_is_its_own_item(make_engine: MakeEngine, world: World) -> None:
    """An item that only set off the regrouping is no exemplar of what came out of it."""
    engine = make_engine(fading_factor=0.05, cleanup_interval=16, minimum_weight=2.0, intersection_factor=0.1)
    rng = np.random.default_rng(2)
    z = world.items(rng, n=400, share_new=1.0) + rng.normal(0, 0.6, (400, 8)).astype(np.float32)
    own, others = 0, 0
    for n, row in enumerate(z):
        before = set(engine.lives)
        feed(engine, row[None])
        went_to = int(engine._learnt[2, 0])
        for cluster in set(engine.lives) - before:
            is_own = engine.clusterer.cluster_of(went_to) == cluster
            own, others = own + is_own, others + (not is_own)

            assert ([f"i{n}"] if is_own else []) == engine.lives[cluster].exemplars
    assert own
    assert others


# River as the backend


def test_a_stream_keeps_its_backend(make_engine: MakeEngine, world: World) -> None:
    """Another one is refused, and nothing is changed."""
    engine = make_engine(backend="river")
    engine.configure(engine.params)
    feed(engine, world.items(np.random.default_rng(0), n=50, share_new=0.5))
    before = snapshot.digest(engine)

    with pytest.raises(BackendChanged, match=r"'river'.*'firstseen' cannot go on"):
        engine.configure(engine.params.with_changes(backend="firstseen"))
    assert before == snapshot.digest(engine)


def test_the_first_entry_of_a_stream_chooses_its_backend(make_engine: MakeEngine, world: World) -> None:
    """A replay begins with the settings of today, and takes those the stream began with."""
    chosen, given = make_engine(backend="river"), make_engine()
    z = world.items(np.random.default_rng(0), n=50, share_new=0.5)
    for engine in (chosen, given):
        engine.configure(chosen.params)
        feed(engine, z)

    assert snapshot.dump(chosen) == snapshot.dump(given)


def test_river_leaves_no_item_out(make_engine: MakeEngine, world: World) -> None:
    """Once a cluster is announced it gets what lies anywhere; our own answers that with outlier."""
    rng = np.random.default_rng(4)
    known, new = world.items(rng, n=100), world.items(rng, n=60, share_new=1.0)
    far = np.full((1, 8), 50.0, dtype=np.float32)
    kinds = []
    for backend in BACKENDS:
        engine = make_engine(backend=backend)
        feed(engine, known)
        feed(engine, new)
        (result,) = feed(engine, far)
        kinds.append(result.verdicts[0].verdict)

    assert [VerdictKind.OUTLIER, VerdictKind.CLUSTER] == kinds


def test_with_river_a_cluster_is_held_to_all_that_the_gate_refuses(
    make_engine: MakeEngine, world: World
) -> None:
    """Any refused item may be given to any of its clusters, so nothing less bounds the rate of known items there."""
    engine = make_engine(backend="river")
    held_out = world.known.calibration_p
    refused = held_out.max(axis=1) <= engine.params.known_error_rate
    rng = np.random.default_rng(0)
    (quiet,) = feed(engine, world.items(rng, n=3000))
    assert () == quiet.events
    p0s = {cluster.evidence.p0 for cluster in engine.clusters()}
    assert round(clopper_pearson_upper(int(refused.sum()), len(held_out)), 9) == min(p0s)
    (loud,) = feed(engine, world.items(rng, n=400, share_new=0.2))

    assert EventKind.EMERGED in {event.kind for event in loud.events}
