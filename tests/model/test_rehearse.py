"""What left-out classes say of the radius, and what is said where none can be left out."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from model.calibrate import CLUSTER_RADIUS, calibrate, fit
from model.config import TrainConfig
from model.datasets import LabelledData, load_dataset
from model.datasets.split import split
from model.inputs import VectorInput
from model.rehearse import FOLDS, GAP, WIDTH, Rehearsed, _halves, radius_of, rehearse
from model.scores import Gate, LayerSlice

D = 6
SHORT = TrainConfig(epochs=2, threads=1, hold_out=("3", "7"))


def met(*, spread_of_new: float, apart: float = 10.0) -> Rehearsed:
    """Three known Gaussian classes of standard deviation 1 on axes, and one left out, on another axis."""
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(3), 300)
    z = (apart * np.eye(D)[y] + rng.normal(0, 1, (len(y), D))).astype(np.float32)
    new = (apart * np.eye(D)[np.full(300, 4)] + rng.normal(0, spread_of_new, (300, D))).astype(np.float32)
    gate = Gate.fit(
        (("mahalanobis", "output"),),
        (LayerSlice(name="output", start=0, stop=D),),
        z_fit=z,
        y_fit=y,
        z_cal=z,
        y_cal=y,
    )
    known, _ = calibrate(fit(z, y, cluster_dim=D), gate, z, y, z_fit=z, y_fit=y, known_error_rate=0.02)
    return Rehearsed(
        known=known,
        labels=("a", "b", "c"),
        z_fresh=z,
        y_fresh=y,
        left_out=("new",),
        z_new=new,
        y_new=np.zeros(300, dtype=np.int64),
    )


def test_the_radius_grows_with_the_width_of_classes_left_out() -> None:
    """In proportion: two items of a class twice as wide are twice as far apart."""
    narrow, wide = radius_of(met(spread_of_new=0.5)), radius_of(met(spread_of_new=1.0))

    assert wide == pytest.approx(2 * narrow, rel=0.05)


def test_as_wide_as_a_known_class_gives_the_distance_of_two_of_its_items() -> None:
    """Two items of a Gaussian are sqrt(2) of its RMS radius apart, and known classes have radius 1."""
    expected = WIDTH * np.sqrt(2)

    assert radius_of(met(spread_of_new=1.0)) == pytest.approx(expected, rel=0.08)


def test_the_radius_never_spans_two_known_classes() -> None:
    """However wide a left-out class is, the prototypes' distance bounds it."""
    apart = radius_of(met(spread_of_new=50.0))

    assert apart == radius_of(met(spread_of_new=100.0))

    # Prototypes lie sqrt(2) x 10 apart, in units of the known classes' RMS radius, sqrt(D).
    assert apart == pytest.approx(GAP * 10 * np.sqrt(2) / np.sqrt(D), rel=0.05)


def test_with_too_few_classes_the_radius_is_the_usual_one_and_it_says_so() -> None:
    """Four classes: none can be spared."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 30)
    data = LabelledData(
        name="four",
        input=VectorInput(shape=(3,), minimum=0, maximum=1),
        x=rng.random((120, 3), dtype=np.float32),
        y=y,
        labels=("a", "b", "c", "d"),
        source="made up",
    )
    found = rehearse(dataclasses.replace(SHORT, network="mlp", hold_out=()), data, np.arange(120), quiet)

    assert (CLUSTER_RADIUS, ()) == (found.radius, found.folds)
    assert "Fewer than 5 known classes" in found.reason


def test_folds_leave_known_classes_out_and_look_at_nothing_else() -> None:
    """Neither at the classes held out, nor at items that calibrate the bundle or measure it."""
    data = load_dataset("digits", data_dir=None)
    parts = split(data, SHORT.hold_out, seed=0)
    blind = data.x.copy()
    blind[np.concatenate([parts.calibrate, parts.fresh, parts.unseen])] = 16.0
    stages: list[str] = []

    def progress(stage: str, done: int, total: int, note: str) -> None:  # noqa: ARG001
        stages.append(stage)

    found = rehearse(SHORT, data, parts.fit, progress)
    again = rehearse(SHORT, dataclasses.replace(data, x=blind), parts.fit, quiet)

    assert found.radius == again.radius
    assert len(found.folds) == FOLDS
    assert {"rehearse"} == set(stages)
    for fold in found.folds:
        assert not set(fold.left_out) & {*fold.labels, "3", "7"}
        assert len(fold.z_new) == len(fold.y_new) > 0
        assert fold.known.prototypes.shape[0] == len(fold.labels)
        assert all(label in found.reason for label in fold.left_out)


def test_spare_items_lengthen_the_streams_of_small_folds_and_decide_nothing() -> None:
    """They come after a fold's own items, each with its class; radius and calibration stay as they are."""
    data = load_dataset("digits", data_dir=None)
    parts = split(data, SHORT.hold_out, seed=0)
    alone = rehearse(SHORT, data, parts.fit, quiet)
    longer = rehearse(SHORT, data, parts.fit, quiet, spare=parts.calibrate)

    assert alone.radius == longer.radius
    for before, after in zip(alone.folds, longer.folds, strict=True):
        n, m = len(before.y_fresh), len(before.y_new)
        added = len(after.y_fresh) - n + len(after.y_new) - m
        assert added == len(parts.calibrate) == len(np.unique(parts.calibrate))
        np.testing.assert_array_equal(before.known.calibration_scores, after.known.calibration_scores)
        np.testing.assert_array_equal(before.z_new, after.z_new[:m])
        np.testing.assert_array_equal(before.y_fresh, after.y_fresh[:n])
        spare = [data.labels[k] for k in data.y[parts.calibrate].tolist()]
        assert sorted(spare) == sorted(
            [after.labels[k] for k in after.y_fresh[n:].tolist()]
            + [after.left_out[k] for k in after.y_new[m:].tolist()]
        )


def test_the_threads_of_the_process_have_no_say() -> None:
    """Every pass through a net is made on as many as the configuration says, and the process has its own back."""
    data = load_dataset("digits", data_dir=None)
    parts = split(data, SHORT.hold_out, seed=0)
    before, threads = torch.get_num_threads(), set[int]()
    watched = register_module_forward_hook(lambda *_: threads.add(torch.get_num_threads()))
    torch.set_num_threads(3)
    try:
        rehearse(SHORT, data, parts.fit, quiet, spare=parts.calibrate)

        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
        watched.remove()

    assert {SHORT.threads} == threads


def test_every_class_has_items_to_calibrate_a_rehearsal_with() -> None:
    """Fresh items are divided class by class, in the order they came in, the odd one to calibrate."""
    y = np.array([1, 0, 1, 2, 1, 0, 1, 1])
    cal, fresh = _halves(10 * np.arange(8), y)

    assert cal.tolist() == [0, 10, 30, 40, 70]
    assert fresh.tolist() == [20, 50, 60]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_smallest_classes_that_can_be_left_out_are_rehearsed_with(seed: int) -> None:
    """Twelve items of a class to fit on leave it four that are fresh, two of them to calibrate with."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(8), 12)
    data = LabelledData(
        name="small",
        input=VectorInput(shape=(3,), minimum=0, maximum=1),
        x=rng.random((len(y), 3), dtype=np.float32),
        y=y,
        labels=tuple("abcdefgh"),
        source="made up",
    )
    config = dataclasses.replace(SHORT, network="mlp", hold_out=(), seed=seed)
    found = rehearse(config, data, rng.permutation(len(y)), quiet)

    for fold in found.folds:
        assert set(range(6)) == set(fold.known.calibration_labels.tolist()) == set(fold.y_fresh.tolist())


def quiet(stage: str, done: int, total: int, note: str) -> None:
    """Say nothing."""
