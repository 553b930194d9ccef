"""The gates together: the operator's one number holds, whichever of them count, and whatever clusters claim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from service.clustering.cluster_space import ClusterSpace
from service.clustering.gates import Gates
from service.clustering.params import EngineParams
from service.records import NO_CLUSTER, Observed, VerdictKind
from tests.service.clustering.conftest import World
from tests.service.clustering.overlapping import PARAMS, overlapping


def few(world: World, **changes: float | str) -> Gates:
    """Gates of a world with too few held-out items for a stream gate."""
    return Gates(world.known, ClusterSpace(world.known), EngineParams().with_changes(**changes))


def many(**changes: float | str) -> Gates:
    """Gates of one with enough."""
    known = overlapping().known
    return Gates(known, ClusterSpace(known), PARAMS.with_changes(**changes))


def seen(gates: Gates, z: np.ndarray) -> Observed:
    return gates.decide(z, tuple(map(str, range(len(z)))), np.zeros(len(z)), first_seq=0)


@pytest.mark.parametrize("rate", [0.01, 0.02, 0.1])
def test_no_more_known_items_are_refused_than_the_operator_allows(world: World, rate: float) -> None:
    """Of 3,000 fresh known items the share refused is no more than the rate, give or take calibration's luck."""
    gates = few(world, known_error_rate=rate)
    refused = int((~seen(gates, world.items(np.random.default_rng(1), n=3000)).accepted).sum())
    # The realised rate of a conformal test is Beta distributed around the nominal one; n = 600 calibration items.
    allowed = rate + 4 * np.sqrt(rate * (1 - rate) / 600)

    assert binom.sf(refused - 1, 3000, allowed) > 1e-3
    assert refused > 0.3 * rate * 3000, "met, not only bounded"


def test_new_items_are_refused(world: World) -> None:
    """Items of a class far from the known ones are not taken for known, and go to the clusterer."""
    found = seen(few(world), world.items(np.random.default_rng(2), n=200, share_new=1.0))

    assert not found.accepted.any()
    assert found.fed.all()


def test_where_there_is_no_stream_gate_the_clusterer_is_fed_more(world: World) -> None:
    """Up to the feeding rate; with a stream gate, or for river, what is refused and nothing else."""
    assert 0.1 == few(world).feeding_rate
    assert 0.02 == few(world, feeding_rate=0.001).feeding_rate
    assert 0.02 == few(world, backend="river").feeding_rate
    assert 0.02 == many().feeding_rate
    assert 0.1 == many(gates="items").feeding_rate
    found = seen(few(world), world.items(np.random.default_rng(1), n=3000))

    assert (found.fed | found.accepted).all()
    assert 0.05 < found.fed.mean() < 0.15
    assert int(found.fed.sum()) == len(found.z_fed)


def test_which_gates_count(world: World) -> None:
    """The recent stream alone lets all pass before there is a fit; with too few items for it, it can't be alone."""
    z = overlapping().items(np.random.default_rng(0), np.full(50, 6))

    assert not seen(many(), z).accepted.any()
    assert seen(many(gates="stream"), z).accepted.all()
    assert not seen(
        few(world, gates="stream"), world.items(np.random.default_rng(2), n=9, share_new=1)
    ).accepted.any()
    assert (0, 0) == (few(world).has_stream, many(gates="items").has_stream)


def test_the_background_is_what_would_be_fed(world: World) -> None:
    """As many held-out items as the feeding rate says."""
    gates, total = few(world), len(world.known.calibration_labels)
    nowhere = gates.background.inside(1, np.full((1, ClusterSpace(world.known).dim), 1e3), 1.0)

    assert abs(len(nowhere) - 0.1 * total) <= 1
    assert not nowhere.any()


# Verdicts


@given(p=st.floats(1e-4, 1.0), squeeze=st.floats(0.05, 1.0), cluster=st.sampled_from([NO_CLUSTER, 7]))
def test_novelty_and_kind_agree(world: World, p: float, squeeze: float, cluster: int) -> None:
    """What is called new has a novelty of 1 - rate or more, and nothing else has."""
    gates = few(world)
    gates.squeeze = squeeze
    kind, own, novelty = gates.verdict(1.0 - p, cluster, accepted=p > 0.02)

    assert 0.0 <= novelty <= 1.0
    assert (kind is VerdictKind.KNOWN) == (novelty < 0.98) or novelty == pytest.approx(0.98)
    assert (own == cluster) or kind is VerdictKind.KNOWN
    assert (kind is VerdictKind.CLUSTER) == (own != NO_CLUSTER)


def test_a_cluster_gets_what_looks_known_by_itself(world: World) -> None:
    """Up to the feeding rate, as long as the operator's rate allows."""
    gates = few(world)

    assert (VerdictKind.CLUSTER, 7) == gates.verdict(0.91, 7, accepted=True)[:2]
    assert (VerdictKind.KNOWN, NO_CLUSTER) == gates.verdict(0.91, NO_CLUSTER, accepted=True)[:2]
    assert (VerdictKind.KNOWN, NO_CLUSTER) == gates.verdict(0.89, 7, accepted=True)[:2]
    gates.squeeze = 0.5
    assert (VerdictKind.KNOWN, NO_CLUSTER) == gates.verdict(0.91, 7, accepted=True)[:2]
    assert (VerdictKind.CLUSTER, 7) == gates.verdict(0.96, 7, accepted=True)[:2]
    assert (VerdictKind.KNOWN, NO_CLUSTER) == gates.verdict(0.985, NO_CLUSTER, accepted=False)[:2]


def test_with_a_stream_gate_the_gates_word_is_the_last() -> None:
    gates = many()

    assert (VerdictKind.KNOWN, NO_CLUSTER, 0.97) == gates.verdict(0.97, NO_CLUSTER, accepted=True)
    assert (VerdictKind.OUTLIER, NO_CLUSTER, 0.99) == gates.verdict(0.99, NO_CLUSTER, accepted=False)
    assert (VerdictKind.CLUSTER, 7, 0.99) == gates.verdict(0.99, 7, accepted=False)


def test_claims_are_weighed_by_what_clusters_hold_of_known_items(world: World) -> None:
    """None, and nothing is taken from the rate; all, and a fifth is left."""
    gates = few(world)
    R = len(gates.background.inside(1, np.empty((0, 8)), 1.0))
    gates.weigh_claims([])
    assert 1.0 == gates.squeeze
    gates.weigh_claims([np.zeros(R, dtype=np.bool_), np.ones(R, dtype=np.bool_)])
    assert gates.squeeze == pytest.approx(0.2, abs=0.05)
    gates.weigh_claims([np.zeros(R, dtype=np.bool_)])
    assert 1.0 == gates.squeeze


@pytest.mark.parametrize("has_stream", [True, False])
def test_items_that_pass_are_answered_as_each_by_itself(world: World, *, has_stream: bool) -> None:
    """At once what one by one would be, with claims of clusters and without."""
    gates = many() if has_stream else few(world)
    gates.squeeze = 1.0 if has_stream else 0.5
    rng = np.random.default_rng(3)
    z = overlapping().items(rng, rng.integers(0, 4, 200)) if has_stream else world.items(rng, n=200)
    found = seen(gates, z)
    novelty, accepted = found.novelty[~found.fed].tolist(), found.accepted[~found.fed].tolist()

    assert gates.passed(novelty, accepted) == [
        gates.verdict(one, NO_CLUSTER, accepted=is_accepted)
        for one, is_accepted in zip(novelty, accepted, strict=True)
    ]
    assert len(novelty) > 50


@pytest.mark.parametrize("squeeze", [1.0, 0.5])
@pytest.mark.parametrize("cluster", [NO_CLUSTER, 7])
def test_a_p_value_is_weighed_as_the_verdict_is_given(world: World, squeeze: float, cluster: int) -> None:
    """Above the threshold just when the verdict is known, and just when it is not below the limit of one reason."""
    gates = few(world)
    gates.squeeze = squeeze
    z = world.items(np.random.default_rng(5), n=300, share_new=0.1)
    looked = gates.known.look(z).p.max(axis=1)
    judged = gates.stream.judge(looked, np.empty((300, 0), np.float16)).p
    for p_item, p, novelty in zip(looked.tolist(), judged.tolist(), (1.0 - judged).tolist(), strict=True):
        own, threshold = gates.weighed(p, cluster)
        kind, _, said = gates.verdict(novelty, cluster, accepted=p > 0.02)

        assert (own > threshold) == (kind is VerdictKind.KNOWN) == (p_item >= gates.limit(cluster))
        assert said == pytest.approx(1.0 - min(1.0, own / squeeze), abs=1e-9)


def test_without_claims_the_threshold_is_the_operators_rate() -> None:
    gates = many()

    assert (0.3, 0.02) == gates.weighed(0.3, 7)
    assert gates.limit(7) == gates.limit(NO_CLUSTER) == pytest.approx(0.02, abs=0.01)
