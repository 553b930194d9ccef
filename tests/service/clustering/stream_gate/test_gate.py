"""The stream gate keeps the operator's rate, finds what hides, and is due when it is due."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from service.clustering.known import KnownGate
from service.clustering.stream_gate import Judged, StreamFit, StreamGate, constants, cores
from service.records import NO_CLUSTER, Float16s, Float32s
from tests.service.clustering.overlapping import EVEN, HIDDEN, RATE, SHIFTED, Driven, engine, overlapping


def fresh() -> StreamGate:
    return StreamGate(overlapping().known, RATE)


def fed(gate: StreamGate, z: Float32s, birth: int = 0) -> None:
    """As the engine would, every item to one micro-cluster, or to none."""
    said = KnownGate(overlapping().known).decide(z)
    gate.observe(gate.features(z), cores(said.nearest, said.p), np.full(len(z), birth))


def fitted(gate: StreamGate, clusters: dict[int, int] | None = None) -> StreamFit:
    fit = gate.solve(gate.job(clusters or {}))
    gate.use(fit)
    return fit


def judged(gate: StreamGate, z: Float32s) -> Judged:
    return gate.judge(KnownGate(overlapping().known).decide(z).p, gate.features(z))


# The rate


def test_before_the_first_fit_it_ranks_what_the_known_gate_says() -> None:
    """Among the held-out items that no fit sees, by counting; and nothing is claimed."""
    z, _ = overlapping().stream(np.random.default_rng(0), 100, at=0.3)
    said = judged(fresh(), z)

    known = overlapping().known
    p = KnownGate(known).decide(z).p
    held_out = known.calibration_p.max(axis=1)[fresh().judged].astype(np.float64)
    expected = (1 + (held_out[None, :] <= p[:, None]).sum(axis=1)) / (len(held_out) + 1)
    np.testing.assert_allclose(expected, said.p, rtol=1e-12)
    assert not said.clusters.any()


@pytest.mark.parametrize("at", [0.0, 0.2])
@pytest.mark.parametrize("shares", [EVEN, SHIFTED, (0.0, 0.0, 0.5, 0.5)])
def test_of_fresh_known_items_no_more_are_refused_than_the_operator_allows(
    shares: tuple[float, ...], at: float
) -> None:
    """Under any shares, with a new class in the stream that has a cluster or without."""
    world = overlapping()
    driven = Driven(engine())
    driven.feed(world.stream(np.random.default_rng(11), 3000, shares=shares, at=at)[0])
    z, _ = world.stream(np.random.default_rng(12), 4000, shares=shares)
    observed = driven.engine.decide(z, tuple(map(str, range(4000))), np.zeros(4000))
    # The threshold is that of 1,500 held-out items, of which a class of SHIFTED may have the weight of a few hundred.
    allowed = RATE + 3 * np.sqrt(RATE * (1 - RATE) / 400)

    assert len(driven.engine.stream.memberships) or not at
    assert binom.sf(int((~observed.accepted).sum()) - 1, 4000, allowed) > 1e-3


@pytest.mark.parametrize("rate", [0.005, 0.02, 0.1])
def test_of_the_held_out_items_no_more_are_refused_than_the_rate(rate: float) -> None:
    """By weight; before a fit, after it, and at another rate."""
    gate = fresh()
    rng = np.random.default_rng(0)
    fed(gate, overlapping().stream(rng, 1000, shares=SHIFTED)[0])
    fed(gate, overlapping().items(rng, np.full(100, HIDDEN)), birth=7)
    fit = fitted(gate, {7: 3})
    gate.retune(rate)
    labels = overlapping().known.calibration_labels[gate.judged]
    weight = fit.shares[labels] / np.bincount(labels)[labels]

    assert [3] == gate.memberships.clusters.tolist()
    assert 0.3 * rate < weight[gate.held_out_p <= rate].sum() / weight.sum() <= rate


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.0003, 1.0), min_size=1, max_size=20),
    st.lists(st.floats(-60_000, 60_000, width=16), min_size=16, max_size=16),
    st.integers(0, 1),
)
def test_p_values_are_p_values(p: list[float], row: list[float], other: int) -> None:
    """Above 0 and at most 1, for any features; and never larger for an item that the known gate finds stranger."""
    gate = _gates[other]
    ordered = np.sort(np.array(p))
    said = gate.judge(ordered, np.tile(np.array(row, dtype=np.float16), (len(p), 1)))

    assert ((said.p > 0) & (said.p <= 1)).all()
    assert (np.diff(said.p) >= 0).all()
    assert set(said.clusters.tolist()) <= {NO_CLUSTER, 3}


def _made(*, has_cluster: bool) -> StreamGate:
    gate = fresh()
    rng = np.random.default_rng(0)
    fed(gate, overlapping().stream(rng, 1000)[0])
    fed(gate, overlapping().items(rng, np.full(100, HIDDEN)), birth=7)
    fitted(gate, {7: 3} if has_cluster else {})
    return gate


_gates = (_made(has_cluster=False), _made(has_cluster=True))


def test_bits_do_not_depend_on_the_batch() -> None:
    """One by one, or all at once."""
    z, _ = overlapping().stream(np.random.default_rng(3), 60, at=0.3)
    whole = judged(_gates[1], z)
    single = [judged(_gates[1], row[None]) for row in z]

    np.testing.assert_array_equal(whole.p, np.concatenate([one.p for one in single]))
    np.testing.assert_array_equal(whole.clusters, np.concatenate([one.clusters for one in single]))
    assert 0 == len(judged(_gates[1], z[:0]).p)


# What hides


def test_a_hidden_class_is_refused_though_its_items_look_known() -> None:
    """The known gate refuses one in eight, and after a fit more than half are; most known ones beside it are not."""
    gate = fresh()
    world = overlapping()
    fed(gate, world.stream(np.random.default_rng(1), 2000, new=HIDDEN, at=0.15)[0])
    fitted(gate)
    rng = np.random.default_rng(2)
    hidden, beside = (world.items(rng, np.full(1000, which)) for which in (HIDDEN, 0))
    alone = KnownGate(world.known).decide(hidden).p

    assert (alone <= RATE).mean() < 0.2
    assert (judged(gate, hidden).p <= RATE).mean() > 2 * (alone <= RATE).mean()
    assert (judged(gate, beside).p <= RATE).mean() < 0.1


def test_a_stream_without_a_case_makes_none() -> None:
    """Where nothing is new, what the fit finds largest is no reason to refuse an item."""
    gate = fresh()
    fed(gate, overlapping().stream(np.random.default_rng(1), 2000)[0])
    fitted(gate)
    z, _ = overlapping().stream(np.random.default_rng(2), 2000)
    alone = KnownGate(overlapping().known).decide(z).p
    said = judged(gate, z)

    assert ((said.p <= RATE) & (alone > 2 * RATE)).mean() < 0.002


def test_a_cluster_claims_its_items_and_not_those_of_known_classes() -> None:
    """Claims are for the id that the cluster has."""
    gate = _gates[1]
    rng = np.random.default_rng(4)
    mine, theirs = (overlapping().items(rng, np.full(500, which)) for which in (HIDDEN, 2))

    assert (judged(gate, mine).clusters == 3).mean() > 0.4
    assert (judged(gate, theirs).clusters == NO_CLUSTER).mean() > 0.99


def test_an_item_is_never_scored_by_a_fit_that_saw_it() -> None:
    """No held-out item that is judged by is one of those that fits compare with."""
    gate = fresh()
    fed(gate, overlapping().stream(np.random.default_rng(1), 600)[0])
    job = gate.job({})
    before = gate.solve(job)
    known = overlapping().known
    moved = known.calibration_embeddings.copy()
    moved[gate.judged] += 1.0
    other = StreamGate(replace(known, calibration_embeddings=moved), RATE)

    np.testing.assert_array_equal(before.weights, other.solve(job).weights)


# When


def test_it_is_due_with_enough_items_and_every_so_many() -> None:
    """Not before FEWEST_ITEMS, then every EVERY; and never where the bundle has too few held-out items."""
    gate, off = fresh(), StreamGate(overlapping(held_out=400).known, RATE)
    z, _ = overlapping().stream(np.random.default_rng(0), constants.FEWEST_ITEMS)
    due = []
    for row in z:
        fed(gate, row[None])
        fed(off, row[None])
        due.append(gate.is_due)
    fitted(gate)
    after = []
    for row in z[: constants.EVERY]:
        fed(gate, row[None])
        after.append(gate.is_due)

    assert [False] * (constants.FEWEST_ITEMS - 1) + [True] == due
    assert [False] * (constants.EVERY - 1) + [True] == after
    assert not off.is_due


def test_clusters_are_refreshed_in_turn() -> None:
    """Those never fitted first, then the longest unfitted; none with too few items."""
    gate = fresh()
    rng = np.random.default_rng(0)
    fed(gate, overlapping().stream(rng, 500)[0])
    for birth in range(1, 6):
        n = constants.FEWEST_MEMBERS - (birth == 3)
        fed(gate, overlapping().items(rng, np.full(n, HIDDEN)), birth=birth)
    clusters = {birth: 10 * birth for birth in range(1, 6)}
    turns = [fitted(gate, clusters).clusters.tolist() for _ in range(4)]

    assert [[10, 20], [40, 50], [10, 20], [40, 50]] == turns


def test_a_job_is_a_copy() -> None:
    """It is worked on while the stream goes on."""
    gate = fresh()
    rng = np.random.default_rng(0)
    fed(gate, overlapping().stream(rng, 900)[0])
    job = gate.job({})
    first = gate.solve(job)
    fed(gate, overlapping().stream(rng, 2500, at=0.5)[0])
    fitted(gate)

    np.testing.assert_array_equal(first.weights, gate.solve(job).weights)


def test_a_fit_that_merges_clusters_hands_their_membership_on() -> None:
    """`use` asks by which id each goes now."""
    gate = fresh()
    rng = np.random.default_rng(0)
    fed(gate, overlapping().stream(rng, 500)[0])
    for birth in (1, 2):
        fed(gate, overlapping().items(rng, np.full(40, HIDDEN)), birth=birth)
    fit = gate.solve(gate.job({1: 1, 2: 2}))
    gate.use(fit, {1: 1, 2: 1}.__getitem__)

    assert [1] == gate.memberships.clusters.tolist()
    np.testing.assert_array_equal(fit.members[0], gate.memberships.rows[0])


def test_cleared_it_has_seen_nothing() -> None:
    """As if it were new."""
    gate = _made(has_cluster=True)
    gate.clear()

    assert {name: array.tobytes() for name, array in fresh().state().items()} == {
        name: array.tobytes() for name, array in gate.state().items()
    }
    item = np.array([0.5]), np.zeros((1, 16), np.float16)
    np.testing.assert_array_equal(fresh().judge(*item).p, gate.judge(*item).p)


def test_what_memberships_say_of_held_out_items_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit changes a few; the others, however many, cost nothing."""
    from service.clustering.stream_gate import gate as module

    gate, counted = fresh(), []
    original: Callable[[Float16s, Float32s], object] = module.membership_odds

    def counting(features: Float16s, row: Float32s) -> object:
        counted.append(1)
        return original(features, row)

    monkeypatch.setattr(module, "membership_odds", counting)
    rng = np.random.default_rng(0)
    fed(gate, overlapping().stream(rng, 500)[0])
    for birth in range(1, 9):
        fed(gate, overlapping().items(rng, np.full(12, HIDDEN)), birth=birth)
    costs = []
    for _ in range(6):
        counted.clear()
        fitted(gate, {birth: birth for birth in range(1, 9)})
        costs.append(len(counted))

    assert constants.REFRESHED == max(costs)
    assert 8 == len(gate.memberships)
