"""What a cluster could be split into: the parts that there are, each member in one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_score

from service.clustering import snapshot
from service.clustering.splitting import MOST_SHOWN, parted, silhouette
from service.decisions import Action
from service.errors import CannotDecide, UnknownCluster
from tests.service.clustering.overlapping import Driven
from tests.service.clustering.test_curation import curate, decision
from tests.service.clustering.test_engine_stream_gate import with_two_clusters

_PLACES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


@pytest.mark.parametrize("k", [2, 3, 4])
def test_heaps_that_lie_apart_are_the_parts(k: int) -> None:
    """As many as there are, up to the most that are shown."""
    rng = np.random.default_rng(k)
    own = np.repeat(np.arange(k), 6)
    found = parted(_PLACES[own] + rng.normal(0, 0.3, (len(own), 2)))

    assert own.tolist() == found.tolist()


def test_one_that_lies_far_away_is_no_part() -> None:
    """No class could be made of it: it goes with the nearest."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 0.3, (9, 2)), rng.normal(2, 0.3, (9, 2)), [[50.0, 50.0]]])

    assert [[0] * 9, [1] * 9] == [parted(x)[:9].tolist(), parted(x)[9:18].tolist()]


@given(n=st.integers(1, 12), seed=st.integers(0, 1000))
def test_it_is_a_partition_whatever_the_places(n: int, seed: int) -> None:
    """Numbered from 0 in order; the same for the same; one part where all lie on one spot."""
    x = np.random.default_rng(seed).normal(size=(n, 3)) * (seed % 3)
    found = parted(x)

    assert found.tolist() == parted(x).tolist()
    assert list(dict.fromkeys(found.tolist())) == list(range(int(found.max()) + 1))
    assert int(found.max()) < (MOST_SHOWN if seed % 3 else 1)


@given(seed=st.integers(0, 1000), k=st.integers(2, 4))
def test_the_silhouette_is_that_of_the_paper(seed: int, k: int) -> None:
    """As scikit-learn has it; one that is alone counts 0."""
    rng = np.random.default_rng(seed)
    x, of = rng.normal(size=(12, 3)), np.append(np.arange(k), rng.integers(0, k, 12 - k))

    assert silhouette(squareform(pdist(x)), of) == pytest.approx(silhouette_score(x, of))


def merged() -> tuple[Driven, int, int]:
    driven, old, young = with_two_clusters()
    curate(driven, Action.MERGE, young, into=old)
    return driven, old, young


def test_a_cluster_of_two_is_shown_as_the_two() -> None:
    """Each member in one part, the largest first; nothing is changed."""
    driven, old, _ = merged()
    db, before = driven.engine.clusterer, snapshot.digest(driven.engine)
    shown = driven.engine.splits(old)

    assert before == snapshot.digest(driven.engine)
    assert (old, driven.engine.seq, 2) == (shown.cluster, shown.seq, len(shown.parts))
    members = [seq for part in shown.parts for seq in part.members]
    assert sorted(members) == [member.seq for member in driven.engine.lives[old].members]
    assert db.items_of(old) == sum(part.items for part in shown.parts)


def test_what_cannot_be_split_says_why() -> None:
    """No such cluster, or one that went into another; the preview says so as the decision does."""
    driven, old, young = merged()
    with pytest.raises(UnknownCluster):
        driven.engine.splits(99)
    with pytest.raises(CannotDecide, match=f"went into cluster {old}"):
        driven.engine.splits(young)
    with pytest.raises(CannotDecide):
        driven.engine.curate(decision(Action.SPLIT, young, parts=((1,), (2,))))
