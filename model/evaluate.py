"""What a trained and calibrated embedding is worth, on items neither has met.

Two sets of items that played no part: `fresh` of known classes and `unseen`, every item of the held-out ones.

    known_accuracy        share of fresh items whose best class is their own
    known_error_rate      share of fresh items called new at the bundle's rate; should be near that rate
    known_error_rate_low  its 95 % interval (`model/achieved.py`), in which the bundle's rate should lie
    known_error_rate_high
    fresh_items           how many there were
    auroc                 chance that a random unseen item is stranger than a random fresh one
    fpr95                 share of unseen items taken for known where 95 % of fresh ones are accepted
    caught/<label>        share of a held-out class called new at the bundle's rate
    cluster_accuracy      unseen items, k-means in the cluster space with k told: share in the right cluster,
                          clusters matched to classes one to one (Kuhn 1955, the Hungarian method)
    cluster_nmi           the same partition's normalised mutual information with the classes

The last two ask whether new classes come apart from *each other*; no online method may be expected to do
better than one that is told k. What involves held-out classes is None where there are none, and the cluster
measures where there is only one. How strange an item is, is its smallest score over the classes.

`service/scoring/gate.py` and `ceiling.py` measure AUROC, FPR95 and the k-means partition of a stream, and neither side
may import the other; they must agree, which their tests hold.

The best class is the one with the largest p-value, ties going to the smallest score: the rule of the service.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score, roc_auc_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from model.achieved import interval
from model.bundle import KnownArrays
from model.calibrate import overall_p, p_values

_ACCEPTED = 0.95
_STARTS = 10

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]


def evaluate(
    known: KnownArrays,
    *,
    z_fresh: Float32s,
    y_fresh: Int64s,
    z_unseen: Float32s,
    y_unseen: Int64s,
    unseen_labels: tuple[str, ...],
    known_error_rate: float,
    seed: int,
) -> dict[str, float | None]:
    """Measure everything named at the top of this file.

    Args:
        known: the calibrated arrays.
        z_fresh: float32 (N, D), embeddings of fresh known items, N at least 1.
        y_fresh: int64 (N,), known classes.
        z_unseen: float32 (U, D), embeddings of unseen items, possibly none.
        y_unseen: int64 (U,), index into `unseen_labels`, each occurring.
        unseen_labels: the held-out classes, possibly none.
        known_error_rate: the rate to call new at.
        seed: of k-means.

    Returns:
        By name; all but `fresh_items` are shares in 0..1.
    """
    stranger = known.gate(z_fresh)
    p = p_values(stranger, known)
    best = np.lexsort((stranger, -p), axis=-1)[:, 0]
    refused = overall_p(p.max(1), known) <= known_error_rate
    low, high = interval(int(refused.sum()), len(refused))
    metrics: dict[str, float | None] = {
        "known_accuracy": float((best == y_fresh).mean()),
        "known_error_rate": float(refused.mean()),
        "known_error_rate_low": low,
        "known_error_rate_high": high,
        "fresh_items": float(len(refused)),
        "auroc": None,
        "fpr95": None,
        "cluster_accuracy": None,
        "cluster_nmi": None,
    }
    if not unseen_labels:
        return metrics
    fresh_strangeness = stranger.min(1)
    stranger_unseen = known.gate(z_unseen)
    unseen_strangeness = stranger_unseen.min(1)
    metrics["auroc"] = auroc(fresh_strangeness, unseen_strangeness)
    metrics["fpr95"] = fpr95(fresh_strangeness, unseen_strangeness)
    called_new = overall_p(p_values(stranger_unseen, known).max(1), known) <= known_error_rate
    for k, label in enumerate(unseen_labels):
        metrics[f"caught/{label}"] = float(called_new[y_unseen == k].mean())
    if len(unseen_labels) > 1:
        found = oracle_clusters(
            (z_unseen - known.cluster_mean) @ known.cluster_projection, clusters=len(unseen_labels), seed=seed
        )
        metrics["cluster_accuracy"] = cluster_accuracy(y_unseen, found)
        metrics["cluster_nmi"] = float(normalized_mutual_info_score(y_unseen, found))
    return metrics


def auroc(fresh: Float64s, unseen: Float64s) -> float:
    """Return P(unseen > fresh) + P(equal) / 2 over random pairs of strangeness: (N,), (U,) -> 0..1."""
    novel = np.concatenate([np.zeros(len(fresh)), np.ones(len(unseen))])
    return float(roc_auc_score(novel, np.concatenate([fresh, unseen])))


def fpr95(fresh: Float64s, unseen: Float64s) -> float:
    """Return the share of unseen items accepted at the smallest threshold that accepts 95 % of fresh ones.

    Known items count as positives, as in Liang, Li and Srikant 2018 (ODIN); an item is accepted when its
    strangeness does not exceed the threshold.
    """
    threshold = np.sort(fresh)[int(np.ceil(_ACCEPTED * len(fresh))) - 1]
    return float((unseen <= threshold).mean())


def oracle_clusters(points: NDArray[np.floating[Any]], *, clusters: int, seed: int) -> Int64s:
    """Return k-means with the true k, best of ten starts: (U, C) -> int64 (U,)."""
    with threadpool_limits(limits=1):  # partial sums of several threads may be added in any order
        found = KMeans(n_clusters=clusters, n_init=_STARTS, random_state=seed).fit_predict(points)
    return np.asarray(found, dtype=np.int64)


def cluster_accuracy(y: Int64s, found: Int64s) -> float:
    """Return the share of items in their class's cluster under the best one-to-one matching.

    Args:
        y: int64 (U,), true classes from 0.
        found: int64 (U,), clusters from 0.

    Returns:
        0..1; clusters beyond the number of classes match nothing.
    """
    table = np.zeros((int(y.max()) + 1, int(found.max()) + 1), dtype=np.int64)
    np.add.at(table, (y, found), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(y))
