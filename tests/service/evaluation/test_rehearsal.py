"""What a rehearsal's folds, run as streams, let one expect."""

from dataclasses import replace

import numpy as np

from model.calibrate import calibrate, fit
from model.rehearse import Rehearsal, Rehearsed
from model.scores import Gate, LayerSlice
from service.evaluation.rehearsal import LONG, SHORTEST, STREAMS, simulate

D = 8


def fold(*, fresh: int = 3000, new_at: int = 4, held_out: int = 1200) -> Rehearsed:
    """Three known Gaussian classes on axes, a new one on axis `new_at`."""
    rng = np.random.default_rng(5)

    def drawn(y: np.ndarray) -> np.ndarray:
        return (3.0 * np.eye(D)[y] + rng.normal(0, 0.3, (len(y), D))).astype(np.float32)

    y = np.repeat(np.arange(3), 400)
    z = drawn(y)
    held = rng.integers(0, 3, held_out)
    z_cal = drawn(held)
    gate = Gate.fit(
        (("mahalanobis", "output"),),
        (LayerSlice(name="output", start=0, stop=D),),
        z_fit=z,
        y_fit=y,
        z_cal=z_cal,
        y_cal=held,
    )
    rate = max(0.02, 1.5 / (held_out + 1))
    known, _ = calibrate(fit(z, y, cluster_dim=D), gate, z_cal, held, z_fit=z, y_fit=y, known_error_rate=rate)
    y_fresh = rng.integers(0, 3, fresh)
    return Rehearsed(
        known=known,
        labels=("a", "b", "c"),
        z_fresh=drawn(y_fresh),
        y_fresh=y_fresh,
        left_out=("new",),
        z_new=drawn(np.full(400, new_at)),
        y_new=np.zeros(400, dtype=np.int64),
    )


def rehearsal(*folds: Rehearsed) -> Rehearsal:
    return Rehearsal(radius=1.9, reason="made up", folds=folds)


def test_a_class_that_stands_apart_is_expected_to_be_found() -> None:
    """Early, without false clusters, at the rate asked for."""
    expected = simulate(rehearsal(fold()), 0.02).figures
    delay, called_new = expected["expected/delay"], expected["expected/known_called_new"]

    assert expected["expected/found"] == 1.0
    assert expected["expected/false_per_10000"] == 0.0
    assert expected["expected/caught"] == 1.0
    assert delay is not None
    assert 8 <= delay <= 40
    assert called_new is not None
    assert 0.01 <= called_new <= 0.035


def test_a_class_on_a_known_one_is_not() -> None:
    """There is nothing to see; the delay has no value then."""
    expected = simulate(rehearsal(fold(new_at=1)), 0.02).figures

    assert expected["expected/found"] == 0.0
    assert expected["expected/delay"] is None


def test_the_figures_are_means_over_the_folds() -> None:
    """One fold that finds its class and one that does not."""
    expected = simulate(rehearsal(fold(), fold(new_at=1)), 0.02).figures

    assert expected["expected/found"] == 0.5


def test_small_sets_are_run_as_several_short_streams() -> None:
    """In which the class comes often enough to be found; the note says on how many items the figures rest."""
    expected = simulate(rehearsal(fold(fresh=350)), 0.02)
    items = expected.figures["expected/items"]

    assert items is not None
    assert STREAMS * SHORTEST <= items < STREAMS * LONG
    assert f"{STREAMS} streams, {items:,.0f} items in all; short ones" in expected.note
    assert expected.figures["expected/found"] == 1.0
    assert expected.figures["expected/false_per_10000"] == 0.0


def test_a_large_set_is_run_once_a_fold() -> None:
    """On as many items as its stream has."""
    expected = simulate(rehearsal(fold()), 0.02)

    assert expected.note == f"rehearsed on 1 stream, {expected.figures['expected/items']:,.0f} items in all"


def test_streams_that_are_too_short_tell_nothing_and_say_so() -> None:
    """With fewer fresh items than a stream needs, nothing is foretold, whichever fold has them."""
    short = fold(fresh=SHORTEST // 3)

    for folds in ((short,), (fold(), replace(short))):
        expected = simulate(rehearsal(*folds), 0.02)

        assert expected.figures == {}
        assert expected.note.startswith("not rehearsed: a fold's stream would have 1")
        assert expected.note.endswith(f" items, and {SHORTEST} are needed")


def test_too_few_items_to_calibrate_a_fold_with_tell_nothing_and_say_so() -> None:
    """At a rate that the fold's p-values cannot reach, no class could be found, whatever the bundle is worth."""
    expected = simulate(rehearsal(fold(held_out=40)), 0.02)

    assert expected.figures == {}
    assert expected.note == "not rehearsed: a fold has 40 items to calibrate with, and 49 are needed"
