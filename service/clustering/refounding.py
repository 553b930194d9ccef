r"""Micro-clusters that hold items of two parts of a cluster: each is let go, and one is founded for each part.

A micro-cluster is a ball, and knows nothing of what lies where in it. So where a cluster is split through the middle of
a ball, the part that an item is of could not be told by it any more. The ball makes room for one a part, each about the
mean of that part's members in it; an item goes by the nearest centre, as ever.

    before            after             the new ones
      .-----.          .-----.           are born now, in the order that is given,
     / a a b \        / a*a:b*\          weigh as much as the old one: what lay in its ball lies in theirs,
     \ a * b /        \ a  :b /          share with others what that shared, and with each other all,
      '-----'          '-----'           and share its items among them
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.records import Float64s, Int64s


def refounded(
    arrays: dict[str, NDArray[Any]], of: Int64s, centers: Float64s, counts: Int64s
) -> dict[str, NDArray[Any]]:
    """A state of `MicroClusters` with others in the place of some; clusters are to be regrouped then.

    Args:
        arrays: As `MicroClusters.state` gives them.
        of: int64 (f,) the birth of the one in whose place each is founded.
        centers: float64 (f, C) where.
        counts: int64 (f,) items that each takes over, positive.
    """
    births, counters = arrays["births"], arrays["counters"].copy()
    kept = np.flatnonzero(~np.isin(births, of))
    source = np.concatenate([kept, np.searchsorted(births, of)])
    rows = ("centers", "weights", "updated", "births", "counts", "clusters", "strong")
    found = {**arrays, **{name: arrays[name][source] for name in rows}}
    n = len(kept)
    found["centers"][n:], found["counts"][n:] = centers, counts
    found["births"][n:] = counters[0] + np.arange(len(of))
    counters[0] += len(of)
    counters[3] = 1
    return {**found, "counters": counters, **_pairs(arrays, source)}


def _pairs(arrays: dict[str, NDArray[Any]], source: Int64s) -> dict[str, NDArray[Any]]:
    """What is shared, of the rows that came of the old rows in `source`."""
    rows: dict[int, list[int]] = {}
    for row, old in enumerate(source.tolist()):
        rows.setdefault(old, []).append(row)
    several = [old for old, own in rows.items() if len(own) > 1]
    weights, strong = arrays["weights"], arrays["strong"]
    ends, shared, linked = arrays["pair_rows"], arrays["pair_shared"], arrays["pair_linked"]
    is_same = ~np.isin(ends, several).any(axis=0)
    now = np.full(len(weights), -1, dtype=np.int64)
    now[source] = np.arange(len(source))
    more = [
        (a, b, float(weights[old]), int(strong[old]))
        for old in several
        for a, b in combinations(rows[old], 2)
    ]
    for n in np.flatnonzero(~is_same).tolist():
        one, other = ends[:, n].tolist()
        more += [(a, b, float(shared[n]), int(linked[n])) for a in rows[one] for b in rows[other]]
    added = np.array([(a, b) for a, b, _, _ in more], dtype=np.int64).reshape(-1, 2).T
    pairs = np.sort(np.concatenate([now[ends[:, is_same]], added], axis=1), axis=0)
    order = np.lexsort((pairs[1], pairs[0]))
    return {
        "pair_rows": np.ascontiguousarray(pairs[:, order]),
        "pair_shared": np.append(shared[is_same], [density for _, _, density, _ in more])[order],
        "pair_linked": np.append(linked[is_same], [on for _, _, _, on in more]).astype(np.uint8)[order],
    }
