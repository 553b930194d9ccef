"""How long a client waits, and whether it still does: what nobody waits for is not counted."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
from starlette.requests import Request

from service.api.patience import DEADLINE_HEADER, GONE, answered, deadline_of, is_gone
from service.errors import DeadlineMissed, InvalidParameter, OutcomeUnknown
from service.pipeline.batching import Job, Queue
from service.records import Item
from tests.service import digits
from tests.service.inside import Inside
from tests.service.waiting import until


def request(*headers: tuple[str, str], **scope: object) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return Request({"type": "http", "headers": raw, **scope})


def job(deadline: float | None = None) -> Job:
    item = Item(id="a", x=np.zeros(1, dtype=np.float32))
    return Job(items=[item], done=asyncio.get_running_loop().create_future(), deadline=deadline)


@contextmanager
def held(service: Inside) -> Iterator[None]:
    """Nothing is taken from the queue while this is open: the engine is lent to the test."""
    streams = service.app.state.context.streams
    lock: asyncio.Lock = streams.default.pipeline._at_rest
    loop: asyncio.AbstractEventLoop = streams._tasks[streams.default].get_loop()
    asyncio.run_coroutine_threadsafe(lock.acquire(), loop).result(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(lock.release)


class TestTheHeader:
    @pytest.mark.parametrize(("sent", "s"), [("1", 0.001), (" 250 ", 0.25), ("3600000", 3600.0)])
    def test_milliseconds_from_now(self, sent: str, s: float) -> None:
        """Clocks need not agree."""
        assert 100 + s == pytest.approx(deadline_of(request((DEADLINE_HEADER, sent)), now=100))

    def test_none(self) -> None:
        """Who says nothing waits as long as the service lets."""
        assert deadline_of(request(), now=100) is None

    @pytest.mark.parametrize("sent", ["", "0", "-1", "1.5", "soon", "3600001", "9" * 50, "\u0661"])
    def test_what_is_no_deadline(self, sent: str) -> None:
        """The refusal says what to send."""
        odd = Request({"type": "http", "headers": [(DEADLINE_HEADER.lower().encode(), sent.encode())]})

        with pytest.raises(InvalidParameter, match="whole milliseconds from 1 to 3600000"):
            deadline_of(odd, now=0)


class TestWaiting:
    async def test_the_deadline_is_answered_when_it_passes(self) -> None:
        """Also while the pipeline is busy and takes nothing; and then the job is never taken."""
        queue = Queue(max_items=9, max_batch=9)
        late = job(asyncio.get_running_loop().time())
        with pytest.raises(DeadlineMissed, match="None of them was counted"):
            await answered(queue, late, timeout_s=10)
        other = job()
        queue.offer(other)

        assert [other] == [part.job for part in await queue.take()]

    async def test_what_is_in_hand_is_answered_after_its_deadline(self) -> None:
        """A deadline never makes an outcome unknown."""
        queue = Queue(max_items=9, max_batch=9)
        slow = job(asyncio.get_running_loop().time() + 0.01)
        asking = asyncio.create_task(answered(queue, slow, timeout_s=10))
        await queue.take()
        await asyncio.sleep(0.02)
        slow.done.set_result([])

        assert [] == await asking

    async def test_the_timeout(self) -> None:
        """Then nobody knows."""
        with pytest.raises(OutcomeUnknown, match="may or may not be counted"):
            await answered(Queue(max_items=9, max_batch=9), job(), timeout_s=0.001)


class TestGone:
    def test_told_by_the_server(self) -> None:
        """Through the scope; another server tells nothing."""
        gone = is_gone(request(extensions={GONE: lambda: True}))

        assert gone is not None
        assert gone()
        assert is_gone(request()) is None
        assert is_gone(request(extensions={})) is None


class TestOverHttp:
    def test_a_deadline_in_time_changes_nothing(self, http: httpx.Client) -> None:
        """The verdict comes as always."""
        answer = http.post(
            "/classify", json={"id": "in-time", "x": digits.raw(0)}, headers={DEADLINE_HEADER: "20000"}
        )

        assert 200 == answer.status_code

    def test_a_deadline_that_passes(self, service: Inside, http: httpx.Client) -> None:
        """504, a problem that says that nothing was counted, and nothing is."""
        seq = http.get("/info").json()["seq"]
        with held(service):
            first = _send(service, {"id": "held-1", "x": digits.raw(0)})
            until(
                lambda: service.app.state.context.streams.default.pipeline._at_rest._waiters,
                "the first is in hand",
            )
            answer = http.post(
                "/classify", json={"id": "late", "x": digits.raw(0)}, headers={DEADLINE_HEADER: "20"}
            )
        _status(first)

        assert 504 == answer.status_code
        assert "/problems/deadline" == answer.json()["type"]
        assert "None of them was counted." in answer.json()["detail"]
        assert "1" == answer.headers["retry-after"]
        until(lambda: _dropped(http, "deadline") >= 1, "the drop is counted")
        assert seq + 1 == http.get("/info").json()["seq"]

    def test_a_client_that_goes(self, service: Inside, http: httpx.Client) -> None:
        """Its items wait, it closes the connection: they are dropped before they are embedded, and counted as that."""
        seq = http.get("/info").json()["seq"]
        before = _dropped(http, "client_gone")
        with held(service):
            first = _send(service, {"id": "held-2", "x": digits.raw(0)})
            until(
                lambda: service.app.state.context.streams.default.pipeline._at_rest._waiters,
                "the first is in hand",
            )
            gone = _send(service, {"items": [{"id": f"gone-{n}", "x": digits.raw(n)} for n in range(3)]})
            until(lambda: service.app.state.context.streams.default.queue.waiting == 3, "the second waits")
            jobs = list(service.app.state.context.streams.default.queue._jobs)
            gone.close()
            until(jobs[0].is_gone, "the server has noticed")
        _status(first)
        until(lambda: _dropped(http, "client_gone") == before + 3, "the drop is counted")

        assert seq + 1 == http.get("/info").json()["seq"]
        again = http.post("/classify", json={"id": "gone-0", "x": digits.raw(0)}).json()
        assert seq + 1 == again["seq"]


def _send(service: Inside, body: object) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", service.port), timeout=60)
    data = json.dumps(body).encode()
    lines = [
        "POST /classify HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(data)}",
    ]
    raw.sendall("\r\n".join([*lines, "", ""]).encode() + data)
    return raw


def _status(raw: socket.socket) -> None:
    with raw:
        assert raw.recv(65536).startswith(b"HTTP/1.1 200 ")


def _dropped(http: httpx.Client, reason: str) -> float:
    name = f'firstseen_dropped_items_total{{reason="{reason}",stream="default"}}'
    lines = http.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).rpartition(" ")[2])
