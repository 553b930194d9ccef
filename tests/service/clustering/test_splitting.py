"""What a cluster could be split into: the parts that there are, each micro-cluster in one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.splitting import MOST_PARTS, parted
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
    found = parted(_PLACES[own] + rng.normal(0, 0.3, (len(own), 2)), rng.uniform(1, 5, len(own)))

    assert own.tolist() == found.tolist()


@given(m=st.integers(1, 12), seed=st.integers(0, 1000))
def test_it_is_a_partition_whatever_the_places(m: int, seed: int) -> None:
    """Numbered from 0 in order; the same for the same, also where all lie on one spot."""
    rng = np.random.default_rng(seed)
    centers, weights = rng.normal(size=(m, 3)) * (seed % 3), rng.uniform(0.1, 5, m)
    found = parted(centers, weights)

    assert found.tolist() == parted(centers, weights).tolist()
    assert list(dict.fromkeys(found.tolist())) == list(range(int(found.max()) + 1))
    assert int(found.max()) < MOST_PARTS


def merged() -> tuple[Driven, int, int]:
    driven, old, young = with_two_clusters()
    curate(driven, Action.MERGE, young, into=old)
    return driven, old, young


def test_a_cluster_of_two_is_shown_as_the_two() -> None:
    """Each micro-cluster in one part, the heaviest first, with members; nothing is changed."""
    driven, old, _ = merged()
    db, before = driven.engine.clusterer, snapshot.digest(driven.engine)
    shown = driven.engine.splits(old)

    assert before == snapshot.digest(driven.engine)
    assert (old, driven.engine.seq, 2) == (shown.cluster, shown.seq, len(shown.parts))
    births = [birth for part in shown.parts for birth in part.births]
    assert sorted(births) == db.births(db.rows_of(old)).tolist()
    assert db.items_of(old) == sum(part.items for part in shown.parts)
    assert all(part.exemplars for part in shown.parts)


def test_what_cannot_be_split_says_why() -> None:
    """No such cluster, or one that went into another; the preview says so as the decision does."""
    driven, old, young = merged()
    with pytest.raises(UnknownCluster):
        driven.engine.splits(99)
    with pytest.raises(CannotDecide, match=f"went into cluster {old}"):
        driven.engine.splits(young)
    with pytest.raises(CannotDecide):
        driven.engine.curate(decision(Action.SPLIT, young, parts=((1,),)))
