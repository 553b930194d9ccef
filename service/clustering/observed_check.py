"""Could these gates have said this of a batch? Asked of every batch before it is learnt, live or from the log.

A log entry is read by its form alone (state/packing.py), and what is in it goes into compiled code and into sums that
never forget. A number that is none, or an index that is none of ours, would make the state unreadable: so the entry is
refused, and nothing is changed.
"""

from collections.abc import Mapping

import numpy as np

from service.clustering.stream_gate import Misfit
from service.records import NO_CLUSTER, Observed

_HUGE = 2**62

_NOBODY: Mapping[int, int] = {}


def check_observed(
    batch: Observed, *, D: int, K: int, F: int, rate: float, promoted: Mapping[int, int] = _NOBODY
) -> None:
    """Is it of D dimensions, K known classes and F features, and is everything in it possible at the operator's rate?

    Args:
        batch: The batch.
        D: Dimensions of an embedding.
        K: Known classes of the bundle.
        F: Features.
        rate: The operator's.
        promoted: The class of each cluster that people made part of one.

    Raises:
        Misfit: no; the message says what is wrong.
    """
    B, fed = len(batch), int(batch.fed.sum())
    for name, array, shape in (
        ("features", batch.features, (B, F)),
        ("embeddings", batch.z_fed, (fed, D)),
        *(
            (name, getattr(batch, name), (B,))
            for name in ("t", "nearest", "accepted", "fed", "core", "claimed", "taken")
        ),
        *((name, getattr(batch, name), (B,)) for name in ("novelty", "distance")),
    ):
        if array.shape != shape:
            raise Misfit(f"items have {name} of shape {array.shape}, not {shape}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Misfit(f"items have {name} that are no numbers.")
    is_taken = batch.taken != NO_CLUSTER
    for name, lowest, highest, array in (
        ("nearest", 0, K - 1, batch.nearest[~is_taken]),
        ("core", -1, K - 1, batch.core),
        ("claimed", 0, _HUGE, batch.claimed),
    ):
        if not ((array >= lowest) & (array <= highest)).all():
            raise Misfit(f"items have {name} outside {lowest} to {highest}.")
    if not ((batch.novelty >= 0.0) & (batch.novelty <= 1.0)).all():
        raise Misfit("items have novelty outside 0 to 1.")
    for cluster, label in zip(batch.taken[is_taken].tolist(), batch.nearest[is_taken].tolist(), strict=True):
        if promoted.get(cluster) != label:
            raise Misfit(f"items were taken by cluster {cluster} for a class that it is no part of.")
    if not (batch.accepted & batch.fed)[is_taken].all():
        raise Misfit("items were taken for a class, and yet refused, or did not go to the clusterer.")
    is_refused = ~batch.accepted | (1.0 - batch.novelty < rate - 1e-9)
    if not (~is_refused | batch.fed).all():
        raise Misfit("items were refused, and yet did not go to the clusterer.")
