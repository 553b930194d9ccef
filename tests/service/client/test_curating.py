"""Decisions by the client: what is sent, what comes back, and that a lost reply decides nothing twice."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from service.client import AsyncClient, Client, Decision, GaveUp, Refused
from service.client.curating import Curating

Json = dict[str, Any]

MADE: Json = {
    "decision": 7,
    "action": "name",
    "cluster": 3,
    "time": "2026-11-26T12:00:00.000Z",
    "who": "open",
}


class Service:
    """Answers decisions, and remembers what it was asked; the first replies are lost, though it has decided."""

    def __init__(self, *, lost: int = 0, away: int = 0) -> None:
        self.asked: list[httpx.Request] = []
        self.made: dict[str, Json] = {}
        self._lost, self._away = lost, away

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self._away > 0:
            self._away -= 1
            problem = {"type": "/problems/not-ready", "title": "t", "status": 503, "detail": "starting"}
            return httpx.Response(503, json=problem)
        key = request.headers["idempotency-key"]
        made = self.made.setdefault(key, MADE | {"decision": len(self.made)})
        if self._lost > 0:
            self._lost -= 1
            raise httpx.ReadError("the line was cut")
        return httpx.Response(200, json=made)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.asked]


def client_of(handler: Callable[[httpx.Request], httpx.Response], *, patience_s: float = 10.0) -> AsyncClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return AsyncClient("http://service", http=http, patience_s=patience_s)


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (lambda c: c.name(3, "a", why="b"), "/clusters/3/name", {"label": "a", "why": "b"}),
        (lambda c: c.name(3, ""), "/clusters/3/name", {"label": ""}),
        (lambda c: c.promote(3, "7"), "/clusters/3/promote", {"label": "7"}),
        (lambda c: c.link(3, "8"), "/clusters/3/link", {"label": "8"}),
        (lambda c: c.merge(3, 2), "/clusters/3/merge", {"into": 2}),
        (lambda c: c.split(3, [(1, 2), iter([5])]), "/clusters/3/split", {"parts": [[1, 2], [5]]}),
        (lambda c: c.dismiss(3), "/clusters/3/dismiss", {}),
        (
            lambda c: c.dismiss(3, until_rate=2, until=datetime(2099, 12, 24, tzinfo=UTC)),
            "/clusters/3/dismiss",
            {"until_rate": 2, "until": "2099-12-24T00:00:00+00:00"},
        ),
        (lambda c: c.undo(3), "/clusters/3/undo", {}),
        (lambda c: c.undo(3, 0), "/clusters/3/undo", {"decision": 0}),
    ],
)
async def test_what_is_sent(call: Callable[[Curating], Any], path: str, body: Json) -> None:
    """As the service has it, and nothing that was not said."""
    service = Service()
    async with client_of(service) as client:
        made = await call(client)

    (request,) = service.asked
    assert ("POST", path, [body]) == (request.method, request.url.path, service.bodies)
    assert "application/json" == request.headers["content-type"]
    assert 3 == made.cluster


async def test_a_lost_reply_decides_nothing_twice() -> None:
    """What was decided though nobody heard is asked for again under the same key."""
    service = Service(lost=2, away=1)
    async with client_of(service) as client:
        made = await client.promote(3, "7")

    assert 4 == len(service.asked)
    assert 1 == len({request.headers["idempotency-key"] for request in service.asked})
    assert 1 == len(service.made)
    assert 0 == made.decision


async def test_each_decision_has_a_key_of_its_own() -> None:
    """But for who gives one: that is the same decision again, whenever it is sent."""
    service = Service()
    async with client_of(service) as client:
        own = [await client.name(3, "a") for _ in range(2)]
        given = [await client.name(3, "b", key="mine") for _ in range(2)]

    assert own[0].decision != own[1].decision
    assert given[0] == given[1]
    assert '"mine"' == service.asked[-1].headers["idempotency-key"]


async def test_what_the_service_refuses() -> None:
    """Is raised at once, with what to do first."""
    asked: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        detail = "Undo decision 812 first."
        return httpx.Response(
            409, json={"type": "/problems/cannot-decide", "title": "t", "status": 409, "detail": detail}
        )

    async with client_of(refuse) as client:
        with pytest.raises(Refused, match="Undo decision 812 first"):
            await client.undo(3, 800)
    assert 1 == len(asked)


async def test_a_service_that_is_away() -> None:
    """It is not known whether it was decided; the same key finds out."""
    service = Service(lost=1)
    async with client_of(service, patience_s=0) as client:
        service._lost = 1_000
        with pytest.raises(GaveUp):
            await client.promote(3, "7", key="mine")
        service._lost = 0
        made = await client.promote(3, "7", key="mine")

    assert 1 == len(service.made)
    assert 0 == made.decision


async def test_decisions_page_by_page() -> None:
    """Newest first, and no page before it is asked for."""
    asked: list[dict[str, str]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        asked.append(query)
        first = int(query.get("after", 6)) - 1
        page = [MADE | {"decision": n} for n in range(first, first - 2, -1)]
        return httpx.Response(
            200, json={"seq": 9, "stale": False, "decisions": page, "next": first - 1 or None}
        )

    async with client_of(handler) as client:
        decisions = client.decisions(3, action="name")
        first = await anext(decisions)
        assert 1 == len(asked)
        rest = [one.decision async for one in decisions]

    assert [5, 4, 3, 2, 1, 0][: 1 + len(rest)] == [first.decision, *rest]
    assert all(("3", "name") == (query["cluster"], query["action"]) for query in asked)


async def test_filters_of_clusters() -> None:
    """As the service has them; what is not said is not sent."""
    asked: list[httpx.URL] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={"seq": 0, "clusters": []})

    async with client_of(handler) as client:
        await client.clusters()
        await client.clusters("gone", name="a b", dismissed=False)

    assert [{}, {"state": "gone", "name": "a b", "dismissed": "false"}] == [dict(url.params) for url in asked]


def test_a_decision_of_a_newer_service() -> None:
    """Kinds and fields that this client does not know are no harm; those that it does not need may be missing."""
    newer = msgspec.convert({**MADE, "action": "freeze", "mood": "new"}, Decision)

    assert ("freeze", (), None) == (newer.action, newer.created, newer.undone_by)


def test_every_call_is_there_without_a_loop_as_well() -> None:
    """Of the same names."""
    calls = [name for name in vars(Curating) if not name.startswith("_")]

    assert [name for name in calls if name not in vars(Client)] == []
