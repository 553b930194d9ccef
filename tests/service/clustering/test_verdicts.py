"""Verdicts say what was said, in words; and all of it is counted."""

import numpy as np

from service.clustering.chronicle import Chronicle
from service.clustering.verdicts import tally, verdicts_of
from service.records import NO_CLUSTER, Observed, VerdictKind

SAID = [
    (VerdictKind.KNOWN, NO_CLUSTER, 0.25),
    (VerdictKind.CLUSTER, 7, 0.99),
    (VerdictKind.OUTLIER, NO_CLUSTER, 1.0),
    (VerdictKind.KNOWN, NO_CLUSTER, 0.5),
]


def observed(B: int) -> Observed:
    return Observed(
        first_seq=40,
        ids=tuple("abcd"[:B]),
        t=np.zeros(B),
        nearest=np.array([1, 0, 1, 1], dtype=np.int64)[:B],
        accepted=np.ones(B, dtype=np.bool_),
        fed=np.zeros(B, dtype=np.bool_),
        core=np.zeros(B, dtype=np.int32),
        claimed=np.zeros(B, dtype=np.int64),
        taken=np.zeros(B, dtype=np.int64),
        novelty=np.zeros(B),
        distance=np.array([1.0, 2.0, 3.0, 4.0])[:B],
        features=np.zeros((B, 0), dtype=np.float16),
        z_fed=np.empty((0, 2), dtype=np.float32),
    )


def test_a_verdict_an_item() -> None:
    """A class has a label, a cluster its id, an outlier neither; places follow each other."""
    found = verdicts_of(observed(4), SAID, ("cat", "dog"))

    assert [
        ("a", 40, VerdictKind.KNOWN, "dog", None, 0.25, "dog", 1.0),
        ("b", 41, VerdictKind.CLUSTER, None, 7, 0.99, "cat", 2.0),
        ("c", 42, VerdictKind.OUTLIER, None, None, 1.0, "dog", 3.0),
        ("d", 43, VerdictKind.KNOWN, "dog", None, 0.5, "dog", 4.0),
    ] == [(v.id, v.seq, v.verdict, v.label, v.cluster_id, v.novelty, v.nearest, v.distance) for v in found]
    assert () == verdicts_of(observed(0), [], ("cat", "dog"))


def test_all_is_counted() -> None:
    """By kind; known ones also by class, on top of what was counted before."""
    kinds, known = dict.fromkeys(VerdictKind, 1), np.array([5, 5], dtype=np.int64)
    tally(observed(4), SAID, kinds, known, Chronicle())
    tally(observed(0), [], kinds, known, Chronicle())

    assert {VerdictKind.KNOWN: 3, VerdictKind.CLUSTER: 2, VerdictKind.OUTLIER: 2} == kinds
    assert [5, 7] == known.tolist()
