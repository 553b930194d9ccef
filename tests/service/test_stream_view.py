"""What readers see is what the engine holds."""

import numpy as np

from service.clustering import snapshot
from service.records import VerdictKind
from service.stream_view import view_of
from tests.service.clustering.overlapping import APART, LABELS, engine, overlapping


def test_a_view_is_of_the_moment() -> None:
    """Counts by name, clusters, the place in the stream; the hash only for who asks."""
    one = engine()
    z, which = overlapping().stream(np.random.default_rng(0), 300, new=APART, at=0.3)
    one.step(z, tuple(map(str, range(300))), np.zeros(300))
    view = view_of(one)

    assert (300, one.clusters()) == (view.seq, view.clusters)
    assert view.clusters
    assert list(LABELS) == list(view.known_counts)
    assert (
        sum(view.known_counts.values())
        == view.verdict_counts[VerdictKind.KNOWN.value]
        <= (which < 4).sum() + 5
    )
    assert 300 == sum(view.verdict_counts.values())
    assert (None, False) == (view.state_hash, view.stale)
    assert snapshot.digest(one) == view_of(one, with_hash=True).state_hash
