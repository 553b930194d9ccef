"""An item that kills the process, with real processes and a client that resends: the stream gets through."""

import signal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.zygote import Zygote
from tests.service import digits
from tests.service.crashing import WHITE
from tests.service.processes import Serve

MOST_STARTS = 6


def sent_until_answered(
    items: list[dict[str, Any]], folder: Path, zygote: Zygote
) -> tuple[list[dict[str, Any]], int, Serve]:
    """Send the same again and again, each time to a new process when the last one died; how many there were."""
    for start in range(1, 12):
        launch = partial(zygote.spawn, net="Deadly")
        service = Serve(digits.bundle_dir(), folder, launch=launch).ready()
        try:
            return service.classify(items), start, service
        except httpx.TransportError:
            assert -signal.SIGKILL == service.wait()
    raise AssertionError("it never gets through")


@pytest.mark.slow
def test_the_stream_gets_through(tmp_path: Path, zygote: Zygote) -> None:
    """In six starts the deadly item is in quarantine; all others have verdicts, each counted once."""
    items = digits.many("a", 40)
    items.insert(21, {"id": "deadly", "x": WHITE})
    results, starts, service = sent_until_answered(items, tmp_path, zygote)
    with service:
        refused = results.pop(21)

        assert starts <= MOST_STARTS
        assert "/problems/quarantined" == refused["problem"]["type"]
        assert [f"a-{n}" for n in range(40)] == [result["id"] for result in results]
        assert list(range(1, 41)) == [result["seq"] for result in results]
        (letter,) = service.get("/dlq")["items"]
        assert "the process ended twice while this item was alone in hand" == letter["reason"]
        state = service.get("/info")["state_hash"]
        assert 0 == service.stop()
    with Serve(digits.bundle_dir(), tmp_path, launch=zygote.spawn).ready() as service:
        assert state == service.get("/info")["state_hash"]
        assert [] == service.said("wary"), "the last one left in order"
        assert results == service.classify(digits.many("a", 40))
