"""Micro-clusters driven as their owner drives them, and held against the literal implementation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.records import NO_CLUSTER
from tests.service.clustering.literal_dbstream import LiteralDBSTREAM

Floats = NDArray[np.float64]


class Driven:
    """Micro-clusters with what their owner does: regroup when it is due, and remember the partition as a whole."""

    def __init__(self, dim: int, params: ClustererParams) -> None:
        self.micro = MicroClusters(dim, params)
        self.next_id = 1
        self.removed: list[tuple[int, int]] = []
        self.homes: list[int] = []
        self.ended: set[int] = set()

    def learn(self, x: Floats, times: Sequence[float] | None = None) -> "Driven":
        out = np.empty((4, len(x)), dtype=np.int64)
        t = None if times is None else np.array(times, dtype=np.float64)
        start = 0
        while start < len(x):
            run = self.micro.learn(x, t, start, out)
            start = run.next
            self.removed += run.removed
            self.settle()
        self.homes += out[0].tolist()
        return self

    def settle(self) -> None:
        if self.micro.is_stale:
            found = self.micro.regroup(self.next_id)
            self.next_id = found.next_id
            self.ended |= {ended for ended, _ in found.merged}

    def partition(self) -> dict[int, int]:
        """Birth -> cluster, of strong micro-clusters."""
        rows = self.micro.rows()
        rows = rows[self.micro.strong(rows)]
        return dict(zip(self.micro.births(rows).tolist(), self.micro.clusters(rows).tolist(), strict=True))


def driven(dim: int = 2, **changes: float) -> Driven:
    defaults: dict[str, Any] = {"clustering_threshold": 1.0, "minimum_weight": 2.0}
    return Driven(dim, ClustererParams(**{**defaults, **changes}))


def points(*rows: Sequence[float]) -> Floats:
    return np.array(rows, dtype=np.float64)


def same_groups(a: dict[int, int], b: dict[int, int]) -> bool:
    """Whether two partitions are one but for the names of their parts."""
    pairs = {(a[k], b[k]) for k in a} if a.keys() == b.keys() else set()
    return a.keys() == b.keys() and len(pairs) == len({p for p, _ in pairs}) == len({q for _, q in pairs})


def assert_equal(fast: Driven, slow: LiteralDBSTREAM, probes: Floats) -> None:
    micro = fast.micro
    rows = micro.rows()
    births = micro.births(rows).tolist()

    assert list(slow.centers) == births
    np.testing.assert_allclose(micro.centers(rows), [slow.centers[i] for i in births], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(micro.weights(rows), [slow.weight(i) for i in births], rtol=1e-9)
    ends, density, linked = micro.pairs(rows)
    pairs = [(births[i], births[j]) for i, j in ends.T]

    assert sorted(slow.pairs()) == pairs
    np.testing.assert_allclose(density, [slow.density(i, j) for i, j in pairs], rtol=1e-9)

    assert slow.linked == {pair for pair, is_linked in zip(pairs, linked, strict=True) if is_linked}
    assert same_groups(slow.partition(), fast.partition())
    expected = []
    for probe in probes:
        birth = slow.assign(probe.tolist())
        expected.append(NO_CLUSTER if birth is None else fast.partition()[birth])

    assert expected == micro.predict(probes).tolist()


def assert_same_state(a: MicroClusters, b: MicroClusters) -> None:
    theirs = b.state()
    for name, array in a.state().items():
        assert array.tobytes() == theirs[name].tobytes(), name
        assert array.dtype == theirs[name].dtype
