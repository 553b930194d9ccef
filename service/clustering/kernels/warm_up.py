"""Using every compiled function once, so that nothing is left to compile afterwards.

A function is compiled, or loaded from disk, when it is first called with arguments of some types. Types are element
type, number of dimensions and layout, not sizes; `MicroClusters` always calls with the same ones. So one small
clusterer that is driven through all it can do leaves nothing for later.
"""

import numpy as np

from service.clustering.kernels import entries
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.compiling.compiled import is_kept
from service.records import Float64s

ENTRIES = (
    entries.learn_items,
    entries.predict_items,
    entries.partition_rows,
    entries.remove_rows,
    entries.refresh,
)
"""All that Python calls."""

_PARAMS = ClustererParams(minimum_weight=1.5)


def warm_up() -> None:
    """Compile or load all. Half a second where it is kept, else about 20 s of one core."""
    x = np.repeat(np.eye(2) * 9.0, 4, axis=0)  # two clusters
    for times in (None, np.arange(len(x), dtype=np.float64)):
        _use_all(MicroClusters(x.shape[1], _PARAMS), x, times)


def are_kept() -> bool:
    """Whether all are on disk, for this processor and as they were written: then nothing has to be compiled."""
    return all(is_kept(entry) for entry in ENTRIES)


def _use_all(db: MicroClusters, x: Float64s, times: Float64s | None) -> None:
    """Learn, predict, regroup, store, restore, retune, drop."""
    out = np.empty((4, len(x)), dtype=np.int64)
    start, next_id = 0, 1
    while start < len(x):
        start = db.learn(x, times, start, out).next
        if db.is_stale:
            next_id = db.regroup(next_id).next_id
    assert next_id > 1, "regrouping was not used"
    db.predict(x)
    db = MicroClusters.from_state(db.state(), db.params)
    db.retune(db.params.with_changes(intersection_factor=0.2))
    db.drop(1)
