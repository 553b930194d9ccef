"""Requests against a scripted transport: what is made again, what is an answer."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.client import GaveUp, Refused
from service.client.address import Address
from service.client.asking import Requests

PROBLEM = {"type": "/problems/overloaded", "title": "t", "status": 503, "detail": "too much is waiting"}

Step = Callable[[httpx.Request], httpx.Response]


def says(status: int, body: Any = None, **headers: str) -> Step:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, json=body, headers=given)


def cut(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("cut", request=request)


class Script:
    """The steps in turn; the last one for good."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return step(request)

    async def ask(self, *, patience_s: float = 5.0, address: Address | None = None) -> tuple[int, Any]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as http:
            address = address or Address.of("http://service")
            requests = Requests(address, timeout_s=1, patience_s=patience_s, http=http)
            return await requests.ask("POST", "/classify", body=b"{}", parameters={"learn": "false"})


async def test_an_answer() -> None:
    """Stream, key, parameters and body are sent; the JSON comes back."""
    script = Script(says(200, {"results": []}))
    address = Address.of("http://service/at/", stream="s", api_key="k")

    assert (200, {"results": []}) == await script.ask(address=address)
    (request,) = script.requests
    assert "http://service/at/classify?stream=s&learn=false" == str(request.url)
    assert "Bearer k" == request.headers["authorization"]
    assert b"{}" == request.content


@pytest.mark.parametrize(
    "failing",
    [cut, says(503, PROBLEM, retry_after="0"), says(429, PROBLEM), says(502), says(504, "a gateway")],
)
async def test_what_may_be_mended_by_asking_again_is(failing: Step) -> None:
    """The same request, byte for byte."""
    script = Script(failing, failing, says(200, {"results": [1]}))

    assert (200, {"results": [1]}) == await script.ask()
    assert 3 == len(script.requests)
    assert 1 == len({request.content for request in script.requests})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 500])
async def test_what_would_only_be_refused_again_is_not_asked_again(status: int) -> None:
    """The problem is in the error."""
    script = Script(says(status, {**PROBLEM, "status": status}))

    with pytest.raises(Refused, match="too much is waiting") as raised:
        await script.ask()
    assert 1 == len(script.requests)
    assert raised.value.problem is not None
    assert status == raised.value.problem.status


async def test_all_items_refused_is_an_answer() -> None:
    """Each has its own."""
    assert (422, {"results": []}) == await Script(says(422, {"results": []})).ask()


async def test_it_gives_up() -> None:
    """With what was said last."""
    with pytest.raises(GaveUp, match=r"did not answer.*too much is waiting") as raised:
        await Script(says(503, PROBLEM, retry_after="0")).ask(patience_s=0)
    assert raised.value.problem is not None
    assert "/problems/overloaded" == raised.value.problem.kind


async def test_something_else_that_answers() -> None:
    """A page is no answer."""

    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>")

    with pytest.raises(Refused, match="is no firstseen"):
        await Script(page).ask()


async def test_a_date_is_not_waited_for() -> None:
    """Retry-After may be one; the usual pause will do."""
    script = Script(says(503, PROBLEM, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), says(200, {}))

    assert (200, {}) == await script.ask()
