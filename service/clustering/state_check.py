"""Do the arrays of a stored clusterer fit each other? Asked before compiled code, which checks nothing, gets them.

A checksum tells a damaged blob, but anybody can write one with a right checksum. Compiled code would follow an
index out of the arrays wherever it leads, grow NaN without end, or count for ever. So all that `MicroClusters.state`
says of its arrays is held against them: names, types, shapes, ranges. What is merely another state, one that no
stream would lead to, passes: it is safe.

River's clusterer is Python, which would fail later and elsewhere; so `check_river_state` asks the same of
`RiverClusterer.state`.
"""

import math
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

_UNIT_ERROR = 1e-9
"""Relative; far more than powers of two differ by between processors."""

_FAR = 1e100
"""No coordinate comes near it, float32 embeddings projected; its square is still a number."""


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
    demand(len(births) <= params.max_micro_clusters, "more micro-clusters than the cap")
    demand(_ascend(births) and within(births, 1, arrays["counters"][0] - 1), "births")
    demand(within(arrays["counts"], 1, _HUGE), "counts")
    demand(within(arrays["clusters"], 0, _HUGE), "cluster ids")
    demand(within(arrays["strong"], 0, 1) and within(arrays["pair_linked"], 0, 1), "flags")
    demand(within(arrays["weights"], 0.0, _HEAVY), "weights")
    demand(within(arrays["pair_shared"], 0.0, _HEAVY), "shared densities")
    demand(bool(np.isfinite(arrays["centers"]).all()), "centres")
    now = arrays["clock"][0]
    demand(within(arrays["updated"], -np.inf, now) and np.isfinite(arrays["updated"]).all(), "times")
    demand(
        within(arrays["pair_since"], -np.inf, now) and np.isfinite(arrays["pair_since"]).all(),
        "times of pairs",
    )
    _check_pairs(arrays["pair_rows"], M, params.max_degree)


def _check_layout(arrays: Arrays, dim: int, params: ClustererParams) -> None:
    M, P = length(arrays, "births"), length(arrays, "pair_shared")
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
    _check_against(layout, arrays)


def _check_against(layout: Mapping[str, tuple[str, tuple[int, ...]]], arrays: Arrays) -> None:
    demand(arrays.keys() == layout.keys(), f"the names of the arrays: {', '.join(sorted(arrays))}")
    for name, (dtype, shape) in layout.items():
        found = arrays[name]
        demand(found.dtype == np.dtype(dtype), f"{name} of type {found.dtype}")
        demand(found.shape == shape, f"{name} of shape {found.shape}, not {shape}")


def _check_clock(clock: NDArray[Any], counters: Int64s, params: ClustererParams) -> None:
    now, first, rebased, unit = clock.tolist()
    next_birth, swept, has_time, is_stale = counters.tolist()
    demand(bool(np.isfinite(clock).all()) and first <= now, "the clock")
    exponent = 0.0 if params.river_online else params.fading_factor * (now - first) - rebased
    demand(-1.0 <= exponent <= _LANDMARK, "the landmark")
    demand(abs(unit / 2.0**exponent - 1.0) <= _UNIT_ERROR, "the unit of the weights")
    intervals = (now - first) / params.cleanup_interval
    demand(intervals < _HUGE and swept == math.floor(intervals), "the clean-ups")
    demand(1 <= next_birth < _HUGE, "the counters")
    demand(has_time in (0, 1) and is_stale in (0, 1), "the counters")


def _check_pairs(pairs: Int64s, M: int, max_degree: int) -> None:
    first, second = pairs
    demand(within(first, 0, M - 1) and within(second, 0, M - 1), "pairs of micro-clusters that are not there")
    demand(bool((first < second).all()), "pairs whose ends are in the wrong order")
    demand(_ascend(first * M + second), "pairs out of order")
    degree = np.bincount(pairs.reshape(-1), minlength=1)
    demand(int(degree.max()) <= max_degree, "a micro-cluster of more pairs than the cap")


def check_river_state(arrays: Arrays, dim: int, params: ClustererParams) -> None:
    """Refuse arrays that `RiverClusterer.state` cannot have given.

    Args:
        arrays: By name; see `RiverClusterer.state`.
        dim: D, the dimensions of the stream's items.
        params: What the clusterer worked with.

    Raises:
        SnapshotUnreadable: A name, type, shape, or range is wrong.
    """
    M, S, P = (length(arrays, name) for name in ("ids", "row_ids", "pair_ids"))
    _check_against(
        {
            "counters": ("<i8", (2,)),
            "centers": ("<f8", (M, dim)),
            "weights": ("<f8", (M,)),
            **dict.fromkeys(("ids", "updated", "births", "items", "clusters"), ("<i8", (M,))),
            **dict.fromkeys(("row_ids", "row_sizes"), ("<i8", (S,))),
            **dict.fromkeys(("pair_ids", "pair_since"), ("<i8", (P,))),
            "pair_shared": ("<f8", (P,)),
        },
        arrays,
    )
    now, next_birth = arrays["counters"].tolist()
    demand(0 <= now < _HUGE and 1 <= next_birth < _HUGE, "the counters")
    demand(params.max_micro_clusters >= M, "more micro-clusters than the cap")
    ids, row_ids, row_sizes = arrays["ids"], arrays["row_ids"], arrays["row_sizes"]
    demand(within(ids, 0, _HUGE) and len(np.unique(ids)) == M, "ids of micro-clusters")
    demand(_ascend(arrays["births"]) and within(arrays["births"], 1, next_birth - 1), "births")
    demand(within(arrays["items"], 1, _HUGE), "items")
    demand(within(arrays["clusters"], 0, _HUGE), "cluster ids")
    demand(within(arrays["weights"], 0.0, _HEAVY), "weights")
    demand(within(arrays["pair_shared"], 0.0, _HEAVY), "shared densities")
    demand(within(arrays["centers"], -_FAR, _FAR), "centres")
    demand(within(arrays["updated"], 0, now) and within(arrays["pair_since"], 0, now), "times")
    demand(np.isin(row_ids, ids).all() and len(np.unique(row_ids)) == S, "pairs that are not there")
    demand(within(row_sizes, 0, P) and int(row_sizes.sum()) == P, "how many pairs there are")
    elder, younger = (
        np.repeat(row_ids, row_sizes),
        arrays["pair_ids"],
    )  # the younger may have died: river forgets
    demand(within(younger, 0, _HUGE) and bool((elder < younger).all()), "pairs in the wrong order")
    demand(len(np.unique(np.stack([elder, younger]), axis=1).T) == P, "a pair that is there twice")


def length(arrays: Arrays, name: str) -> int:
    """How long an array is; 0 if it is not there, or has no length."""
    return len(arrays[name]) if name in arrays and arrays[name].ndim else 0


def _ascend(values: Int64s) -> bool:
    return bool((values[1:] > values[:-1]).all())


def within(values: NDArray[Any], least: float, most: float) -> bool:
    """Whether all are between the two; NaN is not."""
    return bool(((values >= least) & (values <= most)).all())


def demand(holds: object, what: str) -> None:
    """Raises SnapshotUnreadable unless it holds; `what` contradicts the rest."""
    if not holds:
        raise SnapshotUnreadable(f"The stored state contradicts itself: {what}.")
