"""A running service, shared by the tests of the routes: ids of each test are its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running

WINDOW = 64
MAX_ITEMS = 128


@pytest.fixture(scope="session")
def service() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read(
            {},
            data_dir=Path(folder),
            ws_window=WINDOW,
            max_items=MAX_ITEMS,
            max_body_bytes=1 << 20,
            send_timeout_s=1.0,
        )
        with running(settings, digits.bundle()) as inside:
            yield inside


@pytest.fixture
def http(service: Inside) -> Iterator[httpx.Client]:
    is_json = {"content-type": "application/json"}
    with httpx.Client(base_url=service.url, timeout=60, headers=is_json) as client:
        yield client


@pytest.fixture
def unchanged(http: httpx.Client) -> Iterator[None]:
    """The state after the test is the state before it, to the bit, and the service is alive and ready."""
    before = _state(http)
    yield
    assert before == _state(http)
    assert 200 == http.get("/livez").status_code
    assert 200 == http.get("/readyz").status_code


def _state(http: httpx.Client) -> tuple[Any, ...]:
    info = http.get("/info").json()
    assert not info["stale"]
    return info["state_hash"], info["seq"], info["verdicts"]
