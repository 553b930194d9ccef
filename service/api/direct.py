"""A way past the framework for routes that are asked all the time.

    server ─► Seen ─► Guard ─► errors that nobody caught ─► Direct ─► POST /classify: its function, its answer
                                                               └────► all others: exceptions, router, route

Between the outermost layers and a route's function the framework has seven more, which match paths, keep stacks of
things to close, and look for who handles an error. For one item that is a third of what a request costs here. A
function that takes the request and returns the response (`service.api.plain_route`) needs none of them: its errors are
ours, and the table of failures says how they leave; an answer that is made while it is sent deals with its own
(`service.api.lines`). OpenAPI has the route as ever, and whatever this does not know goes
on to the framework: another method, another path.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.failures import response_of
from service.errors import FirstseenError

Endpoint = Callable[[Request], Awaitable[Response]]


class Direct:
    """An ASGI layer that calls these functions itself.

    Args:
        app: For everything else.
        routes: Functions by method and path.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[tuple[str, str], Endpoint]) -> None:
        self._app = app
        self._routes = dict(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        endpoint = None
        if scope["type"] == "http":
            endpoint = self._routes.get((scope["method"], scope["path"]))
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await endpoint(Request(scope, receive, send))
        except FirstseenError as error:
            response = response_of(error)
        except ClientDisconnect:
            response = Response(status_code=400)  # nobody reads it: the client left before its body had come
        await response(scope, receive, send)
