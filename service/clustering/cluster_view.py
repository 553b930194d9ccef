"""What an operator sees of a cluster: its life, and what its micro-clusters say now."""

import numpy as np

from service.clustering.clusterer import Clusterer
from service.clustering.kinship import Life
from service.records import Cluster, Evidence, Float64s


def items_of(life: Life, db: Clusterer) -> int:
    """Items it holds, those of micro-clusters that are gone included."""
    return life.residual + db.items_of(life.id)


def view_of(
    life: Life, db: Clusterer, *, prototypes: Float64s, labels: tuple[str, ...], evidence: Evidence
) -> Cluster:
    """The cluster as of now.

    Args:
        life: what is remembered of it.
        db: has its micro-clusters.
        prototypes: float64 (K, C) of the known classes in cluster space.
        labels: their names.
        evidence: of its announcement, or as it stands.
    """
    own = db.rows_of(life.id)
    weights = db.weights(own)
    nearest, nearest_distance = None, None
    if weights.sum() > 0.0:
        center = (weights[:, None] * db.centers(own)).sum(axis=0) / weights.sum()
        apart = np.sqrt(np.square(prototypes - center).sum(axis=1))
        nearest, nearest_distance = labels[int(apart.argmin())], float(apart.min())
    return Cluster(
        id=life.id,
        state=life.state,
        name=life.name,
        label=None if life.label is None else labels[life.label],
        dismissed=life.dismissed is not None,
        items=items_of(life, db),
        items_to_emerge=life.items_to_emerge,
        weight=float(weights.sum()),
        micro_clusters=int(db.strong(own).sum()),
        born_seq=life.born_seq,
        emerged_seq=life.emerged_seq,
        last_seq=life.last_seq,
        first_t=life.first_t,
        last_t=life.last_t,
        nearest=nearest,
        nearest_distance=nearest_distance,
        exemplars=tuple(life.exemplars),
        parent_id=life.parent_id,
        merged_into=life.merged_into,
        variant_of=None if life.variant_of is None else labels[life.variant_of],
        missing=life.missing,
        evidence=evidence,
    )
