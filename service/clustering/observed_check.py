"""Could these gates have said this of a batch? Asked of every batch before it is learnt, live or from the log.

A log entry is read by its form alone (state/packing.py), and what is in it goes into compiled code and into sums that
never forget. A number that is none, or an index that is none of ours, would make the state unreadable: so the entry is
refused, and nothing is changed.
"""

import numpy as np

from service.clustering.stream_gate import Misfit
from service.records import Observed

_HUGE = 2**62


def check_observed(batch: Observed, *, D: int, K: int, F: int, rate: float) -> None:
    """Is it of D dimensions, K known classes and F features, and is everything in it possible at the operator's rate?

    Raises:
        Misfit: no; the message says what is wrong.
    """
    B, fed = len(batch), int(batch.fed.sum())
    for name, array, shape in (
        ("features", batch.features, (B, F)),
        ("embeddings", batch.z_fed, (fed, D)),
        *(
            (name, getattr(batch, name), (B,))
            for name in ("t", "nearest", "accepted", "fed", "core", "claimed")
        ),
        *((name, getattr(batch, name), (B,)) for name in ("novelty", "distance")),
    ):
        if array.shape != shape:
            raise Misfit(f"items have {name} of shape {array.shape}, not {shape}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Misfit(f"items have {name} that are no numbers.")
    for name, lowest, highest in (("nearest", 0, K - 1), ("core", -1, K - 1), ("claimed", 0, _HUGE)):
        array = getattr(batch, name)
        if not ((array >= lowest) & (array <= highest)).all():
            raise Misfit(f"items have {name} outside {lowest} to {highest}.")
    if not ((batch.novelty >= 0.0) & (batch.novelty <= 1.0)).all():
        raise Misfit("items have novelty outside 0 to 1.")
    is_refused = ~batch.accepted | (1.0 - batch.novelty < rate - 1e-9)
    if not (~is_refused | batch.fed).all():
        raise Misfit("items were refused, and yet did not go to the clusterer.")
