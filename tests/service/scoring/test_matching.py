"""Macro-F1 on paper, what it says of cheats, and that the numbers of clusters mean nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.scoring.matching import f1_grid, macro_f1
from tests.service.answered import answers

SAID = ["a", "b", ".", "1", "2", "3"]


def test_by_hand() -> None:
    """a: 2 of 2, answered twice: 1. x: 4 items, cluster 1 answered 3 times, 2 of it x: 4/7. y: 2, cluster 2 both: 1."""
    found = macro_f1(answers("aab xxxx yy", "a a 1  . a 1 1  2 2"))

    a, b, x, y = 2 * 2 / (2 + 3), 0.0, 2 * 2 / (4 + 3), 1.0
    assert found.known == pytest.approx((a + b) / 2)
    assert found.unseen == pytest.approx((x + y) / 2)
    assert found.all == pytest.approx((a + b + x + y) / 4)


def test_perfect() -> None:
    """Every item right from its first on."""
    assert 1.0 == macro_f1(answers("abxy", "a b 1 2")).all


def test_before_the_discovery() -> None:
    """Items answered with outlier before their class was found stay errors."""
    assert macro_f1(answers("x" * 10, ". " * 5 + "1 " * 5)).all == pytest.approx(2 * 5 / 15)


def test_one_cluster_one_class() -> None:
    """One cluster for two classes is worth one of them, and of two fragments of a class one counts."""
    assert macro_f1(answers("xxyy", "1 1 1 1")).all == pytest.approx((2 * 2 / 6) / 2)
    assert macro_f1(answers("xxxx", "1 1 2 2")).all == pytest.approx(2 * 2 / 6)


def test_all_outliers() -> None:
    """Flagging everything is worth nothing."""
    assert 0.0 == macro_f1(answers("aabbxx", ". . . . . .")).all


def test_all_in_one_cluster() -> None:
    """One cluster of everything is worth next to nothing: 2 of 10 items right, over three classes."""
    assert macro_f1(answers("aaaabbbbxx", "1 " * 10)).all == pytest.approx(2 * 2 / 12 / 3)


def test_a_cluster_for_every_item() -> None:
    """So is a cluster for every new item."""
    assert macro_f1(answers("x" * 9, "1 2 3 4 5 6 7 8 9")).all == pytest.approx(2 / 10)


def test_only_classes_of_the_stream() -> None:
    """A class without items is not counted, be it known or unseen."""
    found = macro_f1(answers("ab", "a a", unseen="xy"))

    assert (found.unseen, found.all) == (None, found.known)
    assert macro_f1(answers("", "", unseen="x")).all is None


@given(st.text("abxy", min_size=1, max_size=30), st.data(), st.permutations([1, 2, 3]))
def test_numbers_mean_nothing(labels: str, data: st.DataObject, order: list[int]) -> None:
    """Renumbering clusters changes no digit."""
    said = data.draw(st.lists(st.sampled_from(SAID), min_size=len(labels), max_size=len(labels)))
    renumbered = [str(order[int(s) - 1]) if s.isdigit() else s for s in said]

    assert macro_f1(answers(labels, " ".join(said), unseen="xy")).all == pytest.approx(
        macro_f1(answers(labels, " ".join(renumbered), unseen="xy")).all
    )


@given(st.text("axyz", min_size=1, max_size=20), st.data())
def test_the_best_of_all_mappings(labels: str, data: st.DataObject) -> None:
    """No other one-to-one mapping gives a higher figure: all are tried."""
    said = data.draw(st.lists(st.sampled_from(SAID), min_size=len(labels), max_size=len(labels)))
    found = answers(labels, " ".join(said), unseen="xyz")
    grid = np.hstack([f1_grid(found), np.zeros((3, 3))])
    there = [u for u, label in enumerate("xyz") if label in labels]
    best = max(
        sum(grid[u, c] for u, c in zip(there, columns, strict=True))
        for columns in itertools.permutations(range(grid.shape[1]), len(there))
    )

    if there:
        assert macro_f1(found).unseen == pytest.approx(best / len(there))
