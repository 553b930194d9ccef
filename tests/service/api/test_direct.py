"""Routes that are called without the framework: same answers, same problems, and all else goes on to it."""

import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from service.api.direct import Direct
from service.api.failures import handle_failures
from service.api.plain_route import PlainRoute
from service.errors import InvalidParameter


async def double(request: Request) -> Response:
    """Double the body, unless it is a reason to fail."""
    body = (await request.body()).decode()
    if body == "wrong":
        raise InvalidParameter(f"not for {request.app.title}")
    if body == "gone":
        raise ClientDisconnect
    if body == "fault":
        raise ZeroDivisionError
    return PlainTextResponse(str(2 * int(body)), headers={"x-query": request.query_params.get("q", "")})


def app(*, is_direct: bool) -> FastAPI:
    router = APIRouter(route_class=PlainRoute)
    router.post("/double")(double)
    made = FastAPI(title="it")
    made.include_router(router)
    handle_failures(made)
    if is_direct:
        made.add_middleware(Direct, routes={("POST", "/double"): double})
    return made


@pytest.mark.parametrize("body", ["21", "wrong", "gone", "fault"])
def test_an_answer_is_the_frameworks(body: str) -> None:
    """Status, headers and body, whether it went well or not."""
    answers = []
    for is_direct in (False, True):
        with TestClient(app(is_direct=is_direct), raise_server_exceptions=False) as client:
            answer = client.post("/double?q=1", content=body)
            answers.append((answer.status_code, answer.headers, answer.content))

    assert answers[0] == answers[1]


@pytest.mark.parametrize(("method", "path"), [("GET", "/double"), ("POST", "/double/"), ("POST", "/other")])
def test_what_it_does_not_know_goes_on(method: str, path: str) -> None:
    """Another method, another path: the framework says what is wrong with it."""
    found = []
    for is_direct in (False, True):
        with TestClient(app(is_direct=is_direct), follow_redirects=False) as client:
            answer = client.request(method, path)
            found.append((answer.status_code, answer.content))

    assert found[0] == found[1]
    assert 200 != found[0][0]
