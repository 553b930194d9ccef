"""The comparison of objectives measures each training where it says, and looks its choices up among them."""

import dataclasses

import pytest

from benchmarks.objectives import GATES, LAYERS, Sizes, cell, compare
from model.config import TrainConfig
from model.datasets import load_dataset
from model.leave_out import STOPS


@pytest.mark.long
def test_a_training_is_measured_at_every_stop_and_at_the_end_in_every_way() -> None:
    """All layers and the default gate along the way; each choice of layers and each gate at the end."""
    run = TrainConfig(hold_out=("1", "5"), epochs=5, threads=1)
    found = cell(run, load_dataset("digits", data_dir=None))
    along = {(stop, "", "") for stop in STOPS}
    end = {(1.0, layers, "") for layers in LAYERS} | {(1.0, "", gate) for gate in GATES}

    assert along | end == set(found.met)
    assert found.seconds > 0
    assert all(0 <= met.auroc <= 1 for met in found.met.values())


@pytest.mark.long
def test_the_report_has_a_row_for_everything() -> None:
    """Each objective twice, each stop, each layer, each choice."""
    sizes = Sizes(pairs=(("1", "5"),), fives=(), seeds=(0,), objectives=("supcon", "proxy-anchor"), epochs=1)
    report = compare(sizes)

    assert 4 == len(report["objectives"])
    assert [len(LAYERS), len(GATES)] == [len(report["layers"]), len(report["gates"])]
    assert ["1 5"] == [row["held_out"] for row in report["chosen"]]
    assert dataclasses.asdict(sizes) == report["sizes"]
    assert report["objectives"][0]["AUROC 5/5"] is None
