"""Quarantine over every way in: per-item problems, nacks, and the routes that list, retry and drop."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from service.client import StreamClient
from service.pipeline import quarantine
from tests.service import digits
from tests.service.crashing import WHITE, Crashing, fragile
from tests.service.inside import Inside

_names = itertools.count()


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Inside, Crashing]]:
    before, quarantine.PER_MINUTE = quarantine.PER_MINUTE, 1000  # type: ignore[misc]  # these tests are not patient
    with fragile() as both:
        yield both
    quarantine.PER_MINUTE = before  # type: ignore[misc]  # as above


@pytest.fixture
def service(both: tuple[Inside, Crashing]) -> Inside:
    return both[0]


@pytest.fixture
def net(both: tuple[Inside, Crashing]) -> Iterator[Crashing]:
    yield both[1]
    both[1].is_mended = False


@pytest.fixture
def http(service: Inside) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        yield client
        client.delete("/dlq", params={"all": "true"})


@pytest.fixture
def name() -> str:
    return f"dlq{next(_names)}"


def listed(http: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = http.get("/dlq").raise_for_status().json()["items"]
    return items


class TestAnswers:
    def test_single(self, http: httpx.Client, name: str) -> None:
        """An item on its own gets the problem as its status; it says what happened and what to do."""
        answer = http.post("/classify", json={"id": name, "x": WHITE})

        assert 422 == answer.status_code
        assert "application/problem+json" == answer.headers["content-type"]
        problem = answer.json()
        assert "/problems/quarantined" == problem["type"]
        assert name in problem["detail"]
        assert "firstseen dlq list" in problem["detail"]
        assert "darkest pixel" not in problem["detail"], "what failed inside is not the sender's"
        assert "retry-after" not in answer.headers

    def test_batch(self, http: httpx.Client, name: str) -> None:
        """In a batch it alone has a problem, in its place."""
        items = digits.many(name, 20)
        items[13] = {"id": f"{name}-white", "x": WHITE}
        answer = http.post("/classify", json={"items": items})

        assert 200 == answer.status_code
        results = answer.json()["results"]
        refused = results.pop(13)
        assert f"{name}-white" == refused["id"]
        assert "/problems/quarantined" == refused["problem"]["type"]
        first = results[0]["seq"]
        assert list(range(first, first + 19)) == [result["seq"] for result in results]

    @pytest.mark.usefixtures("http")
    async def test_stream(self, service: Inside, name: str) -> None:
        """On the WebSocket it is a nack; positions and acks go on, and the socket stays open."""
        items = [*digits.many(name, 5), {"id": f"{name}-white", "x": WHITE}, *digits.many(f"{name}b", 5)]
        async with connect(f"{service.ws_url}/stream", proxy=None, compression=None) as socket:
            await socket.send(json.dumps({"type": "items", "items": items}))
            await socket.send(json.dumps({"type": "end"}))
            messages = [json.loads(frame) async for frame in socket]

        nacks = [message for message in messages if message["type"] == "nack"]
        results = [one for message in messages if message["type"] == "verdicts" for one in message["results"]]
        assert [(5, f"{name}-white", 422)] == [
            (n["position"], n["id"], n["problem"]["status"]) for n in nacks
        ]
        assert [0, 1, 2, 3, 4, 6, 7, 8, 9, 10] == [one["position"] for one in results]
        credit = messages[-1].pop("credits")  # follows how fast the engine is
        assert {"type": "ack", "accepted": 11, "durable": 11, "durability": "fsync"} == messages[-1]
        assert credit >= 64
        assert 1000 == socket.close_code

    @pytest.mark.usefixtures("http")
    async def test_client(self, service: Inside, name: str) -> None:
        """The client that loses nothing takes it for an answer."""
        got: dict[str, Any] = {}

        async def chunks() -> Any:
            yield [*digits.many(name, 5), {"id": f"{name}-white", "x": WHITE}]

        client = StreamClient(
            f"{service.ws_url}/stream", on_result=lambda message: got.update({message["id"]: message})
        )
        await client.run(chunks())

        assert 6 == len(got)
        assert "nack" == got[f"{name}-white"]["type"]

    def test_the_state_is_as_before(self, http: httpx.Client, name: str) -> None:
        """A quarantined item was not counted; /info and /metrics say how many there are."""
        before = http.get("/info").json()
        http.post("/classify", json={"id": name, "x": WHITE})
        after = http.get("/info").json()

        assert (before["state_hash"], before["seq"]) == (after["state_hash"], after["seq"])
        assert 1 == after["quarantined"]
        assert 'firstseen_dead_letters{stream="default"} 1.0' in http.get("/metrics").text
        assert 200 == http.get("/readyz").status_code


class TestList:
    def test_empty(self, http: httpx.Client) -> None:
        """Nothing there is a list, too."""
        assert {"items": [], "next": None} == http.get("/dlq").json()

    def test_what_it_says(self, http: httpx.Client, name: str) -> None:
        """Why, when, where, how often, how large; and never the payload."""
        seq = http.get("/info").json()["seq"]
        http.post("/classify", json={"id": name, "x": WHITE})
        (letter,) = listed(http)
        t = letter.pop("t")

        assert t > 1_700_000_000
        assert letter.pop("version")
        assert {
            "id": name,
            "reason": "ZeroDivisionError: the darkest pixel",
            "seq": seq,
            "attempts": 2,
            "size": 256,
            "kept": True,
        } == letter

    def test_pages(self, http: httpx.Client, name: str) -> None:
        """Page by page, in order of ids."""
        ids = [f"{name}-{n}" for n in range(5)]
        http.post("/classify", json={"items": [{"id": id, "x": WHITE} for id in ids]})
        seen, after = [], ""
        while after is not None:
            page = http.get("/dlq", params={"after": after, "limit": 2}).json()
            seen.append([letter["id"] for letter in page["items"]])
            after = page["next"]

        assert [ids[:2], ids[2:4], ids[4:]] == seen


class TestRetryAndDrop:
    @pytest.mark.parametrize("id", ["plain", "a/b?c=d&e#f", "..", "%2e/+ ", "\U0001f600\x00\n", "'\"<b>"])
    def test_any_id(self, http: httpx.Client, net: Crashing, name: str, id: str) -> None:
        """Whatever it holds: listed, tried again, and out with a verdict."""
        id = f"{id}{name}" if id != ".." else id
        http.post("/classify", json={"id": id, "x": WHITE})
        assert [id] == [letter["id"] for letter in listed(http)]
        again = http.post("/dlq/retry", params={"id": id})
        assert (422, "/problems/quarantined") == (again.status_code, again.json()["type"])
        net.is_mended = True
        verdict = http.post("/dlq/retry", params={"id": id})

        assert 200 == verdict.status_code
        assert id == verdict.json()["id"]
        assert [] == listed(http)
        assert verdict.json() == http.post("/classify", json={"id": id, "x": digits.raw()}).json()

    def test_drop(self, http: httpx.Client, name: str) -> None:
        """Forgotten, it may be sent anew; a second time it is not there."""
        http.post("/classify", json={"id": name, "x": WHITE})

        assert {"dropped": 1} == http.delete("/dlq", params={"id": name}).json()
        assert 404 == http.delete("/dlq", params={"id": name}).status_code
        assert 200 == http.post("/classify", json={"id": name, "x": digits.raw()}).status_code

    def test_drop_all(self, http: httpx.Client, name: str) -> None:
        """However many."""
        http.post("/classify", json={"items": [{"id": f"{name}-{n}", "x": WHITE} for n in range(3)]})

        assert {"dropped": 3} == http.delete("/dlq", params={"all": "true"}).json()
        assert {"dropped": 0} == http.delete("/dlq", params={"all": "true"}).json()

    @pytest.mark.parametrize("asked", [{}, {"id": "a", "all": "true"}])
    def test_drop_what(self, http: httpx.Client, asked: dict[str, str]) -> None:
        """One, or all."""
        answer = http.delete("/dlq", params=asked)

        assert (422, "/problems/invalid-parameter") == (answer.status_code, answer.json()["type"])

    def test_nobody(self, http: httpx.Client) -> None:
        """What is not in quarantine cannot be tried again."""
        answer = http.post("/dlq/retry", params={"id": "nobody"})

        assert (404, "/problems/unknown-dead-letter") == (answer.status_code, answer.json()["type"])

    @pytest.mark.parametrize(("method", "path"), [("POST", "/dlq/retry?id=a"), ("DELETE", "/dlq?all=true")])
    def test_other_sites(self, http: httpx.Client, method: str, path: str) -> None:
        """A page of another site can do neither."""
        answer = http.request(method, path, headers={"origin": "https://elsewhere.example"})

        assert (403, "/problems/origin") == (answer.status_code, answer.json()["type"])
