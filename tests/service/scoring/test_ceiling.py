"""The oracle's ceiling: what is told k does as well as can be done, and the stream does not exceed it."""

import numpy as np

from model import evaluate
from service.records import Float64s
from service.scoring.ceiling import ceilings, oracle_clusters
from service.scoring.matching import macro_f1
from service.scoring.partition import compare
from tests.service.answered import answers


def apart(labels: str) -> Float64s:
    """Every class at a place of its own, and a little spread."""
    rng = np.random.default_rng(0)
    return np.array([[10.0 * ord(label), 0.0] for label in labels]) + rng.normal(size=(len(labels), 2))


def test_apart() -> None:
    """Classes that lie apart are parted; k is told."""
    labels = "xy" * 10
    found = oracle_clusters(apart(labels), 2, seed=0)

    assert {1, 2} == set(found.tolist())
    assert 1 == len(set(found[::2].tolist()))
    assert 1 == len(set(found[1::2].tolist()))


def test_any_seed() -> None:
    """A stream may have a seed that k-means does not take."""
    assert {1, 2} == set(oracle_clusters(apart("xy" * 10), 2, seed=10**40).tolist())


def test_ceiling() -> None:
    """All known are right, half of the unseen caught, none clustered: the gate costs the one, clustering the other."""
    labels = "aa" + "xy" * 4
    said = answers(labels, "a a " + "a . . . " + ". a . a")
    (top,) = ceilings(said, {"here": apart(labels)}, seed=0)

    assert (1.0, 1.0, 1.0) == (top.accuracy, top.nmi, top.ari)
    assert 1.0 == top.f1_any_gate
    assert macro_f1(said).all is not None
    assert top.f1_this_gate is not None
    assert macro_f1(said).all < top.f1_this_gate < 1.0  # type: ignore[operator]  # asserted above


def test_the_card_and_the_replay_part_the_same() -> None:
    """The trainer has k-means told k by itself, since neither side may import the other; and its accuracy."""
    y = np.arange(90) % 3
    points = 2.0 * np.eye(3)[y] + np.random.default_rng(2).normal(size=(90, 3))
    ours, theirs = oracle_clusters(points, 3, seed=5), evaluate.oracle_clusters(points, clusters=3, seed=5)

    assert (ours - 1).tolist() == theirs.tolist()
    assert compare(y, ours).accuracy == evaluate.cluster_accuracy(y, theirs) < 1


def test_best_space_first() -> None:
    """Of several spaces the one with the higher accuracy comes first, and has its name."""
    labels = "xy" * 10
    heap = np.random.default_rng(1).normal(size=(20, 2))
    tops = ceilings(answers(labels, ". " * 20), {"heap": heap, "apart": apart(labels)}, seed=0)

    assert ["apart", "heap"] == [top.space for top in tops]


def test_nothing_unseen() -> None:
    """A null stream has no ceiling."""
    assert () == ceilings(answers("aa", "a a"), {"here": apart("aa")}, seed=0)


def test_one_class() -> None:
    """One unseen class is parted from nothing: accuracy 1, and no NMI."""
    (top,) = ceilings(answers("axx", "a . ."), {"here": apart("axx")}, seed=0)

    assert (1.0, None) == (top.accuracy, top.nmi)
