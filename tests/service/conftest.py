"""What the tests of the service share: one small digits bundle, trained once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from model.bundle import Bundle
from model.inputs import ImageInput, InputSpec
from tests.service import digits


@pytest.fixture(scope="session")
def digits_bundle() -> Bundle:
    return digits.bundle()


@pytest.fixture(scope="session")
def digits_dir() -> Path:
    return digits.bundle_dir()


@pytest.fixture(scope="session")
def spec() -> InputSpec:
    """Images of 2x2 with values from 0 to 16."""
    return ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A test that sets up logging leaves the others theirs."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
