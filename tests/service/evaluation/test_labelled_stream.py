"""Streams drawn by schedules: no item twice, classes when they are due, shares as asked, a seed decides all."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.evaluation.labelled_stream import Stream, draw, fitted
from service.evaluation.schedule import Arrival, Drift, InvalidSchedule, Schedule, Shift, standard

KNOWN = ("a", "b", "c")
POOL = ["a"] * 3000 + ["b"] * 2000 + ["c"] * 1000 + ["x"] * 500 + ["y"] * 500 + ["other"] * 50


def drawn(schedule: Schedule, pool: list[str] = POOL, seed: int = 0) -> Stream:
    return draw(schedule, pool, known=KNOWN, seed=seed)


def share(stream: Stream, label: str, start: int, stop: int) -> float:
    return stream.truth[start:stop].count(label) / (stop - start)


@st.composite
def small(draw_: st.DrawFn) -> tuple[Schedule, list[str]]:
    """A schedule of one or two arrivals, and a pool that may be too small for it."""
    length = draw_(st.integers(1, 120))
    start, stop = draw_(st.integers(0, length - 1)), draw_(st.integers(length, 120))
    arrivals = [Arrival(label="x", share=draw_(st.floats(0.05, 0.5)), spans=((start, stop),))]
    if draw_(st.booleans()):
        arrivals.append(Arrival(label="y", share=0.3, spans=((0, length),)))
    pool = draw_(st.lists(st.sampled_from("abcxy"), min_size=1, max_size=80))
    pool += ["x", "y", "a"]
    return Schedule(
        length=length, arrivals=tuple(arrivals), mix=draw_(st.sampled_from(["pool", "uniform"]))
    ), pool


@given(small(), st.integers(0, 5))
def test_properties(given_: tuple[Schedule, list[str]], seed: int) -> None:
    """No item twice, each what it is called, new classes in their spans, as long as asked or all known used."""
    schedule, pool = given_
    stream = draw(schedule, pool, known=KNOWN, seed=seed)
    rows = stream.rows.tolist()

    assert len(set(rows)) == len(rows) == len(stream.truth) == len(stream)
    assert [pool[row] for row in rows] == list(stream.truth)
    for arrival in schedule.arrivals:
        there = arrival.is_in(schedule.length)
        assert all(there[n] for n, label in enumerate(stream.truth) if label == arrival.label)
    left = Counter(pool) - Counter(stream.truth)
    assert len(stream) == schedule.length or not any(left[label] for label in KNOWN)
    for label, at in stream.ran_out.items():
        assert 0 == left[label]
        assert label not in stream.truth[at:]


@given(small(), st.integers(0, 5))
def test_seed(given_: tuple[Schedule, list[str]], seed: int) -> None:
    """The same seed draws the same stream."""
    schedule, pool = given_
    first, second = (draw(schedule, pool, known=KNOWN, seed=seed) for _ in range(2))

    assert first.rows.tolist() == second.rows.tolist()


def test_other_seed() -> None:
    """Another seed draws another."""
    schedule = standard(["x", "y"], length=500)

    assert drawn(schedule).rows.tolist() != drawn(schedule, seed=1).rows.tolist()


@pytest.mark.parametrize("asked", [0.1, 0.05, 0.02, 0.01])
def test_shares(asked: float) -> None:
    """A new class has its share, within four standard errors, from its arrival on."""
    stream = drawn(standard(["x"], length=4000, share=asked))
    error = np.sqrt(asked * (1 - asked) / 3200)

    assert 0.0 == share(stream, "x", 0, 800)
    assert share(stream, "x", 800, 4000) == pytest.approx(asked, abs=4 * error)


def test_comes_back() -> None:
    """A class comes, vanishes, and comes back."""
    spans = ((100, 200), (300, 400))
    stream = drawn(Schedule(length=500, arrivals=(Arrival(label="x", share=0.4, spans=spans),)))

    assert share(stream, "x", 100, 200) > 0.2
    assert 0.0 == share(stream, "x", 200, 300)
    assert share(stream, "x", 300, 400) > 0.2
    assert 0.0 == share(stream, "x", 400, 500)


def test_known_as_in_the_pool() -> None:
    """Known items that are left are equally likely; a stream of all of them is a permutation."""
    stream = drawn(Schedule(length=6000))

    assert Counter(POOL[:6000]) == Counter(stream.truth)
    assert share(stream, "a", 0, 1000) == pytest.approx(0.5, abs=0.07)
    assert {} == stream.ran_out


def test_known_uniform() -> None:
    """Or classes are; one that is used up is missed, and that is said."""
    stream = drawn(Schedule(length=4000, mix="uniform"))

    assert share(stream, "c", 0, 2000) == pytest.approx(1 / 3, abs=0.05)
    assert ["c"] == list(stream.ran_out)
    assert "c" not in stream.truth[stream.ran_out["c"] :]


def test_shift() -> None:
    """Label shift: a class whose weight goes to 0 is gone."""
    stream = drawn(Schedule(length=2000, shifts=(Shift(label="a", weight=((0, 1.0), (1000, 0.0))),)))

    assert share(stream, "a", 0, 200) > 0.35
    assert share(stream, "a", 600, 900) < 0.3
    assert 0.0 == share(stream, "a", 1000, 2000)


def test_all_known_gone() -> None:
    """Where no known class may come, the stream ends."""
    shifts = tuple(Shift(label=k, weight=((0, 1.0), (100, 1.0), (101, 0.0))) for k in KNOWN)

    assert 101 == len(drawn(Schedule(length=500, shifts=shifts)))


def test_an_empty_stream_is_refused() -> None:
    """No known class may come from the start: there would be nothing to measure."""
    shifts = tuple(Shift(label=k, weight=((0, 0.0),)) for k in KNOWN)
    with pytest.raises(InvalidSchedule, match="The stream would have no item"):
        drawn(Schedule(length=500, shifts=shifts))


def test_the_largest_weights_can_be_drawn_by() -> None:
    """Chances stay numbers, and every item comes."""
    shifts = tuple(Shift(label=k, weight=((0, 1e6), (10, 1e6))) for k in KNOWN)

    assert 500 == len(drawn(Schedule(length=500, shifts=shifts)))


def test_drift() -> None:
    """Drift has its strength at the items of its classes, and none at others."""
    drift = Drift(kind="noise", strength=((100, 0.0), (200, 1.0)), labels=("a",))
    stream = drawn(
        dataclasses.replace(
            standard(["x"], length=400), drifts=(drift, Drift(kind="brightness", strength=((0, 0.5),)))
        )
    )
    truth, noise, light = np.array(stream.truth), stream.drift["noise"], stream.drift["brightness"]

    assert (noise[truth != "a"] == 0.0).all()
    assert (noise[:100] == 0.0).all()
    assert (noise[200:][truth[200:] == "a"] == 1.0).all()
    assert (light == np.where(truth == "x", 0.0, 0.5)).all()


def test_drifts_of_a_kind_add_up() -> None:
    """Two drifts of one kind on one class are both there."""
    twice = (Drift(kind="noise", strength=((0, 0.25),)), Drift(kind="noise", strength=((0, 0.5),)))

    assert {0.75} == set(drawn(Schedule(length=20, drifts=twice)).drift["noise"].tolist())


def test_what_is_neither_known_nor_arriving() -> None:
    """... stays in the pool."""
    assert {"a", "b", "c", "x"} == set(drawn(standard(["x"], length=2000)).truth)


def test_new_class_runs_out() -> None:
    """Its share goes to the known ones, and it is said from where."""
    pool = ["a"] * 1000 + ["x"] * 7
    stream = draw(standard(["x"], length=500), pool, known=KNOWN, seed=0)

    assert 500 == len(stream)
    assert 7 == stream.truth.count("x")
    assert ["x"] == list(stream.ran_out)


@pytest.mark.parametrize("items", [10, 100, 350, 5000])
@pytest.mark.parametrize("unseen", [0, 2, 5])
def test_fitted(items: int, unseen: int) -> None:
    """A fitted stream has known items to its end, at next to every seed, and uses most of them."""
    new = [f"n{n}" for n in range(unseen)]
    schedule = fitted(standard(new), items)
    pool = ["a"] * items + [label for label in new for _ in range(2000)]
    streams = [draw(schedule, pool, known=KNOWN, seed=seed) for seed in range(5)]

    assert {schedule.length} == {len(stream) for stream in streams}
    assert all(stream.truth.count("a") >= 0.6 * min(items, 6000) - 5 for stream in streams)


def test_fitted_when_there_is_enough() -> None:
    """A schedule that the pool allows stays as it is; an empty pool is refused."""
    schedule = standard(["x"], length=100)

    assert schedule is fitted(schedule, 1000)
    with pytest.raises(InvalidSchedule, match="no item of a known class"):
        fitted(schedule, 0)


@given(small(), st.integers(1, 200))
def test_fitted_goes_by_the_share_of_known_items(given_: tuple[Schedule, list[str]], items: int) -> None:
    """Mean and spread over the pieces of a schedule are those over its items."""
    schedule, _ = given_
    rate = 1.0 - schedule.shares().sum(axis=0)
    mean, sd = rate.mean(), 3.0 * np.sqrt((rate * (1.0 - rate)).mean())
    n = fitted(schedule, items).length

    assert n == schedule.length or abs(mean * n + sd * np.sqrt(n) - items) <= mean + sd


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (standard(["z"]), "no item of the class 'z'"),
        (standard(["a"]), "'a' is known"),
        (Schedule(shifts=(Shift(label="x", weight=((0, 1.0),)),)), "Known are: a, b, c"),
        (Schedule(drifts=(Drift(kind="noise", strength=((0, 1.0),), labels=("q",)),)), "'q'"),
    ],
)
def test_not_in_the_pool(schedule: Schedule, says: str) -> None:
    """A class that the schedule needs and the pool has not is named."""
    with pytest.raises(InvalidSchedule, match=says):
        drawn(schedule)
