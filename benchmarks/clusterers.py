"""The clusterers that are compared, behind three verbs: `learn`, `predict`, `partition_size`.

Every peer gets the same parameters, under the paper's names. A peer converts an item to what it eats in
`prepare`, outside the measured time: what is compared is the algorithm, not the dictionary it asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.streams import Float64s
from service.clustering.dbstream import DBSTREAM
from service.clustering.params import EngineParams


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """DBSTREAM's, with radius 1."""

    clustering_threshold: float = 1.0
    fading_factor: float = 1e-4
    cleanup_interval: int = 1000
    intersection_factor: float = 0.1
    minimum_weight: float = 2.0


class Clusterer(Protocol):
    """One peer."""

    name: str

    def prepare(self, x: Float64s) -> Sequence[Any]:
        """The items of float64 (N, d) as this peer takes them."""
        ...

    def learn(self, item: Any) -> None:  # noqa: ANN401 - whatever prepare gave
        """Learn one item."""
        ...

    def predict(self, item: Any) -> int:  # noqa: ANN401 - the same
        """The cluster of one item as things stand, -1 for none."""
        ...

    def micro_clusters(self) -> int:
        """M now."""
        ...


class Ours:
    """`service.clustering.dbstream`, with the partition kept up to date as the engine does."""

    name = "firstseen"

    def __init__(self, d: int, parameters: Parameters) -> None:
        self._db = DBSTREAM(
            d,
            EngineParams(
                clustering_threshold=parameters.clustering_threshold,
                fading_factor=parameters.fading_factor,
                cleanup_interval=parameters.cleanup_interval,
                intersection_factor=parameters.intersection_factor,
                minimum_weight=parameters.minimum_weight,
                max_micro_clusters=100_000,
            ),
        )
        self._partition = self._db.components()

    def prepare(self, x: Float64s) -> Sequence[Any]:
        """Rows."""
        return list(np.ascontiguousarray(x))

    def learn(self, item: Any) -> None:  # noqa: ANN401 - a row
        """Learn a row."""
        self._db.learn(item)

    def predict(self, item: Any) -> int:  # noqa: ANN401 - a row
        """Recluster if anything changed, then look."""
        if self._db.dirty:
            self._partition = self._db.components()
            self._db.dirty = False
        row = self._db.nearest_strong(item)
        return -1 if row is None else int(self._partition[row])

    def micro_clusters(self) -> int:
        """M now."""
        return len(self._db)


class River:
    """`river.cluster.DBSTREAM`."""

    name = "river"

    def __init__(self, d: int, parameters: Parameters) -> None:  # noqa: ARG002 - river asks the items
        from river import cluster

        self._db: Any = cluster.DBSTREAM(
            clustering_threshold=parameters.clustering_threshold,
            fading_factor=parameters.fading_factor,
            cleanup_interval=parameters.cleanup_interval,
            intersection_factor=parameters.intersection_factor,
            minimum_weight=parameters.minimum_weight,
        )

    def prepare(self, x: Float64s) -> Sequence[Any]:
        """Dictionaries."""
        return [dict(enumerate(row)) for row in x.tolist()]

    def learn(self, item: Any) -> None:  # noqa: ANN401 - a dictionary
        """Learn a dictionary."""
        self._db.learn_one(item)

    def predict(self, item: Any) -> int:  # noqa: ANN401 - a dictionary
        """River reclusters at a prediction if it has learnt since the last one."""
        return int(self._db.predict_one(item))

    def micro_clusters(self) -> int:
        """M now."""
        return len(self._db.micro_clusters)


PEERS: tuple[type[Ours] | type[River], ...] = (Ours, River)
