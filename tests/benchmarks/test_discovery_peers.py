"""Peers answer before they learn, what they answer becomes what firstseen would have said, and time is bounded."""

import numpy as np
import pytest
from river import cluster

from benchmarks.clusterer_peers import RiverPeer
from benchmarks.discovery_cells import Cell
from benchmarks.discovery_peers import (
    BLOCK,
    OUTLIER,
    Alone,
    AtLeast,
    BehindGate,
    Classifier,
    MacroClusters,
    OneByOne,
    Steps,
    TooSlow,
    owners,
    verdicts_of,
)
from benchmarks.discovery_rbf import Blobs, cell_of
from benchmarks.streams import Float64s, Int64s, drifting
from service.records import Float32s, VerdictKind

X = drifting(items=300, seed=0, d=3, classes=4, travel=1.0).x


@pytest.fixture(scope="module")
def cell(few_blobs: Blobs) -> Cell:
    """Two known classes of scattered blobs, on raw numbers and a few features of them."""
    return cell_of(few_blobs, rate=0.1)


class Noting:
    """A clusterer that answers with how much it has learnt, and notes what it is asked and told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.learnt = 0

    def learn_many(self, x: Float64s) -> None:
        self.calls.append(("learn", len(x)))
        self.learnt += len(x)

    def predict_many(self, x: Float64s) -> Int64s:
        self.calls.append(("predict", len(x)))
        return np.full(len(x), self.learnt or -1, dtype=np.int64)


class Constant:
    """Answers class 1, and that nothing is new."""

    def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:
        assert len(z) == len(x) <= BLOCK
        return np.ones(len(z), dtype=np.int64), np.zeros(len(z))


def test_answers_become_verdicts() -> None:
    """A class below K, nothing, and clusters from 1 on."""
    said = np.array([1, OUTLIER, 2, 5], dtype=np.int64)
    verdicts = verdicts_of(
        ("a", "b"), ("w", "x", "y", "z"), said, np.array([0.1, 0.9, 1.0, 1.0]), first_seq=7
    )

    assert [VerdictKind.KNOWN, VerdictKind.OUTLIER, VerdictKind.CLUSTER, VerdictKind.CLUSTER] == [
        v.verdict for v in verdicts
    ]
    assert ["b", None, None, None] == [v.label for v in verdicts]
    assert [None, None, 1, 4] == [v.cluster_id for v in verdicts]
    assert [7, 8, 9, 10] == [v.seq for v in verdicts]


def test_a_batch_is_answered_block_by_block_in_order(cell: Cell) -> None:
    """A verdict an item, whatever the size of the batch."""
    steps = Steps(cell, Constant(), limit_s=10.0)
    ids = tuple(map(str, range(60)))
    first = steps.step(cell.z_pool[:40], ids[:40], np.zeros(40)).verdicts
    rest = steps.step(cell.z_pool[40:60], ids[40:], np.zeros(20)).verdicts

    assert list(ids) == [v.id for v in (*first, *rest)]
    assert list(range(60)) == [v.seq for v in (*first, *rest)]
    assert {"1"} == {v.label for v in (*first, *rest)}


def test_who_takes_too_long_is_stopped(cell: Cell) -> None:
    """After the block in which the time was up."""
    with pytest.raises(TooSlow):
        Steps(cell, Constant(), limit_s=-1.0).step(cell.z_pool[:1], ("a",), np.zeros(1))


def test_behind_the_gate_only_refused_items_are_seen(cell: Cell) -> None:
    """Asked, then learnt; the others have the gate's class, and all have the gate's novelty."""
    clusterer = Noting()
    peer = BehindGate(cell, clusterer, rate=0.1)
    z = cell.z_pool[:100]
    nearest, p = cell.p(z)
    refused = p <= 0.1
    said, novelty = peer.answer(z, cell.space(z))
    again, _ = peer.answer(z, cell.space(z))

    assert 0 < refused.sum() < 100
    assert [("predict", refused.sum()), ("learn", refused.sum())] * 2 == clusterer.calls
    assert nearest[~refused].tolist() == said[~refused].tolist()
    assert {OUTLIER} == set(said[refused].tolist())  # nothing was learnt yet
    assert {refused.sum() + len(cell.labels)} == set(again[refused].tolist())
    assert (1.0 - p).tolist() == novelty.tolist()


def test_a_rate_of_nothing_refuses_nothing(cell: Cell) -> None:
    """And the clusterer is left alone."""
    clusterer = Noting()
    BehindGate(cell, clusterer, rate=0.0).answer(cell.z_pool[:20], cell.space(cell.z_pool[:20]))

    assert clusterer.calls == []


def test_a_cluster_is_that_of_the_class_with_the_largest_part() -> None:
    """Of at least a twentieth; small classes are not outvoted by large ones, and no cluster is nobody's."""
    classes = np.array([0] * 40 + [1] * 20, dtype=np.int64)
    found = np.array([7] * 38 + [8, -1] + [8] * 19 + [9], dtype=np.int64)

    assert {7: 0, 8: 1, 9: 1} == owners(found, classes, 2)
    assert {7: 0} == owners(np.array([7] * 40), classes[:40], 1)
    assert {} == owners(np.array([9] + [-1] * 39), np.zeros(40, dtype=np.int64), 1)


def test_alone_it_has_learnt_the_known_items_and_learns_all_others(cell: Cell) -> None:
    """A cluster with references is a known class; without, it is new."""

    class Sides:
        """Two clusters by the first coordinate of the references, a third for what comes later."""

        def __init__(self) -> None:
            self.learnt = 0

        def learn_many(self, x: Float64s) -> None:
            self.learnt += len(x)

        def predict_many(self, x: Float64s) -> Int64s:
            mine = len(x) - 2 * 20
            return np.array([3] * mine + [0] * 20 + [1] * 20, dtype=np.int64)

    clusterer = Sides()
    peer = Alone(cell, clusterer)
    before = clusterer.learnt
    z = cell.z_pool[:10]
    said, novelty = peer.answer(z, cell.space(z))

    assert len(cell.z_fit) == before
    assert before + 10 == clusterer.learnt
    assert [3 + len(cell.labels)] * 10 == said.tolist()
    assert [1.0] * 10 == novelty.tolist()


def test_a_classifier_learns_the_known_classes_first(cell: Cell) -> None:
    """In the cluster space, with their numbers; what it answers is passed on."""

    class Taught:
        def learn_many(self, x: Float64s, y: Int64s) -> None:
            self.x, self.y = x, y

        def predict_many(self, x: Float64s) -> Int64s:
            return np.array([0, OUTLIER, 2][: len(x)], dtype=np.int64)

    detector = Taught()
    peer = Classifier(cell, detector)
    said, novelty = peer.answer(cell.z_pool[:3], cell.space(cell.z_pool[:3]))

    assert detector.x == pytest.approx(cell.space(cell.z_fit))
    assert cell.y_fit.tolist() == detector.y.tolist()
    assert ([0, OUTLIER, 2], [0.0, 1.0, 1.0]) == (said.tolist(), novelty.tolist())


def test_one_by_one_each_item_is_asked_for_alone() -> None:
    """And known items are learnt all at once."""

    class Sizes:
        sizes: list[int] = []  # noqa: RUF012 - noted for this test alone

        def learn_many(self, x: Float64s, y: Int64s) -> None:  # noqa: ARG002
            self.sizes.append(len(x))

        def predict_many(self, x: Float64s) -> Int64s:
            self.sizes.append(len(x))
            return np.array([len(self.sizes)] * len(x), dtype=np.int64)

    detector = OneByOne(Sizes())
    detector.learn_many(X[:5], np.zeros(5, dtype=np.int64))

    assert [2, 3, 4] == detector.predict_many(X[:3]).tolist()
    assert [5, 1, 1, 1] == Sizes.sizes


def test_small_classes_are_repeated_until_they_are_large_enough() -> None:
    """The others are learnt as they are; each item comes with its class."""

    class Taught:
        def learn_many(self, x: Float64s, y: Int64s) -> None:
            self.x, self.y = x, y

        def predict_many(self, x: Float64s) -> Int64s:
            return np.zeros(len(x), dtype=np.int64)

    detector = Taught()
    peer = AtLeast(detector, 3)
    y = np.array([1, 0, 0, 1, 0, 0, 2], dtype=np.int64)
    peer.learn_many(np.arange(7.0)[:, None], y)

    assert [0, 0, 0, 0, 1, 1, 1, 2, 2, 2] == detector.y.tolist()
    assert [1, 2, 4, 5, 0, 3, 0, 6, 6, 6] == detector.x[:, 0].tolist()
    assert [0, 0] == peer.predict_many(np.zeros((2, 1))).tolist()


def makers() -> tuple[cluster.DBSTREAM, cluster.DenStream]:
    return (
        cluster.DBSTREAM(clustering_threshold=0.7, fading_factor=1e-3, minimum_weight=1.5),
        cluster.DenStream(
            epsilon=0.6, decaying_factor=0.02, beta=0.5, mu=3.0, n_samples_init=50, stream_speed=20
        ),
    )


@pytest.mark.parametrize("which", [0, 1], ids=["DBSTREAM", "DenStream"])
def test_asking_once_for_a_block_gives_what_asking_for_each_item_gives(which: int) -> None:
    """River's own rule, but that it has no cluster before it has one."""
    quick, plain = MacroClusters(makers()[which]), RiverPeer(makers()[which])
    had_none = had_some = False
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        expected, found = plain.predict_many(block), quick.predict_many(block)
        if (found < 0).any():
            had_none = True
            assert {-1} == set(found.tolist())
        else:
            had_some = True
            assert expected.tolist() == found.tolist()
        plain.learn_many(block)
        quick.learn_many(block)

    assert had_none
    assert had_some
