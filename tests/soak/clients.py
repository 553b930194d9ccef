"""Who uses a service all day long: well-behaved clients of every road, watchers, slips, and those who just hang up.

Each goes on until the book is closed, and then ends what it has begun. Items have ids of their own, and every one that
may have been counted is sent until it is answered, so that in the end the service must have counted exactly what is in
the book.
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from service.client import AsyncClient, Clusters, Verdict
from tests.service import digits
from tests.soak.book import Book

Client = Callable[[str, str, Book, random.Random], Awaitable[None]]

_PAUSE_S = 0.01

MOST_VISITED = 6
"""Streams of a visitor."""


def items(client: str, numbers: "itertools.count[int]", n: int) -> list[dict[str, Any]]:
    """The next items of a client, the digits over and over."""
    return [{"id": f"{client}-{k}", "x": digits.raw(k)} for k in itertools.islice(numbers, n)]


def as_arrays(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same items with their numbers as they lie in memory."""
    return [{**item, "x": np.array(item["x"], dtype=np.uint8)} for item in sent]


async def singles(name: str, url: str, book: Book, rng: random.Random) -> None:
    """One item a request; now and then one that was sent before."""
    numbers = itertools.count()
    async with AsyncClient(url) as client:
        while not book.is_over:
            (item,) = items(name, numbers, 1)
            book.answered(name, [item], [await client.classify_one(item)])
            if book.sample and rng.random() < 0.1:
                id = rng.choice(list(book.sample))
                x = book.sample[id][0]
                (answer,) = await client.classify([{"id": id, "x": x}])
                if id in book.sample:
                    book.again(name, id, answer)
            await asyncio.sleep(_PAUSE_S * rng.random())


async def batches(name: str, url: str, book: Book, rng: random.Random) -> None:
    """Lists of any length, some of them of arrays, which go raw."""
    numbers = itertools.count()
    async with AsyncClient(url) as client:
        while not book.is_over:
            sent = items(name, numbers, rng.randint(1, 200))
            given = as_arrays(sent) if rng.random() < 0.5 else sent
            book.answered(name, sent, await client.classify(given))
            await asyncio.sleep(_PAUSE_S * len(sent) * rng.random())


async def streams(name: str, url: str, book: Book, rng: random.Random) -> None:
    """Streams over the WebSocket, one after the other, at a pace of their own."""
    numbers = itertools.count()
    async with AsyncClient(url) as client:
        while not book.is_over:
            sent: list[dict[str, Any]] = []

            async def paced(sent: list[dict[str, Any]] = sent) -> AsyncIterator[dict[str, Any]]:
                for _ in range(rng.randint(1, 40)):
                    part = items(name, numbers, rng.randint(1, 64))
                    sent.extend(part)
                    for item in as_arrays(part) if rng.random() < 0.5 else part:
                        yield item
                    await asyncio.sleep(_PAUSE_S * len(part) * rng.random())

            answers = [answer async for answer in client.stream(paced())]
            book.answered(name, sent, answers)


async def visitors(name: str, url: str, book: Book, rng: random.Random) -> None:
    """Go from stream to stream, of which there are more than may be open; each has counted just what it was sent."""
    sent = Counter[str]()
    while not book.is_over:
        stream = f"{name}-{rng.randint(0, MOST_VISITED - 1)}"
        async with AsyncClient(url, stream=stream) as client:
            n = rng.randint(1, 20)
            given = [
                {"id": f"{stream}-{k}", "x": digits.raw(k)} for k in range(sent[stream], sent[stream] + n)
            ]
            answers = await client.classify(given)
            sent[stream] += n
            if [item["id"] for item in given] != [answer.id for answer in answers]:
                book.note_wrong(f"{name}: not the answers of what was sent: {answers[:3]}")
            info = await client.info()
            counted = sum(info.verdicts.values())
            if counted != sent[stream] and not info.stale:  # as of before, where the engine is busy
                book.note_wrong(f"{name}: {stream} counted {counted} of {sent[stream]}")
            book.answers[name] += n
        await asyncio.sleep(_PAUSE_S * n * rng.random())


async def askers(name: str, url: str, book: Book, rng: random.Random) -> None:
    """Ask what would be said, and why; the service must not count it."""
    numbers = itertools.count()
    async with AsyncClient(url) as client:
        while not book.is_over:
            asked = items(name, numbers, rng.randint(1, 30))
            answers = await client.classify(asked, learn=False, explain=True)
            if any(not isinstance(a, Verdict) or a.seq is not None or a.explanation is None for a in answers):
                book.note_wrong(f"{name}: not the answers of a dry run: {answers[:2]}")
            book.asked += len(answers)
            await asyncio.sleep(_PAUSE_S * len(asked) * rng.random())


async def watchers(name: str, url: str, book: Book, rng: random.Random) -> None:
    """Watch for a while, leave, and look around."""
    async with AsyncClient(url) as client:
        while not book.is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2 + rng.random()):
                    async for told in client.watch():
                        book.answers[name] += isinstance(told, Clusters)
            await client.clusters(rng.choice([None, "candidate", "gone"]))
            book.answers[name] += (await client.info()).seq > 0  # may be stale: the engine is busy


SLIPS: tuple[tuple[int, str, bytes, str], ...] = (
    (400, "/classify", b"{torn", "application/json"),
    (400, "/classify", b"\xff\xfe", "application/json"),
    (400, "/classify", b'{"items": 7}', "application/json"),
    (415, "/classify", b"<x/>", "application/xml"),
    (422, "/classify", b'{"id": "slip", "x": "a text"}', "application/json"),
    (422, "/classify", b'{"items": [{"x": [1]}, {"x": null}]}', "application/json"),
    (404, "/nowhere", b"{}", "application/json"),
    (405, "/info", b"{}", "application/json"),
)
"""Status, path, body and content type of what must be refused, always alike."""


async def slips(name: str, url: str, book: Book, rng: random.Random) -> None:
    """Requests and frames that cannot be right."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        while not book.is_over:
            status, path, body, kind = rng.choice(SLIPS)
            answer = await http.post(path, content=body, headers={"content-type": kind})
            if answer.status_code != status:
                book.note_wrong(
                    f"{name}: {answer.status_code} instead of {status} for {body!r}: {answer.text}"
                )
            book.provoked[str(answer.status_code)] += 1
            await _bad_frame(name, url, book, rng)
            await asyncio.sleep(_PAUSE_S * rng.random())


async def _bad_frame(name: str, url: str, book: Book, rng: random.Random) -> None:
    frame = rng.choice(['{"type": "items", "items": 7}', "torn", '{"type": "nothing"}', b"\x00\x01"])
    async with connect(_socket(url), compression=None, proxy=None) as socket:
        await socket.recv()
        await socket.send(frame)
        said = json.loads(await socket.recv())
        if said["type"] != "error":
            book.note_wrong(f"{name}: {frame!r} was answered with {said}")
        await socket.send('{"type": "items", "items": [{"x": "a text"}]}')
        nack = json.loads(await socket.recv())
        if nack["type"] != "nack":
            book.note_wrong(f"{name}: a bad item was answered with {nack}")
        book.provoked["frames"] += 1


async def hangers_up(name: str, url: str, book: Book, rng: random.Random) -> None:
    """Cut the line in mid-request, in mid-frame and in mid-answer; what may have been counted is then sent in order."""
    numbers = itertools.count()
    parts = urlsplit(url)
    async with AsyncClient(url) as client:
        while not book.is_over:
            sent = items(name, numbers, rng.randint(1, 50))
            if rng.random() < 0.5:
                body = json.dumps({"items": sent}).encode()
                head = (
                    f"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n"
                ).encode()
                said = head + body
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
                writer.write(said[: rng.randint(1, len(said))])
                with suppress(ConnectionError):
                    await writer.drain()
                    await asyncio.sleep(_PAUSE_S * rng.random())
                writer.transport.abort()
            else:
                with suppress(ConnectionClosed, ConnectionError):
                    async with connect(_socket(url), compression=None, proxy=None) as socket:
                        await socket.recv()
                        await socket.send(json.dumps({"type": "items", "items": sent}))
                        if rng.random() < 0.5:
                            await socket.recv()
                        socket.transport.abort()
            book.provoked["hung up"] += 1
            book.answered(name, sent, await client.classify(sent))
            await asyncio.sleep(_PAUSE_S * rng.random())


def _socket(url: str) -> str:
    return url.replace("http://", "ws://") + "/stream"


ALL: tuple[tuple[Client, int], ...] = (
    (singles, 2),
    (batches, 2),
    (streams, 2),
    (visitors, 1),
    (askers, 1),
    (watchers, 3),
    (slips, 1),
    (hangers_up, 2),
)
"""Who, and how many of them."""
