"""What benchmark tests share: the bundle of all tests, since what it finds matters little here, and few items."""

from pathlib import Path

import pytest

from benchmarks.discovery_rbf import Blobs, blobs
from tests.service import digits


@pytest.fixture(scope="session")
def bundle_dir() -> Path:
    """Digits without 3 and 7."""
    return digits.bundle_dir()


@pytest.fixture(scope="session")
def few_blobs() -> Blobs:
    """400 known items of RandomRBF, and the first 200 of what comes then."""
    whole = blobs(8)
    return Blobs(
        x=whole.x[:400], y=whole.y[:400], stream_x=whole.stream_x[:200], stream_y=whole.stream_y[:200]
    )
