"""A bundle that is trained once for all benchmark tests: what it finds matters little here."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.discovery_rbf import Blobs, blobs
from model.config import TrainConfig
from model.export import run as train_bundle


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits without 3 and 7, six passes."""
    out = tmp_path_factory.mktemp("benchmarks") / "bundle"
    train_bundle(
        TrainConfig(dataset="digits", hold_out=("3", "7"), epochs=6, threads=1),
        data_dir=None,
        out=out,
        progress=lambda *_: None,
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return out


@pytest.fixture(scope="session")
def few_blobs() -> Blobs:
    """400 known items of RandomRBF, and the first 200 of what comes then."""
    whole = blobs(8)
    return Blobs(
        x=whole.x[:400], y=whole.y[:400], stream_x=whole.stream_x[:200], stream_y=whole.stream_y[:200]
    )
