"""Items of a cell are embedded anew where a stream changes them, and as they were where it does not."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.discovery_cells import trained
from benchmarks.discovery_drift import DriftingItems
from model.config import TrainConfig
from service.evaluation.schedule import Drift, Schedule

CONFIG = TrainConfig(
    dataset="digits", hold_out=("3", "7"), epochs=1, max_items=700, threads=1, seed=1, rehearse=False
)


@pytest.mark.long
def test_what_does_not_drift_has_the_cells_embedding(tmp_path: Path) -> None:
    """Items of the right rows: unchanged until the drift sets in, then moved, the more the stronger it is."""
    cell = trained(CONFIG, data_dir=None, cache=tmp_path)
    items = DriftingItems(CONFIG, data_dir=None, cache=tmp_path)
    stream = cell.drawn(
        Schedule(length=100, drifts=(Drift(kind="noise", strength=((50, 0.0), (51, 0.4))),)), seed=0
    )
    moved = np.abs(items.embed(stream, seed=0) - cell.z_pool[stream.rows]).max(axis=1)
    still = dataclasses.replace(stream, drift={"noise": np.zeros(len(stream))})

    assert ("noise", "brightness") == items.kinds
    assert moved[:50].max() < 1e-4
    assert moved[52:].min() > 1e-3
    assert np.abs(items.embed(still, seed=0) - cell.z_pool[stream.rows]).max() < 1e-4
