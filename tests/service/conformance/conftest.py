"""The server that is checked: the one at CONFORMANCE_URL, or our own, started for the tests.

    CONFORMANCE_URL=http://127.0.0.1:8765 pytest tests/service/conformance
    CONFORMANCE_KEY=fs_...                      and this where it wants a key, with the scopes ingest, read and curate

The server may have any bundle and any settings; the tests learn from it what they need.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from tests.service import digits
from tests.service.conformance.talker import JSON, MSGPACK, Server
from tests.service.inside import running


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Where the server listens; our own is one whose limits are soon reached."""
    given = os.environ.get("CONFORMANCE_URL")
    if given is not None:
        yield given.rstrip("/")
        return
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read(
            {},
            data_dir=Path(folder),
            ws_window=256,
            max_items=128,
            ws_max_bytes=1 << 18,
            send_timeout_s=1.0,
            ws_ping_s=2.0,
        )
        with running(settings, digits.bundle()) as inside:
            items = digits.stream_items()
            for start in range(0, len(items), 100):  # so that it has clusters
                sent = {"items": items[start : start + 100]}
                httpx.post(f"{inside.url}/classify", json=sent, timeout=60).raise_for_status()
            yield inside.url


@pytest.fixture(params=[JSON, MSGPACK])
def server(url: str, request: pytest.FixtureRequest) -> Server:
    """The server, spoken to in each of the subprotocols."""
    return Server(url, request.param)
