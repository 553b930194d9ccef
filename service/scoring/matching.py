"""Macro-F1 with a cluster for each unseen class, one to one, on labels as they were emitted.

A known class c is answered by its own name, an unseen one by the cluster mapped to it. With n_c items of class c,
m_j items answered with j and n_cj of both,

    F1(c, j) = 2 n_cj / (n_c + m_j)

and the macro-F1 is its mean over all known and unseen classes that the stream has. A cluster stands for one class
at most and a class has one cluster at most; of all such mappings the one with the highest macro-F1 is taken
(Kuhn 1955, the Hungarian method), so the figure does not depend on how clusters are numbered. "Outlier" answers
no class. So every item that came before its class was discovered is an error, a second fragment of a class is
one, and neither calling all items outliers nor putting all into one cluster, nor each into one of its own, pays.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from service.records import NO_CLUSTER, Float64s
from service.scoring.answers import Answers


@dataclass(frozen=True, kw_only=True, slots=True)
class MacroF1:
    """Macro-F1, over all classes of the stream and over either kind; None where there is none of it.

    Attributes:
        all: Known and unseen.
        known: The known ones.
        unseen: The unseen ones.
    """

    all: float | None
    known: float | None
    unseen: float | None


def macro_f1(answers: Answers) -> MacroF1:
    """The three of them."""
    known = [_f1(answers, k) for k in range(len(answers.known)) if (answers.y == k).any()]
    there = [u for u in range(len(answers.unseen)) if (answers.y == len(answers.known) + u).any()]
    grid = f1_grid(answers)[there]
    rows, columns = linear_sum_assignment(-grid)
    unseen = np.zeros(len(there))
    unseen[rows] = grid[rows, columns]
    return MacroF1(all=_mean([*known, *unseen]), known=_mean(known), unseen=_mean(unseen.tolist()))


def f1_grid(answers: Answers) -> Float64s:
    """F1 of every unseen class with every cluster that an item was answered with: float64 (U, clusters by id)."""
    ids, column = np.unique(answers.cluster, return_inverse=True)
    grid = np.zeros((len(answers.known) + len(answers.unseen), len(ids)))
    np.add.at(grid, (answers.y, column), 1)
    sizes, totals = grid.sum(axis=1, keepdims=True), grid.sum(axis=0, keepdims=True)
    f1: Float64s = np.divide(2 * grid, sizes + totals, out=np.zeros_like(grid), where=grid > 0)
    return f1[len(answers.known) :, ids != NO_CLUSTER]


def _f1(answers: Answers, k: int) -> float:
    own, said = answers.y == k, answers.label == k
    return float(2 * (own & said).sum() / (own.sum() + said.sum()))


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
