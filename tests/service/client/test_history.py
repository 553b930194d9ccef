"""The history of events by the client: page by page, on from where one is, and on to what happens, over cuts."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import msgspec
import pytest

from service.client import AsyncClient, Client, Clusters, Event, PastEvent, Refused
from service.client.history import following
from tests.service import digits
from tests.service.inside import Inside
from tests.service.told import cluster

CLUSTER = msgspec.to_builtins(cluster())


class Service:
    """Has a history, of which each request gets a page."""

    def __init__(self, n: int, *, page: int = 100, left: int = 0) -> None:
        self.n, self.page, self.left = n, page, left
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        after = request.url.params["after"]
        self.asked.append(after)
        first = 0 if after == "0-0" else int(after.partition("-")[0]) + 1
        start = max(first, self.left)
        told = [self.event(seq) for seq in range(start, min(start + self.page, self.n))]
        last = told[-1]["id"] if told else after
        return httpx.Response(200, json={"events": told, "last": last, "gap": start > first, "total": self.n})

    def event(self, seq: int) -> dict[str, Any]:
        return {"id": f"{seq}-1", "event": "emerged", "seq": seq, "t": 1.0, "cluster": CLUSTER}


def client_of(service: Service) -> AsyncClient:
    return AsyncClient("http://service", http=httpx.AsyncClient(transport=httpx.MockTransport(service)))


@pytest.mark.parametrize("n", [0, 1, 99, 100, 101, 250])
async def test_all_of_it_once(n: int) -> None:
    """Oldest first, with no more requests than pages, and one more where the last was full."""
    service = Service(n)
    async with client_of(service) as client:
        read = [event async for event in client.events()]

    assert [f"{seq}-1" for seq in range(n)] == [event.id for event in read]
    assert n // 100 + 1 == len(service.asked)
    assert not any(event.gap for event in read)


async def test_on_from_where_one_is() -> None:
    """And no page before it is asked for."""
    service = Service(250)
    async with client_of(service) as client:
        events = client.events("120-1")
        first = await anext(events)
        await events.aclose()

    assert ("121-1", ["120-1"]) == (first.id, service.asked)


async def test_a_gap_is_told_once() -> None:
    """With the event behind it."""
    async with client_of(Service(250, left=30)) as client:
        read = [event async for event in client.events("3-1")]

    assert ["30-1"] == [event.id for event in read if event.gap]


def told(seq: int) -> Event:
    return msgspec.convert(Service(0).event(seq), Event)


async def test_what_happens_is_read_and_none_is_passed_over() -> None:
    """A cut shows as clusters told anew: what was told to nobody meanwhile is read then; nothing is read twice."""
    service = Service(2)

    async def watched() -> AsyncGenerator[Clusters | Event, None]:
        yield Clusters(seq=2, clusters=())
        service.n = 4
        yield told(2)
        yield told(3)  # read already
        service.n = 7
        yield Clusters(seq=7, clusters=())
        service.n = 8
        yield told(7)

    async with client_of(service) as client:
        read = [event.seq async for event in following(client._requests, "0-0", watched())]

    assert [*range(8)] == read
    assert ["0-0", "1-1", "3-1", "6-1"] == service.asked


def test_of_a_service(service: Inside) -> None:
    """The history, the same as it happens; an id that is none is refused."""
    with Client(service.url, stream="history") as client:
        client.classify(digits.stream_items())
        events = list(client.events())
        follows = client.events(follow=True)
        followed = [next(follows) for _ in events]
        client.name(events[0].cluster.id, "named")
        new = next(follows)
        follows.close()
        with pytest.raises(Refused, match="412-1"):
            list(client.events("nonsense"))

    assert events
    assert events == followed
    assert ("named", "named") == (new.event, new.cluster.name)
    assert isinstance(new, PastEvent)
