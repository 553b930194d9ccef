"""NMI, ARI and accuracy of the unseen items, and switches of ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from service.scoring.clusters import classes, judge
from service.scoring.partition import compare, id_switches, partition_of
from tests.service.answered import answers

LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=40)


@given(LABELS, st.data())
def test_as_others_compute_it(y: list[int], data: st.DataObject) -> None:
    """NMI and ARI agree with scikit-learn's, "none" being one more cluster."""
    found = data.draw(st.lists(st.integers(0, 4), min_size=len(y), max_size=len(y)))
    ours = compare(np.array(y), np.array(found))

    if len(set(y)) > 1:
        assert ours.nmi == pytest.approx(normalized_mutual_info_score(y, found), abs=1e-9)
        assert ours.ari == pytest.approx(adjusted_rand_score(y, found), abs=1e-9)
    else:
        assert (None, None) == (ours.nmi, ours.ari)


def test_accuracy() -> None:
    """Two of three x in cluster 1, one of two y in cluster 2, one item nowhere: 3 of 5."""
    assert 3 / 5 == partition_of(answers("a xxx yy", "a 1 1 2 2 .")).accuracy


def test_none_matches_no_class() -> None:
    """Calling all outliers, or taking all for known, is worth nothing."""
    for said in (". . . .", "a a b b"):
        found = partition_of(answers("xxyy", said))

        assert (0.0, 0.0) == (found.accuracy, found.nmi)
        assert found.ari == pytest.approx(0.0)


def test_a_cluster_for_every_item_is_luck() -> None:
    """ARI sees through it, where NMI does not quite."""
    found = partition_of(answers("xxxyyy", "1 2 3 4 5 6"))

    assert found.ari == pytest.approx(0.0)
    assert 2 / 6 == found.accuracy


@given(LABELS, st.permutations([1, 2, 3, 4]))
def test_numbers_mean_nothing(found: list[int], order: list[int]) -> None:
    """Renumbering clusters changes nothing; "none" stays what it is."""
    y = np.arange(len(found)) % 2
    renumbered = [order[c - 1] if c else 0 for c in found]
    before, after = compare(y, np.array(found)), compare(y, np.array(renumbered))

    assert before.accuracy == after.accuracy
    assert before.nmi == pytest.approx(after.nmi)
    assert before.ari == pytest.approx(after.ari)


def test_nothing() -> None:
    """No unseen item, no partition."""
    assert partition_of(answers("a", "a")).accuracy is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1 " * 9, 0.0),
        ("1 1 1 1 1 1 2 2 2", 1 / 7),
        ("1 1 1 1 1 2 1 2 1", 4 / 7),
        ("1 1 1 1 1 . a . 1", 0.0),
        (". " * 9, None),
    ],
)
def test_switches(said: str, expected: float | None) -> None:
    """Of consecutive items after the discovery; outliers between them are skipped."""
    found = answers("x" * 9, said)
    assert expected == id_switches(found, classes(found, judge(found)))


def test_classes_do_not_meet() -> None:
    """Items of two classes that alternate are no switch."""
    found = answers("xy" * 8, "1 2 " * 8)

    assert 0.0 == id_switches(found, classes(found, judge(found)))
