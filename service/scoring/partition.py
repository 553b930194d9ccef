"""How do the answers part the unseen items, and do a class's answers stay the same?

For items of unseen classes, the verdict of each as it was emitted: the cluster, or none. "None" is one label for
all items without a cluster, be they outliers or taken for a known class; a classifier that calls one new class "4"
and another "9" has parted them and discovered neither.

    ACC   share of the items in the cluster of their class, clusters matched to classes one to one for the most
          (Kuhn 1955); "none" matches no class
    NMI   2 I(class; answer) / (H(class) + H(answer)), "none" being one answer
    ARI   adjusted Rand index (Hubert & Arabie 1985), likewise; 0 is luck, so also a cluster for each item

    id switches   of pairs of consecutive items of a class, after it was found, that were both answered with a
          cluster (others between them are skipped), the share with two different ids: the mismatches of CLEAR
          MOT (Bernardin & Stiefelhagen 2008), per opportunity. Renumbering all clusters changes nothing, a
          class that alternates between two fragments switches all the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import comb, xlogy

from service.records import NO_CLUSTER, Float64s, Int64s
from service.scoring.answers import Answers
from service.scoring.clusters import ClassScore


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """ACC, NMI and ARI of one partition; the last two are None with fewer than two classes."""

    accuracy: float | None
    nmi: float | None
    ari: float | None


def partition_of(answers: Answers) -> Partition:
    """Of the unseen items by the cluster they were answered with."""
    unseen = answers.is_unseen
    return compare(answers.y[unseen], answers.cluster[unseen])


def compare(y: Int64s, found: Int64s) -> Partition:
    """Compare classes and clusters.

    Args:
        y: int64 (U,) classes.
        found: int64 (U,) clusters; NO_CLUSTER is none.
    """
    if not len(y):
        return Partition(accuracy=None, nmi=None, ari=None)
    ids, column = np.unique(found, return_inverse=True)
    classes, row = np.unique(y, return_inverse=True)
    table = np.zeros((len(classes), len(ids)))
    np.add.at(table, (row, column), 1)
    matched = table[:, ids != NO_CLUSTER]
    accuracy = float(matched[linear_sum_assignment(-matched)].sum() / len(y))
    if len(classes) < 2:
        return Partition(accuracy=accuracy, nmi=None, ari=None)
    return Partition(accuracy=accuracy, nmi=_nmi(table), ari=_ari(table))


def id_switches(answers: Answers, classes: Sequence[ClassScore]) -> float | None:
    """The share of switches over all classes that were found, or None where no pair can be compared."""
    switches = pairs = 0
    for own in classes:
        if own.found_at is None:
            continue
        after = answers.of(own.label) & (answers.cluster != NO_CLUSTER)
        after[: own.found_at + 1] = False
        ids = answers.cluster[after]
        switches += int((ids[1:] != ids[:-1]).sum())
        pairs += max(0, len(ids) - 1)
    return switches / pairs if pairs else None


def _nmi(table: Float64s) -> float:
    p = table / table.sum()
    h_class, h_found, h_both = (-float(xlogy(q, q).sum()) for q in (p.sum(1), p.sum(0), p))
    shared = max(0.0, h_class + h_found - h_both)
    return 2.0 * shared / (h_class + h_found)


def _ari(table: Float64s) -> float:
    n = table.sum()
    both, rows, columns = (float(comb(t, 2).sum()) for t in (table, table.sum(1), table.sum(0)))
    expected = rows * columns / comb(n, 2)
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else float((both - expected) / (largest - expected))
