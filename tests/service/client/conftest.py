"""A running service, shared by the tests of the client: ids of each test are its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running


@pytest.fixture(scope="session")
def service() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), max_items=512, log_level="warning")
        with running(settings, digits.bundle()) as inside:
            yield inside
