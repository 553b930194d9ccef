"""Do the arrays of a stored clusterer fit each other? Asked before compiled code, which checks nothing, gets them.

A checksum tells a damaged blob, but anybody can write one with a right checksum. Compiled code would follow an
index out of the arrays wherever it leads, grow NaN without end, or count for ever. So all that `MicroClusters.state`
says of its arrays is held against them: names, types, shapes, ranges. What is merely another state, one that no
stream would lead to, passes: it is safe.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.clustering.blob import SnapshotUnreadable
from service.clustering.params import ClustererParams
from service.records import Int64s

Arrays = Mapping[str, NDArray[Any]]

_HUGE = 2**62
"""No counter, birth or cluster id comes near it."""

_HEAVY = 1e100
"""No forward-decayed weight comes near it: exponents are below 257, items fewer than `_HUGE`."""

_LANDMARK = 257.0
"""The exponent of now is at most this; see REBASE_AT in kernels/state.py."""


def check_state(arrays: Arrays, dim: int, params: ClustererParams) -> None:
    """Refuse arrays that `MicroClusters.state` cannot have given.

    Args:
        arrays: By name; see `MicroClusters.state`.
        dim: D, the dimensions of the stream's items.
        params: What the clusterer worked with.

    Raises:
        SnapshotUnreadable: A name, type, shape, or range is wrong.
    """
    _check_layout(arrays, dim, params)
    _check_clock(arrays["clock"], arrays["counters"], params)
    M = len(arrays["births"])
    births = arrays["births"]
    _demand(len(births) <= params.max_micro_clusters, "more micro-clusters than the cap")
    _demand(_ascend(births) and _within(births, 1, arrays["counters"][0] - 1), "births")
    _demand(_within(arrays["counts"], 1, _HUGE), "counts")
    _demand(_within(arrays["clusters"], 0, _HUGE), "cluster ids")
    _demand(_within(arrays["strong"], 0, 1) and _within(arrays["pair_linked"], 0, 1), "flags")
    _demand(_within(arrays["weights"], 0.0, _HEAVY), "weights")
    _demand(_within(arrays["pair_shared"], 0.0, _HEAVY), "shared densities")
    _demand(bool(np.isfinite(arrays["centers"]).all()), "centres")
    now = arrays["clock"][0]
    _demand(_within(arrays["updated"], -np.inf, now) and np.isfinite(arrays["updated"]).all(), "times")
    _demand(
        _within(arrays["pair_since"], -np.inf, now) and np.isfinite(arrays["pair_since"]).all(),
        "times of pairs",
    )
    _check_pairs(arrays["pair_rows"], M, params.max_degree)


def _check_layout(arrays: Arrays, dim: int, params: ClustererParams) -> None:
    M = len(arrays["births"]) if "births" in arrays and arrays["births"].ndim else 0
    P = len(arrays["pair_shared"]) if "pair_shared" in arrays and arrays["pair_shared"].ndim else 0
    layout = {
        "clock": ("<f8", (4,)),
        "counters": ("<i8", (4,)),
        "centers": ("<f8", (M, dim)),
        "weights": ("<f8", (M,)),
        "updated": ("<f8", (M,)),
        "births": ("<i8", (M,)),
        "counts": ("<i8", (M,)),
        "clusters": ("<i8", (M,)),
        "strong": ("|u1", (M,)),
        "pair_rows": ("<i8", (2, P)),
        "pair_shared": ("<f8", (P,)),
        "pair_linked": ("|u1", (P,)),
        "pair_since": ("<f8", (P if params.river_online else 0,)),
    }
    _demand(arrays.keys() == layout.keys(), f"the names of the arrays: {', '.join(sorted(arrays))}")
    for name, (dtype, shape) in layout.items():
        found = arrays[name]
        _demand(found.dtype == np.dtype(dtype), f"{name} of type {found.dtype}")
        _demand(found.shape == shape, f"{name} of shape {found.shape}, not {shape}")


def _check_clock(clock: NDArray[Any], counters: Int64s, params: ClustererParams) -> None:
    now, first, rebased, unit = clock.tolist()
    next_birth, swept, has_time, is_stale = counters.tolist()
    _demand(bool(np.isfinite(clock).all()) and first <= now and unit > 0.0, "the clock")
    if not params.river_online:
        exponent = params.fading_factor * (now - first) - rebased
        _demand(-1.0 <= exponent <= _LANDMARK, "the landmark")
    _demand(1 <= next_birth < _HUGE and 0 <= swept < _HUGE, "the counters")
    _demand(has_time in (0, 1) and is_stale in (0, 1), "the counters")


def _check_pairs(pairs: Int64s, M: int, max_degree: int) -> None:
    first, second = pairs
    _demand(
        _within(first, 0, M - 1) and _within(second, 0, M - 1), "pairs of micro-clusters that are not there"
    )
    _demand(bool((first < second).all()), "pairs whose ends are in the wrong order")
    _demand(_ascend(first * M + second), "pairs out of order")
    degree = np.bincount(pairs.reshape(-1), minlength=1)
    _demand(int(degree.max()) <= max_degree, "a micro-cluster of more pairs than the cap")


def _ascend(values: Int64s) -> bool:
    return bool((values[1:] > values[:-1]).all())


def _within(values: NDArray[Any], least: float, most: float) -> bool:
    """Whether all are between the two; NaN is not."""
    return bool(((values >= least) & (values <= most)).all())


def _demand(holds: object, what: str) -> None:
    if not holds:
        raise SnapshotUnreadable(f"The stored state contradicts itself: {what}.")
