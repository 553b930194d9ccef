"""Requests of items: raw where they are arrays, JSON again where that is not taken, in halves where it is too much."""

import asyncio
import itertools
import json
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from service.client import Answer, Refusal, Refused, Verdict
from service.client.answers import Problem
from service.client.classifying import classifying
from service.client.feeding import feed_of
from tests.service.client.scripted import OUTLIER


class Service:
    """Answers with outliers; takes `most` items a request, and raw ones if it is to; keeps what it was asked."""

    def __init__(self, *, most: int = 100, takes_raw: bool = True, status: int = 413) -> None:
        self._most = most
        self._takes_raw = takes_raw
        self._status = status
        self.asked: list[tuple[str, list[str]]] = []

    async def __call__(self, *, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        kind = headers["content-type"]
        if kind == "application/octet-stream":
            ids = [unquote(id) for id in headers["firstseen-ids"].split(",")]
        else:
            ids = [item["id"] for item in json.loads(body)["items"]]
        self.asked.append((kind, ids))
        if kind == "application/octet-stream" and not self._takes_raw:
            raise Refused("no", Problem(kind="/problems/invalid-body", title="", status=400, detail="no"))
        if len(ids) > self._most:
            raise Refused("much", Problem(kind="/problems/x", title="", status=self._status, detail="much"))
        return 200, {"results": [{**OUTLIER, "id": id, "seq": 1} for id in ids]}

    async def classify(self, given: Any, batch: int = 100) -> list[Answer]:
        numbers = itertools.count()
        lists = classifying(feed_of(given), self, new_id=lambda: f"i{next(numbers)}", batch=batch)
        async with asyncio.timeout(30):
            return [answer async for answers in lists for answer in answers]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.asked]


IDS = [f"i{n}" for n in range(5)]
IMAGES = np.zeros((5, 2, 2), dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
async def test_arrays_go_raw(dtype: Any) -> None:
    """In one request, each under its id."""
    service = Service()
    got = await service.classify(IMAGES.astype(dtype))

    assert [("application/octet-stream", IDS)] == service.asked
    assert IDS == [answer.id for answer in got]


@pytest.mark.parametrize(
    "given",
    [
        [[0, 1]] * 5,
        IMAGES.astype(np.int64),
        [*IMAGES[:4], [0, 0, 0, 0]],
        [*IMAGES[:4], np.zeros(4, dtype=np.uint8)],
        [*IMAGES[:4], np.zeros((2, 2), dtype=np.float32)],
    ],
)
async def test_anything_else_is_json(given: Any) -> None:
    """Lists, other types, and arrays that are not all alike."""
    service = Service()

    assert IDS == [answer.id for answer in await service.classify(given)]
    assert ["application/json"] == service.kinds


async def test_ids_that_no_header_holds() -> None:
    """A name in another script, or names that are too long together, are JSON."""
    service = Service()
    await service.classify([{"id": "größe", "x": IMAGES[0]}])
    await service.classify([{"id": f"{n}" * 250, "x": IMAGES[0]} for n in range(10, 90)])

    assert ["application/json"] * 2 == service.kinds


async def test_what_is_not_taken_raw_is_sent_as_json() -> None:
    """Under the same ids."""
    service = Service(takes_raw=False)

    assert IDS == [answer.id for answer in await service.classify(IMAGES)]
    assert [("application/octet-stream", IDS), ("application/json", IDS)] == service.asked


@pytest.mark.parametrize("given", [IMAGES, [[0, 1]] * 5])
async def test_too_many_are_cut_in_two(given: Any) -> None:
    """Until the service takes them; the order stays."""
    service = Service(most=2)
    got = await service.classify(given)

    assert IDS == [answer.id for answer in got]
    assert all(isinstance(answer, Verdict) for answer in got)


async def test_one_that_is_too_large_is_refused_alone() -> None:
    """With the service's problem."""
    got = await Service(most=0).classify([[0, 1]] * 2)

    assert ["i0", "i1"] == [answer.id for answer in got]
    assert [413, 413] == [answer.problem.status for answer in got if isinstance(answer, Refusal)]


async def test_another_refusal_is_raised() -> None:
    """A key that may not is not tried with less."""
    service = Service(most=0, status=403)
    with pytest.raises(Refused, match="much"):
        await service.classify(IMAGES)

    assert 1 == len(service.asked)
