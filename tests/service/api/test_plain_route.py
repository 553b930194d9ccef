"""The plain route: the function gets the request itself, and OpenAPI and the handling of errors are the framework's."""

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.testclient import TestClient

from service.api.plain_route import PlainRoute
from service.errors import InvalidParameter


def app() -> FastAPI:
    router = APIRouter(route_class=PlainRoute)

    @router.post("/double", summary="Twice as much", response_model=int)
    async def double(request: Request) -> Response:
        """Double the body."""
        return PlainTextResponse(str(2 * int(await request.body())))

    @router.get("/refuse")
    async def refuse(request: Request) -> Response:
        """Refuse."""
        raise InvalidParameter(f"not {request.url.path}")

    made = FastAPI()
    made.include_router(router)

    @made.exception_handler(InvalidParameter)
    async def told(_: Request, error: InvalidParameter) -> Response:
        """Tell."""
        return JSONResponse(str(error), status_code=422)

    return made


def test_the_function_answers_by_itself() -> None:
    """What it returns leaves as it is; an error goes the usual way."""
    with TestClient(app()) as client:
        answer = client.post("/double", content=b"21")
        refused = client.get("/refuse")

    assert (200, "42") == (answer.status_code, answer.text)
    assert (422, "not /refuse") == (refused.status_code, refused.json())


def test_it_is_documented_as_any_route() -> None:
    """With its summary and its model."""
    documented = app().openapi()["paths"]["/double"]["post"]

    assert "Twice as much" == documented["summary"]
    assert {"type": "integer"}.items() <= documented["responses"]["200"]["content"]["application/json"][
        "schema"
    ].items()
