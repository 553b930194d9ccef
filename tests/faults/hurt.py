"""How a service has to behave while its store is away, whatever the reason."""

import json
from typing import Any

import psutil
from websockets.sync.client import ClientConnection, connect

from tests.faults.rig import Rig, Service
from tests.service import digits
from tests.service.waiting import until

MOST_GROWTH_BYTES = 10e6


def unready(service: Service) -> str:
    """Wait until /readyz is 503; the reason it gives."""
    until(lambda: not service.is_ready(), "it is not ready")
    answer = service.http.get("/readyz")
    reason: str = answer.json()["reason"] or ""
    assert answer.status_code == 503
    assert reason, "not ready, and no reason"
    return reason


def away(service: Service) -> None:
    """Alive, not ready with a reason, refusing items with Retry-After, and showing what it knows, marked stale."""
    reason = unready(service)
    assert service.http.get("/livez").status_code == 200
    refused = service.http.post("/classify", json={"x": digits.raw()})
    shown = [service.http.get(path) for path in ("/clusters", "/info")]
    assert [200, 200] == [answer.status_code for answer in shown], [answer.text for answer in shown]
    assert refused.status_code == 503, refused.text
    assert int(refused.headers["retry-after"]) >= 1
    assert all(answer.json()["stale"] for answer in shown), f"what is shown is not marked stale ({reason})"


def grown(service: Service) -> float:
    """Bytes by which 40 refused requests of 1000 items each make the service grow, after ten of them."""
    me = psutil.Process(service.process.pid)
    body = json.dumps({"items": [{"x": digits.raw()}] * 1000}).encode()
    before = 0
    for n in range(50):
        assert service.http.post("/classify", content=body).status_code == 503
        before = me.memory_info().rss if n == 9 else before
    return float(me.memory_info().rss - before)


class CreditWatch:
    """A WebSocket that sends all it may at once, and then counts what it is granted."""

    def __init__(self, rig: Rig, service: Service) -> None:
        self._rig = rig
        self._socket: ClientConnection = rig.enter(
            connect(service.ws_url + "/stream", compression=None, proxy=None)
        )
        self._limit = json.loads(self._socket.recv(10))["credits"]
        self._items: list[dict[str, Any]] = []
        self._answered = 0

    @property
    def left(self) -> int:
        """Items that may be sent now."""
        return int(self._limit - len(self._items))

    def send(self, n: int) -> None:
        """Send `n` more items, within the credit."""
        items = self._rig.items(n)
        assert n <= self.left
        self._rig.book.sending(items)
        self._items += items
        self._socket.send(json.dumps({"type": "items", "items": items}))

    def hears(self, *, within_s: float) -> int:
        """Items that were answered meanwhile; stops when all are."""
        before = self._answered
        while self._answered < len(self._items):
            try:
                message = json.loads(self._socket.recv(within_s))
            except TimeoutError:
                break
            if message["type"] == "verdicts":
                for result in message["results"]:
                    self._rig.book.answered({**result, "id": self._items[result["position"]]["id"]})
            elif message["type"] == "ack":
                self._answered = message["durable"]
                self._limit = message["accepted"] + message["credits"]
        return int(self._answered - before)

    def close(self) -> None:
        """Go away."""
        self._socket.close()
