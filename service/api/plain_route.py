"""A route whose function takes the request and gives the response: the framework documents it, and does nothing else.

FastAPI solves dependencies, reads the body and validates the answer around every function, also where there is nothing
to solve; for one item that costs more than to look it up. A function that takes a `Request` and returns a `Response`
needs none of it. OpenAPI is made from the same declaration as ever.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response


class PlainRoute(APIRoute):
    """For `APIRouter(route_class=PlainRoute)`; its functions are `async (Request) -> Response`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler
