"""The engine with a stream gate: fits are steps of the stream, and what they claim and join stays in order."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.blob import SnapshotUnreadable, pack, unpack
from service.clustering.engine import Engine, StepResult
from service.clustering.stream_gate import Misfit, StreamFit, constants
from service.events import EventKind
from service.pipeline.recovery import replay_entry
from service.records import ANNOUNCED, NO_CLUSTER, ClusterState, Float32s, VerdictKind
from service.state.packing import unpack_entry
from tests.service.clustering.overlapping import (
    APART,
    EVEN,
    FAR,
    HIDDEN,
    LABELS,
    RATE,
    SHIFTED,
    D,
    Driven,
    K,
    engine,
    overlapping,
)

F = D
"""As many features as the embedding has dimensions."""


def stream(
    seed: int, n: int, new: int = HIDDEN, at: float = 0.0, shares: tuple[float, ...] = EVEN
) -> Float32s:
    return overlapping().stream(np.random.default_rng(seed), n, shares=shares, new=new, at=at)[0]


def both(seed: int, n: int) -> Float32s:
    """Known items, and two new classes that are no class's neighbours."""
    rng = np.random.default_rng(seed)
    which = np.where(rng.random(n) < 0.1, APART, np.where(rng.random(n) < 0.1, FAR, rng.integers(0, K, n)))
    return overlapping().items(rng, which)


def fit(**changes: Any) -> StreamFit:
    """A fit that finds nothing anywhere."""
    nothing = StreamFit(
        weights=np.zeros(F + 1, np.float32),
        shares=np.full(K, 1 / K, np.float32),
        members=np.empty((0, 2 * (F + 1)), np.float32),
        clusters=np.empty(0, np.int64),
        joins=np.empty((0, 2), np.int64),
        partings=np.empty((0, 2), np.int64),
    )
    return replace(nothing, **changes)


def membership(center: Float32s, driven: Driven, *, reach: float = 12.0) -> Float32s:
    """One that claims all within reach of a place, given as an embedding."""
    z = driven.engine.stream.features(center[None].astype(np.float32))[0]
    return np.concatenate([np.zeros(F), [9.0], z, [reach]]).astype(np.float32)


def place(new: int) -> Float32s:
    return overlapping().centers[new].astype(np.float32)


def joined(young: int, old: int) -> StreamFit:
    return fit(joins=np.array([[young, old]]))


def announced(engine: Engine) -> list[int]:
    return [cluster.id for cluster in engine.clusters() if cluster.state in ANNOUNCED]


def events_of(results: list[StepResult]) -> list[tuple[EventKind, int]]:
    return [(event.kind, event.cluster.id) for result in results for event in result.events]


def with_two_clusters() -> tuple[Driven, int, int]:
    """Two announced clusters, the older first; no fit has been made."""
    driven = Driven(engine())
    rng = np.random.default_rng(0)
    for new in (APART, FAR):
        which = np.where(rng.random(150) < 0.5, new, rng.integers(0, K, 150))
        driven.feed(overlapping().items(rng, which))
    old, young = announced(driven.engine)
    return driven, old, young


# To the bit


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 90), min_size=1, max_size=8))
def test_a_batch_equals_its_items_one_by_one(seed: int, sizes: list[int]) -> None:
    """Between two fits, however the stream is cut; claims and memberships of clusters that come and go included."""
    one, other = (Driven(engine(fade_after_items=60, gone_after_items=150)) for _ in range(2))
    ready = stream(seed, 900, APART, 0.15)
    for driven in (one, other):
        driven.feed(ready)
    z = np.concatenate([stream(seed + 1, sum(sizes)), both(seed + 2, 200)])
    assert one.fits
    start = 0
    for size in [*sizes, 200]:
        one.step(z[start : start + size])
        start += size
    for row in z:
        other.step(row[None])

    assert [v for r in one.results for v in r.verdicts] == [v for r in other.results for v in r.verdicts]
    assert events_of(one.results) == events_of(other.results)
    assert snapshot.dump(one.engine) == snapshot.dump(other.engine)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.floats(0, 1), lag=st.integers(0, 3))
def test_replay_and_restore_are_bit_identical(seed: int, cut: float, lag: int) -> None:
    """From a snapshot taken anywhere, also while a fit is made, log entries with their fits lead to the live state."""
    driven = Driven(engine(), lag=lag)
    stored, behind = snapshot.dump(driven.engine), 0
    parts = [both(seed, 700), stream(seed + 1, 500, HIDDEN, 0.2), stream(seed + 2, 500, shares=SHIFTED)]
    batches = np.split(np.concatenate(parts), range(50, 1700, 50))
    for n, z in enumerate(batches):
        driven.feed(z)
        if n == int(cut * (len(batches) - 1)):
            stored, behind = snapshot.dump(driven.engine), len(driven.log)
    again = snapshot.load(stored, overlapping().known, LABELS)
    for first_seq, payload in driven.log[behind:]:
        assert first_seq == again.seq
        replay_entry(again, unpack_entry(payload, first_seq=first_seq))

    assert driven.fits
    assert snapshot.dump(driven.engine) == snapshot.dump(again)


def test_a_restored_engine_is_due_when_it_would_have_been() -> None:
    """A fit that was under way when the snapshot was taken is made again."""
    driven = Driven(engine(), lag=99)
    driven.feed(stream(0, constants.FEWEST_ITEMS + 20))
    again = snapshot.load(snapshot.dump(driven.engine), overlapping().known, LABELS)

    assert again.is_fit_due
    one, other = (e.stream.solve(e.fit_job()) for e in (driven.engine, again))
    np.testing.assert_array_equal(one.weights, other.weights)


# What is found


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_without_novelty_raises_no_alarm(seed: int) -> None:
    """9,000 items whose shares change twice, classes that stay away included: no cluster is announced."""
    driven = Driven(engine())
    rng = np.random.default_rng(seed)
    for shares in (EVEN, SHIFTED, (0.0, 0.0, 0.5, 0.5)):
        driven.feed(overlapping().stream(rng, 3000, shares=shares)[0])

    assert [] == events_of(driven.results)
    assert 80 < len(driven.fits)
    assert driven.engine.verdict_counts[VerdictKind.OUTLIER] <= 0.03 * 9000


@pytest.mark.parametrize("shares", [EVEN, SHIFTED])
def test_a_hidden_class_is_found_that_the_known_gate_lets_pass(shares: tuple[float, ...]) -> None:
    """Most of its items look known one by one; with the stream gate its one cluster gets most of them."""
    got = []
    for is_on in (True, False):
        driven = Driven(engine(gates="both" if is_on else "items", feeding_rate=RATE))
        driven.feed(stream(1, 1500, shares=shares))
        driven.feed(stream(2, 3000, HIDDEN, 0.2, shares=shares))
        assert 1 == len(announced(driven.engine))
        result = driven.step(overlapping().items(np.random.default_rng(3), np.full(500, HIDDEN)))
        got.append(np.mean([v.verdict is VerdictKind.CLUSTER for v in result.verdicts]))

    assert got[0] > 0.5
    assert got[1] < 0.2


def test_a_verdict_is_never_of_a_cluster_that_people_do_not_know() -> None:
    """Clusters fade and go all the time, between fits; no verdict names one that was not announced, or has ended."""
    driven = Driven(engine(fade_after_items=40, gone_after_items=80), lag=1)
    told: set[int] = set()
    ended: dict[int, int] = {}
    rng = np.random.default_rng(0)
    for turn in range(40):
        new = (APART, FAR, HIDDEN)[turn % 3]
        z = overlapping().stream(rng, 100, new=new, at=0.4 if turn % 2 else 0.0)[0]
        for result in driven.feed(z, batch=10):
            for event in result.events:
                told.add(event.cluster.id)
                if event.kind in (EventKind.GONE, EventKind.MERGED):
                    ended[event.cluster.id] = event.seq
            for v in result.verdicts:
                if v.cluster_id is not None:
                    assert v.cluster_id in told
                    assert v.seq <= ended.get(v.cluster_id, v.seq)

    assert ended
    assert {*driven.engine.stream.memberships.clusters.tolist()} <= {*announced(driven.engine), *ended}


# Claims


def test_a_claim_makes_an_item_the_clusters() -> None:
    """Though it lies in no ball: it is the cluster's latest item and exemplar; its candidate gets no evidence."""
    driven, old, _ = with_two_clusters()
    lonely = np.full((1, D), -4.0, dtype=np.float32)
    driven.use(fit(members=membership(lonely[0], driven)[None], clusters=np.array([old])))
    results = driven.feed(np.repeat(lonely, 12, axis=0), batch=1)

    assert [old] * 12 == [v.cluster_id for r in results for v in r.verdicts]
    (cluster,) = [c for c in driven.engine.clusters() if c.id == old]
    assert results[-1].verdicts[0].id == cluster.exemplars[-1]
    assert results[-1].verdicts[0].seq == cluster.last_seq
    candidates = [c for c in driven.engine.clusters() if c.state is ClusterState.CANDIDATE]
    assert candidates
    assert [0] * len(candidates) == [c.evidence.hits for c in candidates]


def test_a_cluster_that_gets_items_by_claims_alone_does_not_fade() -> None:
    """And one that has faded is back with the first of them."""
    driven, old, _ = with_two_clusters()
    lonely = np.full((1, D), -4.0, dtype=np.float32)
    driven.engine.configure(driven.engine.params.with_changes(fade_after_items=50, gone_after_items=10_000))
    quiet = driven.feed(stream(5, 60))
    driven.use(fit(members=membership(lonely[0], driven)[None], clusters=np.array([old])))
    back = driven.feed(lonely)
    z = np.concatenate([np.concatenate([stream(n, 20), lonely]) for n in range(10)])
    later = driven.feed(z, batch=7, makes_fits=False)

    assert (EventKind.FADED, old) in events_of(quiet)
    assert [(EventKind.REVIVED, old)] == events_of(back)
    assert old not in [id for kind, id in events_of(later) if kind is EventKind.FADED]


@pytest.mark.parametrize("how", ["merged", "gone"])
def test_a_claim_for_a_cluster_that_ended_between_fits(how: str) -> None:
    """Is one for its heir, or for none; then items of a candidate are evidence again."""
    driven, old, young = with_two_clusters()
    lonely = np.full((1, D), -4.0, dtype=np.float32)
    driven.use(fit(members=membership(lonely[0], driven)[None], clusters=np.array([young])))
    lives = driven.engine.lives
    if how == "merged":
        driven.engine.clusterer.adopt(young, old)
        driven.engine.merge(lives[young], lives[old], 0.0, [])
    else:
        lives[young].state = ClusterState.GONE
        driven.engine.clusterer.drop(young)
    results = driven.feed(np.repeat(lonely, 12, axis=0))
    said = {v.cluster_id for r in results for v in r.verdicts}

    assert ({old} if how == "merged" else {None}) == said - ({max(lives)} if how == "gone" else set())
    candidates = [c for c in driven.engine.clusters() if c.id > young]
    assert candidates
    assert (how == "gone") == any(c.evidence.hits for c in candidates)
    driven.use(fit())
    assert ([old] if how == "merged" else []) == driven.engine.stream.memberships.clusters.tolist()


# Joins


def test_joined_clusters_are_one_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older takes the younger in: items, latest moment, exemplars; and stays one though no ball connects it."""
    monkeypatch.setattr(constants, "VALLEY", -1.0)  # the two are two classes, and would be parted again
    driven, old, young = with_two_clusters()
    before = {c.id: c for c in driven.engine.clusters()}
    result = driven.use(joined(young, old))
    (merged,) = result.events
    after = {c.id: c for c in driven.engine.clusters()}

    assert (EventKind.MERGED, young, old) == (merged.kind, merged.cluster.id, merged.other_id)
    assert before[young].last_t == merged.t
    assert before[old].items + before[young].items == after[old].items
    assert (0, old, ClusterState.GONE) == (after[young].items, after[young].merged_into, after[young].state)
    assert before[young].last_seq == after[old].last_seq
    assert before[young].exemplars[-1] == after[old].exemplars[-1]
    assert (before[old].born_seq, before[old].first_t) == (after[old].born_seq, after[old].first_t)
    rng = np.random.default_rng(1)
    results = driven.feed(overlapping().items(rng, np.repeat([APART, FAR], 60)))
    assert {old} == {v.cluster_id for r in results for v in r.verdicts if v.cluster_id}
    assert not {EventKind.SPLIT, EventKind.MERGED} & {kind for kind, _ in events_of(results)}
    again = snapshot.load(snapshot.dump(driven.engine), overlapping().known, LABELS)
    assert again.lives[old].is_united
    assert after[old].items < again.clusters()[0].items


def test_a_united_cluster_goes_on_through_parameters_and_other_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A regrouping of everything leaves it one; joined to another, the heir is united."""
    monkeypatch.setattr(constants, "VALLEY", -1.0)  # the two are two classes, and would be parted again
    driven, old, young = with_two_clusters()
    driven.use(joined(young, old))
    rng = np.random.default_rng(1)
    where = overlapping().centers[APART] + overlapping().centers[FAR]
    driven.feed((where + rng.normal(0, 1, (80, D))).astype(np.float32))
    third = announced(driven.engine)[-1]
    driven.engine.configure(driven.engine.params.with_changes(intersection_factor=0.4))
    driven.feed(overlapping().items(rng, np.repeat([APART, FAR], 30)))

    assert third not in (old, young)
    assert [old, third] == announced(driven.engine)
    driven.use(joined(third, old))
    results = driven.feed(overlapping().items(rng, np.repeat([APART, FAR], 30)))
    assert [old] == announced(driven.engine)
    assert {old} == {v.cluster_id for r in results for v in r.verdicts if v.cluster_id}


@pytest.mark.parametrize("pair", ["itself", "gone", "never was", "candidate"])
def test_what_has_changed_since_a_fit_was_begun_is_not_joined(pair: str) -> None:
    """Nothing happens, and nothing is lost."""
    driven, old, young = with_two_clusters()
    driven.feed(np.repeat(np.full((1, D), -4.0, np.float32), 6, axis=0))
    candidate = max(driven.engine.lives)
    assert driven.engine.lives[candidate].state is ClusterState.CANDIDATE
    if pair == "gone":
        driven.use(joined(young, old))
    other = {"itself": old, "gone": young, "never was": 77, "candidate": candidate}[pair]
    before = {c.id: (c.state, c.items, c.micro_clusters) for c in driven.engine.clusters()}
    result = driven.use(joined(other, old))

    assert () == result.events
    assert before == {c.id: (c.state, c.items, c.micro_clusters) for c in driven.engine.clusters()}


def test_a_fit_older_than_a_merge_claims_for_the_heir() -> None:
    """Its membership of the one that ended is the heir's, where that has none."""
    driven, old, young = with_two_clusters()
    late = fit(members=np.stack([membership(place(FAR), driven)]), clusters=np.array([young]))
    driven.use(joined(young, old))
    driven.use(late)

    assert [old] == driven.engine.stream.memberships.clusters.tolist()


# On and off


def test_switched_off_it_forgets_and_switched_on_it_begins_anew() -> None:
    """Meanwhile the known gate decides alone; nothing of a stream long past is decided by afterwards."""
    driven = Driven(engine(feeding_rate=RATE))
    driven.feed(stream(0, 900, HIDDEN, 0.2))
    driven.engine.configure(driven.engine.params.with_changes(gates="items"))
    z = stream(1, 600)
    off, plain = driven.feed(z), Driven(engine(gates="items", feeding_rate=RATE)).feed(z)

    assert [v.novelty for r in off for v in r.verdicts] == [v.novelty for r in plain for v in r.verdicts]
    assert not driven.engine.is_fit_due
    fits = len(driven.fits)
    again = snapshot.load(snapshot.dump(driven.engine), overlapping().known, LABELS)
    assert snapshot.dump(driven.engine) == snapshot.dump(again)
    driven.engine.configure(driven.engine.params.with_changes(gates="both"))
    driven.feed(stream(2, constants.FEWEST_ITEMS - 10))
    assert fits == len(driven.fits)
    driven.feed(stream(3, 50))
    assert fits + 1 == len(driven.fits)


def test_another_rate_holds_from_the_next_item_on() -> None:
    """Also for what the latest fit says."""
    driven = Driven(engine())
    driven.feed(stream(0, 900, HIDDEN, 0.2))
    z = stream(1, 2000)
    refused = []
    for rate in (0.02, 0.1):
        driven.engine.configure(driven.engine.params.with_changes(known_error_rate=rate))
        refused.append(
            float((~driven.engine.decide(z, tuple(map(str, range(2000))), np.zeros(2000)).accepted).mean())
        )

    assert refused[0] < 0.035
    assert 0.07 < refused[1] < 0.13


def test_features_are_kept_where_there_is_a_stream_gate() -> None:
    """Of every item, or of none: width 0."""
    few = Engine(overlapping(held_out=400).known, LABELS, engine().params)
    widths = [
        e.decide(stream(0, 3), ("a", "b", "c"), np.zeros(3)).features.shape
        for e in (engine(), engine(gates="items"), few)
    ]

    assert [(3, F), (3, 0), (3, 0)] == widths
    assert not few.is_fit_due


@pytest.mark.parametrize("is_on", [True, False])
def test_entries_of_another_stream_gate_are_refused(*, is_on: bool) -> None:
    """Items and fits of another width, or where there is none; nothing is changed by them."""
    one = engine(gates="both" if is_on else "items")
    observed = one.decide(stream(0, 3), ("a", "b", "c"), np.zeros(3))
    before = snapshot.digest(one)
    for width in {0, 1, F - 1, F} - {F if is_on else 0}:
        with pytest.raises(Misfit, match="features of shape"):
            one.apply(replace(observed, features=np.zeros((3, width), np.float16)))
    bad = fit(weights=np.zeros(F, np.float32), joins=np.array([[2, 1]])) if is_on else fit()
    with pytest.raises(Misfit, match="weights of shape" if is_on else "no stream gate"):
        one.refit(bad)

    assert before == snapshot.digest(one)


def test_with_river_fits_go_on_and_nothing_is_claimed_or_joined() -> None:
    """Its clusters are what they are; the stream gate decides what reaches them, and replay is exact."""
    driven = Driven(engine(backend="river"))
    driven.feed(np.concatenate([stream(0, 500), both(1, 700)]))
    again = engine(backend="river")
    for first_seq, payload in driven.log:
        replay_entry(again, unpack_entry(payload, first_seq=first_seq))

    assert len(driven.fits) > 5
    assert announced(driven.engine)
    assert all(len(f.clusters) == len(f.joins) == 0 for f in driven.fits)
    assert snapshot.dump(driven.engine) == snapshot.dump(again)


# Stored


def test_a_window_where_the_stream_gate_is_off_is_refused() -> None:
    """The checksum is right; the parameters say that nothing was kept."""
    driven = Driven(engine())
    driven.feed(stream(0, 30))
    arrays, ledger = unpack(snapshot.dump(driven.engine), snapshot.MAGIC, snapshot.VERSION, snapshot._Ledger)
    object.__setattr__(ledger.params, "gates", "items")
    with pytest.raises(SnapshotUnreadable, match="where the stream gate is off"):
        snapshot.load(pack(snapshot.MAGIC, snapshot.VERSION, arrays, ledger), overlapping().known, LABELS)


def test_starts_are_few_and_end_with_the_candidate() -> None:
    """A candidate that waits long has a handful of them, in the snapshot too; an announced cluster needs none."""
    driven = Driven(engine(min_items_to_emerge=1_000_000, gone_after_items=10**9, fade_after_items=10**8))
    spot = np.full((1, D), -4.0, dtype=np.float32)
    for n in range(30):
        driven.feed(np.concatenate([np.repeat(spot, 3, axis=0), stream(n, 97)]))
    lives = driven.engine.lives.values()
    assert any(len(life.starts) > 3 for life in lives)
    assert all(len(life.starts) <= 8 for life in lives)
    blob = snapshot.dump(driven.engine)
    assert blob == snapshot.dump(snapshot.load(blob, overlapping().known, LABELS))

    driven.engine.configure(driven.engine.params.with_changes(min_items_to_emerge=1))
    driven.feed(spot)
    told = [life for life in driven.engine.lives.values() if life.state in ANNOUNCED]
    assert told
    assert all(life.starts == [] for life in told)


def test_no_cluster_is_claimed_by_what_is_known() -> None:
    """An accepted item has no claim, whatever a membership says."""
    driven, old, _ = with_two_clusters()
    driven.use(fit(members=membership(place(0), driven, reach=1e4)[None], clusters=np.array([old])))
    z = stream(9, 500)
    one = driven.engine
    judged = one.stream.judge(one.gate.decide(z).p, one.stream.features(z))
    assert (judged.clusters[judged.p > RATE] != NO_CLUSTER).any(), "the membership claims known items"
    observed = driven.engine.decide(z, tuple(map(str, range(500))), np.zeros(500))

    assert (observed.claimed[observed.accepted] == NO_CLUSTER).all()
