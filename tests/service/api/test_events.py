"""GET /events: the outbox over HTTP, page by page, the same as watchers are told."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running


@pytest.fixture(scope="module")
def lived() -> Iterator[tuple[Inside, list[dict[str, Any]]]]:
    """A service whose stream has had clusters emerge, and what a watcher was told meanwhile."""
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        running(Settings.read({}, data_dir=Path(folder)), digits.bundle()) as service,
        connect(f"{service.ws_url}/watch", proxy=None) as socket,
    ):
        assert "hello" == json.loads(socket.recv(timeout=60))["type"]
        with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
            items = list(digits.stream_items())
            for at in range(0, len(items), 256):
                client.post("/classify", json={"items": items[at : at + 256]}).raise_for_status()
            total = client.get("/events").raise_for_status().json()["total"]
        told = [json.loads(socket.recv(timeout=60)) for _ in range(total)]
        yield service, told


def test_the_history_is_what_watchers_were_told(lived: tuple[Inside, list[dict[str, Any]]]) -> None:
    """Event for event; each has an id besides."""
    service, told = lived
    page = httpx.get(f"{service.url}/events", trust_env=False).raise_for_status().json()
    ids = [event.pop("id") for event in page["events"]]

    assert told
    assert [{"type": "event", **event} for event in page["events"]] == told
    assert len(set(ids)) == len(ids)
    assert (ids[-1], False, len(told)) == (page["last"], page["gap"], page["total"])


def test_pages_follow_each_other(lived: tuple[Inside, list[dict[str, Any]]]) -> None:
    """`after` the last of a page comes the next; after the very last nothing, and `last` stays."""
    service, _ = lived
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        whole = client.get("/events").json()["events"]
        found, after = [], "0-0"
        while page := client.get("/events", params={"after": after, "limit": 1}).json()["events"]:
            found += page
            after = page[-1]["id"]
        end = client.get("/events", params={"after": after}).json()

    assert whole == found
    assert ([], after, False) == (end["events"], end["last"], end["gap"])


@pytest.mark.parametrize("after", ["x", "(1-1", "+", "12", "1-01", "-", "1-1\n"])
def test_what_is_no_id_is_refused(lived: tuple[Inside, list[dict[str, Any]]], after: str) -> None:
    """With what to send."""
    service, _ = lived
    answer = httpx.get(f"{service.url}/events", params={"after": after}, trust_env=False)

    assert 422 == answer.status_code
    assert "412-1" in answer.json()["detail"]


@pytest.mark.parametrize("limit", [0, 101, "many"])
def test_the_length_of_a_page_is_bounded(lived: tuple[Inside, list[dict[str, Any]]], limit: object) -> None:
    """1 to 100."""
    service, _ = lived

    assert 422 == httpx.get(f"{service.url}/events?limit={limit}", trust_env=False).status_code
