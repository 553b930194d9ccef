"""What the figures show, counted."""

import numpy as np
import pytest

from service.report.pictures import KINDS, confusion, histogram, kinds, pictures, plane, timeline
from service.scoring.answers import Answers
from service.scoring.clusters import judge
from tests.service.answered import answers


def of(found: Answers) -> dict[str, int]:
    return dict(
        zip(KINDS, np.bincount(kinds(found, judge(found)), minlength=len(KINDS)).tolist(), strict=True)
    )


def test_kinds() -> None:
    """Every answer is of one kind."""
    found = answers("aaa x x x bb", "a b .  a . 1  2 a")

    assert {"right": 1, "confused": 2, "missed": 1, "outlier": 2, "false": 1, "found": 1} == of(found)


def test_timeline() -> None:
    """Bins hold every item once, and each class's items where they are."""
    found = answers("a" * 100 + "x" * 100, "a " * 100 + "1 " * 100)
    line = timeline(found, judge(found))
    items = np.diff(line.edges)

    assert (0, 200) == (line.edges[0], line.edges[-1])
    assert np.array_equal(items, np.sum(list(line.answers.values()), axis=0))
    assert sum(line.unseen["x"]) == 100
    assert 0 == sum(line.unseen["x"][: len(items) // 2])


@pytest.mark.parametrize("n", [0, 1, 4, 7, 1001])
def test_timeline_of_any_length(n: int) -> None:
    """Also of next to nothing."""
    found = answers("a" * n, "a " * n)
    line = timeline(found, ())

    assert n == sum(line.answers["right"]) == line.edges[-1]


def test_histogram() -> None:
    """Even in nines: half of the items of a uniform novelty are below .5, a tenth above .9."""
    novelty = np.arange(1000) / 1000
    found = histogram(novelty, np.zeros(1000, dtype=bool))
    share = np.cumsum(found.known) / 1000

    assert (1000, 0) == (sum(found.known), sum(found.unseen))
    assert len(found.edges) == len(found.known) + 1
    for edge, below in zip(found.edges[1:-1], share[:-1], strict=True):
        assert below == pytest.approx(edge, abs=0.002)


@pytest.mark.parametrize("novelty", [[], [1.0], [0.0, 0.0], [-3.0, 40.0], [2.0]])
def test_histogram_of_anything(novelty: list[float]) -> None:
    """Scores of other engines too, and none at all."""
    found = histogram(np.array(novelty), np.ones(len(novelty), dtype=bool))

    assert len(novelty) == sum(found.unseen)
    assert list(found.edges) == sorted(found.edges)


def test_confusion() -> None:
    """Every item once: clusters by the class they stand for, outliers, and what was taken for known."""
    found = answers("ab xxx yy", "a .  2 2 1  3 a")
    table = confusion(found, judge(found))

    assert ("cluster 2", "cluster 1", "cluster 3", "outlier", "known class") == table.rows
    assert ("x", "y", "a", "b") == table.columns
    assert ((2, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 0, 1), (0, 1, 1, 0)) == table.counts


def test_confusion_of_many() -> None:
    """Many clusters are told by the largest, many known classes as one."""
    labels = "x" * 60 + "abcdefghijklm"
    said = " ".join([*(str(n // 2 + 1) for n in range(60)), *"abcdefghijklm"])
    found = answers(labels, said)
    table = confusion(found, judge(found))

    assert ("x", "all 13 known") == table.columns
    assert 24 + 3 == len(table.rows)
    assert "other clusters" in table.rows
    assert (60, 13) == tuple(np.sum(table.counts, axis=0))


def test_plane() -> None:
    """Two classes that lie apart along one direction lie apart along x, which holds nearly all of the variance."""
    z = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32) * 0.1
    z[20:, 3] += 10.0
    found = plane(answers("x" * 20 + "y" * 20, "1 " * 20 + ". " * 19 + "a"), z)

    assert found is not None
    x = np.array(found.x)
    assert (np.sign(x[:20]) == -np.sign(x[20:])).all()
    assert found.explained[0] > 0.9
    assert (0, 1, 1, 0, -1) == (
        found.label[0],
        found.label[-1],
        found.answer[0],
        found.answer[20],
        found.answer[-1],
    )


def test_plane_of_next_to_nothing() -> None:
    """Two unseen items make no map; embeddings of one dimension, or all the same, do."""
    assert plane(answers("axx", "a . ."), np.zeros((3, 2), dtype=np.float32)) is None
    assert plane(answers("xxx", ". . ."), np.zeros((3, 2), dtype=np.float32)) is not None
    flat = plane(answers("xxx", ". . ."), np.array([[0], [1], [2]], dtype=np.float32))
    assert flat is not None
    assert (0.0, 0.0, 0.0) == flat.y


def test_plane_of_many() -> None:
    """A long stream is shown by some of its items, from its first to its last."""
    n = 3000
    found = plane(answers("x" * n, ". " * n), np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32))

    assert found is not None
    assert 1200 == len(found.x) == len(found.y) == len(found.label) == len(found.answer)


def test_all() -> None:
    """All of a run."""
    found = answers("aaxxx", "a a . 1 1")
    shown = pictures(found, judge(found), np.arange(10, dtype=np.float32).reshape(5, 2))

    assert shown.roc[0] == (0.0, 0.0)
    assert shown.plane is not None
