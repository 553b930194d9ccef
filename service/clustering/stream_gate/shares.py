"""The known classes' shares in the stream, from the cores of the classes alone; and weights that give them to others.

    C_jk   of held-out items of class k, the share in the core of class j (nearest class j, p-value above a half)
    c_j    of the window, the share in the core of class j
    pi     argmin |C pi - c|, pi >= 0

That is black-box shift estimation (Lipton, Wang and Smola 2018, arXiv:1802.03916) on cores. A new class may lie in the
region of a known one, seldom in its core: with whole regions in place of cores it would pass for a larger share of
that class. What pi lacks to 1 is new.
"""

import numpy as np
from scipy.optimize import nnls

from service.clustering.stream_gate import constants
from service.records import Float32s, Float64s, Int32s, Int64s


def cores(nearest: Int64s, p: Float64s) -> Int32s:
    """int32 (B,): the class in whose core an item lies, -1 for none.

    Args:
        nearest: int64 (B,) class of the largest p-value.
        p: float64 (B,) that p-value.
    """
    return np.where(p > constants.CORE, nearest, -1).astype(np.int32)


def core_confusion(p: Float32s, labels: Int64s) -> Float64s:
    """float64 (K, K): C.

    Args:
        p: float32 (N, K) p-values of held-out items.
        labels: int64 (N,) their classes.
    """
    K = p.shape[1]
    best = p.argmax(axis=1)
    in_core = p.max(axis=1) > constants.CORE
    out = np.zeros((K, K))
    np.add.at(out, (best[in_core], labels[in_core]), 1.0)
    return np.asarray(out / np.maximum(np.bincount(labels, minlength=K), 1), dtype=np.float64)


def estimated_shares(confusion: Float64s, cores: Int32s) -> Float64s:
    """float64 (K,): pi, each at least LEAST_SHARE.

    Args:
        confusion: float64 (K, K), C.
        cores: int32 (n,) of the window's items, see `cores`.
    """
    counts = np.bincount(cores[cores >= 0], minlength=len(confusion))
    shares, _ = nnls(confusion, np.asarray(counts / max(len(cores), 1), dtype=np.float64))
    return np.maximum(shares, constants.LEAST_SHARE)


def mass(shares: Float64s, labels: Int64s, counts: Int64s) -> Float64s:
    """float64 (n,): weights of held-out items that give each class its share of 1 in all.

    Args:
        shares: float64 (K,), above 0.
        labels: int64 (n,) classes of the items, n at least 1.
        counts: int64 (K,) how many there are of each.
    """
    there = np.where(counts > 0, shares, 0.0)
    per_item = there / there.sum() / np.maximum(counts, 1)
    return np.asarray(per_item[labels], dtype=np.float64)
