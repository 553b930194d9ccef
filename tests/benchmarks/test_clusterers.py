"""Every peer answers to the same verbs."""

import pytest

from benchmarks.clusterers import PEERS, Ours, Parameters, River
from benchmarks.streams import filaments


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_learns_chains_and_tells_them_apart(peer: type[Ours] | type[River]) -> None:
    """Two chains far from each other never get one cluster."""
    stream = filaments(d=2, micro_clusters=20, items=600, seed=0)
    clusterer = peer(2, Parameters())
    items = clusterer.prepare(stream.x)
    for item in items:
        clusterer.learn(item)

    found: dict[int, set[int]] = {0: set(), 1: set()}
    for item, chain in zip(items, stream.y.tolist(), strict=True):
        found[chain].add(clusterer.predict(item))
    assert found[0] & found[1] <= {-1}
    assert clusterer.micro_clusters() > 2


def test_ours_calls_a_far_point_noise() -> None:
    """The peer has no such answer: it always names the nearest cluster."""
    ours = Ours(2, Parameters())
    for item in ours.prepare(filaments(d=2, micro_clusters=10, items=300, seed=0).x):
        ours.learn(item)
    far = ours.prepare(filaments(d=2, micro_clusters=10, items=1, seed=0).x + 1000.0)[0]

    assert ours.predict(far) == -1
