"""The service as a process, killed while it tells: nothing is lost, and what comes twice has one id. And the receiver
of the documentation, run as it is printed there.
"""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.webhooks.signing import headers_of, make_secret
from tests.service import digits
from tests.service.processes import Serve
from tests.service.waiting import until
from tests.service.webhooks.receiver import Receiver, hang, receiving

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"


def test_a_kill_between_a_delivery_and_its_note(forked: Callable[..., Serve], tmp_path: Path) -> None:
    """The receiver has it and the service dies before it can know: the next one tells it again, under the same id."""
    with receiving(Receiver([hang])) as receiver:
        with forked(digits.bundle_dir(), tmp_path, webhooks_private="true") as service:
            service.ready()
            until(lambda: service.http.get("/webhooks").status_code == 200, "the webhooks are loaded")
            service.http.post("/webhooks", json={"url": receiver.url}).raise_for_status()
            items = list(digits.stream_items())
            for at in range(0, len(items), 256):
                service.http.post("/classify", json={"items": items[at : at + 256]}).raise_for_status()
            until(lambda: receiver.told, "the receiver has a message")
            service.kill()
        before = [told.headers["webhook-id"] for told in receiver.told]
        receiver.answers = Receiver().answers
        with forked(digits.bundle_dir(), tmp_path, webhooks_private="true") as service:
            service.ready()
            events = service.http.get("/events").json()["events"]
            told = lambda: receiver.told[len(before) :]  # noqa: E731 - what came since
            until(lambda: len({one.headers["webhook-id"] for one in told()}) >= len(events), "all are told")

    after = [one.headers["webhook-id"] for one in told()]
    assert events
    assert set(before) <= set(after)
    assert {event["id"] for event in events} == {id.rpartition(":")[2] for id in after}


@contextmanager
def documented(secret: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The receiver of the page, running."""
    (code,) = re.findall(
        r"<!-- receiver -->\n```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", code, secret, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        until(lambda: _answers(url), "the receiver is there")
        yield url, process
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code > 0
    except httpx.HTTPError:
        return False


def test_the_documented_receiver_takes_what_is_ours_once() -> None:
    """A message twice is told once; a forged one is refused."""
    secret = make_secret(bytes(range(32)))
    body = b'{"type": "cluster.emerged", "data": {"cluster": {"id": 17}}}'
    ours = headers_of([secret], id="default:b:412-1", t=time.time(), body=body)
    forged = headers_of([make_secret(bytes(32))], id="default:b:412-2", t=time.time(), body=body)
    with documented(secret) as (url, process):
        answers = [
            httpx.post(url, content=body, headers=headers, trust_env=False).status_code
            for headers in (ours, ours, forged)
        ]
        process.kill()
        printed = process.communicate()[0]

    assert [204, 204, 401] == answers
    assert "cluster.emerged 17\n" == printed
