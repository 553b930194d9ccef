"""The stream gate's state as flat arrays; equal states give equal arrays.

    features           float16 (n, F)            the window, oldest first
    cores              int32   (n,)
    births             int64   (n,)
    since_fit          int64   (1,)              items since the latest fit was used
    fit.weights        float32 (F + 1,)          of the latest fit; no `fit.` array before the first
    fit.shares         float32 (K,)
    members.rows       float32 (m, 2 (F + 1))    the memberships, the longest unfitted first
    members.clusters   int64   (m,)

Anybody can write arrays with a right checksum, so they are checked before anything is made of them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.clustering.state_check import demand, length, within
from service.clustering.stream_gate import constants
from service.clustering.stream_gate.membership import Memberships
from service.clustering.stream_gate.records import LEAST_SHARE, membership_width
from service.clustering.stream_gate.window import Recent
from service.records import Float32s

Arrays = Mapping[str, NDArray[Any]]

_HUGE = 2**62
"""No birth, cluster id or count comes near it."""


def packed(
    recent: Recent, since_fit: int, weights: Float32s | None, shares: Float32s | None, members: Memberships
) -> dict[str, NDArray[Any]]:
    """The arrays."""
    fit = {} if weights is None or shares is None else {"fit.weights": weights, "fit.shares": shares}
    return {
        "features": recent.features,
        "cores": recent.cores,
        "births": recent.births,
        "since_fit": np.array([since_fit], dtype=np.int64),
        "members.rows": members.rows,
        "members.clusters": members.clusters,
        **fit,
    }


def unpacked(arrays: Arrays) -> tuple[Recent, int, Float32s | None, Float32s | None, Memberships]:
    """What `packed` was given; the arrays have passed `check`."""
    return (
        Recent(features=arrays["features"], cores=arrays["cores"], births=arrays["births"]),
        int(arrays["since_fit"][0]),
        arrays.get("fit.weights"),
        arrays.get("fit.shares"),
        Memberships(rows=arrays["members.rows"], clusters=arrays["members.clusters"]),
    )


def check(arrays: Arrays, *, F: int, K: int, is_on: bool) -> None:
    """Refuse arrays that `packed` cannot have given.

    Args:
        arrays: By name; anything may be in them.
        F: Features.
        K: Known classes.
        is_on: Whether there is a stream gate at all; if not, nothing was ever in the window.

    Raises:
        SnapshotUnreadable: A name, type, shape, or range is wrong.
    """
    n, m = length(arrays, "cores"), length(arrays, "members.clusters")
    has_fit = "fit.weights" in arrays
    layout: dict[str, tuple[str, tuple[int, ...]]] = {
        "features": ("<f2", (n, F)),
        "cores": ("<i4", (n,)),
        "births": ("<i8", (n,)),
        "since_fit": ("<i8", (1,)),
        "members.rows": ("<f4", (m, membership_width(F))),
        "members.clusters": ("<i8", (m,)),
    }
    if has_fit:
        layout |= {"fit.weights": ("<f4", (F + 1,)), "fit.shares": ("<f4", (K,))}
    demand(
        arrays.keys() == layout.keys(), f"the names of the stream gate's arrays: {', '.join(sorted(arrays))}"
    )
    for name, (dtype, shape) in layout.items():
        array = arrays[name]
        demand(array.dtype == np.dtype(dtype) and array.shape == shape, f"the stream gate's {name}")
        demand(array.dtype.kind != "f" or bool(np.isfinite(array).all()), f"the stream gate's {name}")
    demand(n <= constants.WINDOW, "a window of the stream gate that is too long")
    demand(within(arrays["cores"], -1, K - 1), "the cores of the stream gate's window")
    demand(within(arrays["births"], 0, _HUGE), "the micro-clusters of the stream gate's window")
    demand(within(arrays["since_fit"], 0, _HUGE), "the items since the stream gate's latest fit")
    demand(is_on or not (n or has_fit), "a window or a fit where there is no stream gate")
    demand(has_fit or not m, "memberships without a fit")
    demand(
        not has_fit or within(arrays["fit.shares"], LEAST_SHARE, np.inf),
        "the known classes' shares",
    )
    clusters = arrays["members.clusters"]
    demand(m <= constants.MOST_MEMBERSHIPS and len(np.unique(clusters)) == m, "the stream gate's memberships")
    demand(within(clusters, 1, _HUGE), "the clusters of the stream gate's memberships")
    demand(bool((arrays["members.rows"][:, -1] > 0).all()), "a membership without reach")
