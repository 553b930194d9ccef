"""The client with an event loop, against a real service."""

import asyncio

import numpy as np
import pytest

from service.client import AsyncClient, Clusters, Event, Refusal, Refused, Verdict
from tests.service import digits
from tests.service.inside import Inside


async def test_classify(service: Inside) -> None:
    """Of whatever form; a bad one fails alone, in its place, and the same id has the same verdict."""
    image = np.asarray(digits.raw(1), dtype=np.float32).reshape(8, 8)
    async with AsyncClient(service.url) as client:
        got = await client.classify(
            [{"id": "async-a", "x": digits.raw()}, image, "no digit", [float("nan")], digits.raw(2)]
        )
        again = await client.classify([{"id": "async-a", "x": digits.raw(5)}])

    assert [Verdict, Verdict, Refusal, Refusal, Verdict] == [type(answer) for answer in got]
    assert got[:1] == again
    assert 5 == len({answer.id for answer in got})


async def test_an_array_is_its_rows(service: Inside) -> None:
    """(B, ...) is B items, in requests of no more than so many."""
    images = np.stack([digits.raw(n) for n in range(10)])
    async with AsyncClient(service.url) as client:
        got = await client.classify(images, batch=3)

    assert 10 == len(got)
    assert all(isinstance(answer, Verdict) for answer in got)


async def test_raw_or_not_the_verdict_is_the_same(service: Inside) -> None:
    """By either road, to the bit; an array of another size is refused alone by both."""
    images = np.stack([digits.raw(n) for n in range(12)])
    wrong = np.zeros((2, 3, 3), dtype=np.uint8)
    said: list[list[tuple[str, float]]] = []
    async with AsyncClient(service.url) as client:
        for given in (images.astype(np.uint8), images.astype(np.float32), images.tolist()):
            got = await client.classify(given, learn=False)
            said.append([(a.verdict, a.novelty) for a in got if isinstance(a, Verdict)])
        streamed = [answer async for answer in client.stream(images.astype(np.uint8))]
        mixed = [*images[:2].astype(np.uint8), *wrong, *images[2:4].astype(np.uint8)]
        by_socket = [answer async for answer in client.stream(mixed)]
        by_http = await client.classify(mixed)
        all_wrong = await client.classify(wrong)

    assert 12 == len(said[0])
    assert said[0] == said[1] == said[2]
    assert [Verdict] * 12 == [type(answer) for answer in streamed]
    for answers in (by_socket, by_http):
        assert [Verdict, Verdict, Refusal, Refusal, Verdict, Verdict] == [type(answer) for answer in answers]
    assert ["/problems/invalid-item"] * 2 == [a.problem.kind for a in all_wrong if isinstance(a, Refusal)]


async def test_nothing(service: Inside) -> None:
    """No items, no answers."""
    async with AsyncClient(service.url) as client:
        assert [] == await client.classify([])
        assert [] == [answer async for answer in client.stream([])]


async def test_all_refused(service: Inside) -> None:
    """Each has its own problem, though the service answers with an error's status."""
    async with AsyncClient(service.url) as client:
        got = await client.classify(["a", "b"])

    assert ["/problems/invalid-item"] * 2 == [a.problem.kind for a in got if isinstance(a, Refusal)]


async def test_asking_without_teaching(service: Inside) -> None:
    """Nothing is counted, every verdict says why, in requests of no more than the service explains at once."""
    given = digits.many("async-dry", 130)
    async with AsyncClient(service.url) as client:
        before = (await client.info()).state_hash
        got = [answer async for answer in client.stream(iter(given), learn=False, explain=True)]
        after = (await client.info()).state_hash

    assert before == after
    assert [item["id"] for item in given] == [answer.id for answer in got]
    for answer in got:
        assert isinstance(answer, Verdict)
        assert answer.seq is None
        assert (answer.explanation or {})["sentence"]


async def test_classify_one(service: Inside) -> None:
    """A verdict, or the refusal as an error that carries the problem."""
    async with AsyncClient(service.url) as client:
        assert "async-one" == (await client.classify_one({"id": "async-one", "x": digits.raw()})).id
        with pytest.raises(Refused, match="64 numbers") as raised:
            await client.classify_one("no digit")
    assert raised.value.problem is not None


async def test_both_roads_say_the_same(service: Inside) -> None:
    """Over HTTP and over the WebSocket, in order, also for items that are sent again."""
    given = digits.many("async-both", 600)
    async with AsyncClient(service.url) as client:
        streamed = [answer async for answer in client.stream(iter(given))]
        classified = await client.classify(given)

    assert [item["id"] for item in given] == [answer.id for answer in streamed]
    assert streamed == classified


async def test_reads(service: Inside) -> None:
    """Info, clusters, one cluster; what is not there is refused with its problem."""
    async with AsyncClient(service.url, stream="default") as client:
        info = await client.info()
        clusters = await client.clusters()
        candidates = await client.clusters("candidate")
        assert [1, 8, 8] == info.input["shape"]
        assert info.seq >= 0
        assert {c.state for c in candidates.clusters} <= {"candidate"}
        for cluster in clusters.clusters[:1]:
            assert cluster.id == (await client.cluster(cluster.id)).id
        with pytest.raises(Refused, match="no cluster 987654") as raised:
            await client.cluster(987654)
    assert raised.value.problem is not None
    assert 404 == raised.value.problem.status


async def test_watch(service: Inside) -> None:
    """The clusters as they are, then what happens to them while a stream goes on."""
    async with asyncio.timeout(60), AsyncClient(service.url, stream="watched") as client:
        await client.classify_one(digits.raw())
        watch = client.watch()
        seen: list[Clusters | Event] = [await anext(watch)]
        async for _ in client.stream(digits.many("async-watch", 1500)):
            pass
        seen.append(await anext(watch))
        await watch.aclose()

    assert isinstance(seen[0], Clusters)
    assert isinstance(seen[1], Event)
    assert seen[1].cluster.evidence.log10_threshold > 0


async def test_another_stream(service: Inside) -> None:
    """What is not served is refused, over either road."""
    async with AsyncClient(service.url, stream="not/one") as client:
        with pytest.raises(Refused):
            await client.classify([digits.raw()])
        with pytest.raises(Refused):
            await anext(client.stream([digits.raw()]))
