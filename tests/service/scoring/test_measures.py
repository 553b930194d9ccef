"""All measures together: the table describes each, and cheats get what they deserve."""

from dataclasses import fields

import numpy as np
import pytest

from service.scoring.answers import Answers
from service.scoring.measures import MEASURES, Measure, Measures, measure, written
from tests.service.answered import answers

LABELS = "ab" * 40 + "abx" * 20 + "abxy" * 20


def of(said: list[str]) -> Measures:
    return measure(answers(LABELS, " ".join(said)), seed=0).measures


HONEST = of([{"x": "1", "y": "2"}.get(label, label) for label in LABELS])
CHEATS = {
    "everything an outlier": of(["."] * len(LABELS)),
    "everything in one cluster": of(["1"] * len(LABELS)),
    "a cluster for every item": of([str(n + 1) for n in range(len(LABELS))]),
    "a cluster for every new item": of([str(n + 1) if c in "xy" else c for n, c in enumerate(LABELS)]),
    "everything known": of(["a"] * len(LABELS)),
}


def test_every_field_is_described() -> None:
    """In the order of the fields."""
    assert [field.name for field in fields(Measures)] == list(MEASURES)
    assert all(name == m.name for name, m in MEASURES.items())


def test_a_perfect_stream() -> None:
    """Nothing is left to want."""
    assert (1.0, 0.0, 0.0, 0.0) == (HONEST.known_accuracy, HONEST.fnew, HONEST.mnew, HONEST.err)
    assert (1.0, 2, 1.0, 0, 0.0) == (
        HONEST.macro_f1,
        HONEST.classes_found,
        HONEST.fragments,
        HONEST.false_clusters,
        HONEST.id_switches,
    )
    assert (1.0, 1.0, 1.0, 1.0) == (HONEST.accuracy, HONEST.nmi, HONEST.ari, HONEST.auroc)


@pytest.mark.parametrize("cheat", CHEATS)
def test_cheats(cheat: str) -> None:
    """None of them finds a class, or has half of an honest stream's figures."""
    got = CHEATS[cheat]

    assert 0 == got.classes_found
    assert got.macro_f1 is not None
    assert got.macro_f1 <= (0.55 if cheat == "a cluster for every new item" else 0.2)  # its gate is perfect
    assert got.macro_f1_unseen is not None
    assert got.macro_f1_unseen < 0.3
    assert got.accuracy is not None
    assert got.accuracy < 0.76  # one cluster for all holds the larger of two classes
    assert got.ari == pytest.approx(0.0, abs=0.02)


def test_alarms_are_counted() -> None:
    """A cluster for every item is an alarm for every known one."""
    many = CHEATS["a cluster for every item"]

    assert many.known_items == many.false_clusters
    assert many.false_per_10k == pytest.approx(10_000 * many.false_clusters / many.items)
    assert 1 == CHEATS["everything in one cluster"].false_clusters


def test_taking_back_does_not_pay() -> None:
    """Announce everything, take back what is known: as many false clusters, and found is what stayed.

    Take back what is new, too, and nothing is found, with every item of it missed.
    """
    said = " ".join({"a": "3", "b": "4", "x": "1", "y": "2"}[label] for label in LABELS)
    end = len(LABELS) - 1
    kept, known, all_of_it = (
        measure(answers(LABELS, said, drifted_at=dict.fromkeys(clusters, end))).measures
        for clusters in ((), (3, 4), (1, 2, 3, 4))
    )

    assert 2 == kept.false_clusters == known.false_clusters == all_of_it.false_clusters
    assert [0, 2, 2] == [m.corrected for m in (kept, known, all_of_it)]
    assert [0, 2, 4] == [m.drifts_told for m in (kept, known, all_of_it)]
    assert [0, 0, 2] == [m.unseen_told_as_drift for m in (kept, known, all_of_it)]
    assert [2, 2, 0] == [m.classes_found for m in (kept, known, all_of_it)]
    assert [0.0, 0.0, 1.0] == [m.mnew for m in (kept, known, all_of_it)]
    assert kept.macro_f1 == known.macro_f1 == all_of_it.macro_f1


def test_null_stream() -> None:
    """Without anything new, what is about new items is none, and every cluster is false."""
    found = measure(answers("aab", "a 1 b"), {"z": np.zeros((3, 2))}).measures

    assert (0, 0, 1) == (found.classes_unseen, found.classes_found, found.false_clusters)
    for name in ("auroc", "mnew", "nmi", "delay_median", "fragments", "oracle_nmi", "macro_f1_unseen"):
        assert getattr(found, name) is None


def test_empty() -> None:
    """Not even an empty stream is an error."""
    assert 0 == measure(answers("", "")).measures.items


def test_oracle_is_of_the_best_space() -> None:
    """The ceiling in the table is the first of the spaces."""
    z = np.array([[0.0], [10.0], [0.1], [10.1]])
    found = measure(answers("xyxy", ". . . ."), {"mixed": z[[0, 1, 1, 0]], "z": z})

    assert ["z", "mixed"] == [top.space for top in found.ceilings]
    assert 1.0 == found.measures.oracle_accuracy


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("share", 0.12345, "0.123"),
        ("count", 12000.0, "12,000"),
        ("count", 1.5, "1.5"),
        ("number", 26.0, "26.0"),
        ("share", None, "-"),
    ],
)
def test_written(kind: str, value: float | None, expected: str) -> None:
    """As people read it."""
    example = Measure(name="m", title="m", formula="", better="more", written=kind)  # type: ignore[arg-type]
    assert expected == written(example, value)


def test_order_of_items_is_what_time_is() -> None:
    """What is about time changes with the order, what is not does not."""

    def turned(found: Answers) -> Measures:
        return measure(found).measures

    forth = turned(answers("aaxxxxxx", "a . . 1 1 1 1 1"))
    back = turned(answers("xxxxxxaa", "1 1 1 1 1 . . a"))

    assert forth.delay_median != back.delay_median
    assert (forth.auroc, forth.macro_f1, forth.err) == (back.auroc, back.macro_f1, back.err)
