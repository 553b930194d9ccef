"""Answers are scored as they were given, and settings are chosen by what they gave."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.clusterer_grids import ENTRIES, Entry
from benchmarks.clusterer_quality import (
    BLOCK,
    QualitySizes,
    choose,
    prequential,
    purity,
    quality,
    score_of,
    switches,
    verdict,
)
from benchmarks.streams import Float64s, Int64s, Stream


def ints(*values: int) -> Int64s:
    return np.array(values, dtype=np.int64)


class Knowing:
    """Answers with the first coordinate, once it has learnt something; notes what it was asked and told."""

    def __init__(self, answer: Callable[[Float64s], Int64s] = lambda x: x[:, 0].astype(np.int64)) -> None:
        self.answer = answer
        self.calls: list[tuple[str, int]] = []

    def learn_many(self, x: Float64s) -> None:
        self.calls.append(("learn", len(x)))

    def predict_many(self, x: Float64s) -> Int64s:
        self.calls.append(("predict", len(x)))
        return self.answer(x)


def classes(n: int, k: int = 4) -> Stream:
    """Items whose only coordinate is their class."""
    y = np.arange(n) % k
    return Stream(x=y[:, None].astype(np.float64), y=y.astype(np.int64))


def test_every_block_is_answered_before_it_is_learnt() -> None:
    """The last one may be shorter."""
    peer = Knowing()
    prequential(peer, classes(2 * BLOCK + 3), 10.0)

    assert [("predict", BLOCK), ("learn", BLOCK)] * 2 + [("predict", 3), ("learn", 3)] == peer.calls


def test_the_right_answers_score_one_whatever_the_ids() -> None:
    """And no noise, and no switch."""
    score = prequential(Knowing(lambda x: 70 - x[:, 0].astype(np.int64)), classes(400), 10.0)

    assert score is not None
    assert (1.0, 1.0, 1.0, 0.0, 0.0, 4) == (
        score.ari,
        score.ari_tenth,
        score.purity,
        score.switches,
        score.noise,
        score.clusters,
    )


def test_what_takes_too_long_has_no_score() -> None:
    """It is given up at the limit."""
    peer = Knowing()

    assert prequential(peer, classes(4000), 0.0) is None
    assert peer.calls == [("predict", BLOCK), ("learn", BLOCK)]


def test_the_first_tenth_is_not_scored() -> None:
    """Wrong there is not wrong."""
    y = np.arange(200) % 2
    answers = np.where(np.arange(200) < 20, 9, y)

    assert score_of(y, answers, 0.0).ari == 1.0
    assert score_of(y, np.where(np.arange(200) < 21, 9, y), 0.0).ari < 1.0


def test_refusing_to_answer_is_not_rewarded() -> None:
    """All noise is one cluster of its own kind: as bad as throwing all into one, and noise says so."""
    y = np.arange(200) % 2
    score = score_of(y, np.full(200, -1), 0.0)

    assert (0.0, 1.0, 0.0, 0) == (score.ari, score.noise, score.purity, score.clusters)


def test_ids_that_change_in_midstream_cost_the_index_but_not_that_of_tenths() -> None:
    """Within a tenth the answers are right."""
    y = np.arange(200) % 2
    score = score_of(y, y + 2 * (np.arange(200) >= 110), 0.0)  # between the fifth tenth and the sixth

    assert score.ari < 0.6
    assert score.ari_tenth == 1.0
    assert score.purity == 1.0


@pytest.mark.parametrize(
    ("y", "answers", "expected"),
    [
        pytest.param(ints(0, 0, 1), ints(5, 5, 6), 1.0, id="right"),
        pytest.param(ints(0, 0, 1, 1), ints(5, 5, 5, 6), 0.75, id="one in the wrong cluster"),
        pytest.param(ints(0, 1), ints(5, 5), 0.5, id="all in one"),
        pytest.param(ints(), ints(), 0.0, id="none"),
    ],
)
def test_purity(y: Int64s, answers: Int64s, expected: float) -> None:
    """Items of the most frequent class of their cluster."""
    assert expected == purity(y, answers)


@pytest.mark.parametrize(
    ("y", "answers", "expected"),
    [
        pytest.param(ints(0, 0, 0), ints(5, 5, 5), 0.0, id="steady"),
        pytest.param(ints(0, 0, 0), ints(5, 6, 6), 0.5, id="renamed once"),
        pytest.param(ints(0, 0, 0), ints(5, 6, 5), 1.0, id="there and back"),
        pytest.param(ints(0, 0, 0), ints(5, -1, 5), 0.0, id="noise between is passed over"),
        pytest.param(ints(0, 0, 0), ints(5, -1, 6), 1.0, id="but hides no switch"),
        pytest.param(ints(0, 1, 0, 1), ints(5, 6, 5, 6), 0.0, id="classes are followed one by one"),
        pytest.param(ints(0, 1, 0, 1), ints(5, 5, 5, 6), 0.5, id="of all pairs, those that differ"),
        pytest.param(ints(0, 1), ints(5, 6), 0.0, id="no pair"),
        pytest.param(ints(0, 0), ints(-1, -1), 0.0, id="no answers"),
    ],
)
def test_switches(y: Int64s, answers: Int64s, expected: float) -> None:
    """Of items whose predecessor of the same class had a cluster too, those that have another."""
    assert expected == switches(y, answers)


def entry(**answers: Callable[[Float64s], Int64s]) -> Entry:
    """A peer with one setting, the place of an answer."""
    of = list(answers.values())
    return Entry(
        name="fake",
        module="service",
        make=lambda _, settings: Knowing(of[int(settings["which"])]),
        grid={"which": tuple(range(len(of)))},
    )


def test_the_best_settings_are_chosen() -> None:
    """By the index on the stream."""
    wrong, right = (lambda x: np.zeros(len(x), dtype=np.int64)), (lambda x: x[:, 0].astype(np.int64))

    assert {"which": 1} == choose(entry(a=wrong, b=right), classes(400), 4, 10.0)
    assert choose(entry(a=right), classes(400), 4, 0.0) is None


def test_a_peer_that_is_too_slow_has_a_row_without_figures() -> None:
    """It is not left out silently."""
    slow = entry(a=lambda x: np.zeros(len(x), dtype=np.int64))
    rows = quality(QualitySizes(kinds=("digits",), items=100, limit_ms=0.0, entries=(slow,)))

    assert [("fake", None, None)] == [(row["clusterer"], row["ari"], row["settings"]) for row in rows]


def test_a_peer_that_is_not_installed_has_no_row() -> None:
    """The report says so elsewhere."""
    missing = dataclasses.replace(ENTRIES[0], module="no_such_package")

    assert quality(QualitySizes(kinds=("digits",), items=100, entries=(missing,))) == []


def test_shared_density_tells_moons_and_rings_apart_as_the_stream_goes_by() -> None:
    """Four shapes that no centroid can separate come out right, with ids that stay; river's graph falls apart."""
    chosen = {"radius": (0.18,), "intersection": (0.05,), "fading": (5e-4,)}
    both = tuple(dataclasses.replace(entry, grid=chosen) for entry in ENTRIES[:2])
    ours, river = quality(QualitySizes(kinds=("moons+circles",), seeds=1, limit_ms=60.0, entries=both))

    assert ours["ari_worst"] > 0.98
    assert ours["switches"] < 0.01
    assert river["ari"] < 0.8
    assert [("moons+circles", "yes", "river DBSTREAM")] == [
        (row["stream"], row["reached"], row["which"]) for row in verdict([ours, river])
    ]


def test_the_verdict_is_no_where_a_peer_is_better() -> None:
    """One that has no figures is no peer to beat."""
    rows = [
        {"stream": "s", "clusterer": name, "ari": ari}
        for name, ari in ((ENTRIES[0].name, 0.5), ("a", 0.4), ("b", 0.6), ("c", None))
    ]

    assert verdict(rows) == [{"stream": "s", "ours": 0.5, "best_peer": 0.6, "which": "b", "reached": "no"}]
    assert verdict(rows[:2])[0]["reached"] == "yes"


def test_a_difference_in_the_third_digit_is_none() -> None:
    """Streams of one kind differ by more."""
    rows = [
        {"stream": "s", "clusterer": name, "ari": ari}
        for name, ari in ((ENTRIES[0].name, 0.996), ("a", 0.998))
    ]

    assert verdict(rows)[0]["reached"] == "yes"
