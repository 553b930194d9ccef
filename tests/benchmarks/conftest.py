"""A bundle that is trained once for all benchmark tests: what it finds matters little here."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

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
