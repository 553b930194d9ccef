"""Routes about one stream, which need one scope: declared, and opened to who may, in one place.

WEBHOOKS = StreamRoutes(router, Scope.ADMIN, PROBLEMS)

@WEBHOOKS.route("GET", "/webhooks", "The webhooks of a stream", WebhooksOut)
async def webhooks(request: Request) -> Response:
    async with WEBHOOKS.asked(request) as asked:
        ...
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel

from service.access.rights import Scope
from service.api.access import Caller, admit, needs
from service.api.bodies import receive_body
from service.api.context import Context, context_of, stream_name, stream_of
from service.api.formats.head import Head
from service.api.schemas import STREAM, STREAM_PROBLEMS, ProblemOut
from service.streams.stream import Stream

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request about a stream, by somebody who may; the stream is in use."""

    request: Request
    head: Head
    context: Context
    caller: Caller
    stream: Stream

    async def body(self, most: int) -> bytearray:
        """What was sent, of at most so many bytes. Raises as `receive_body`."""
        with self.context.bodies.share(self.caller.family) as share:
            within_s = self.context.settings.request_timeout_s
            return await receive_body(self.request, self.head, share, limit=most, timeout_s=within_s)


@dataclass(frozen=True)
class StreamRoutes:
    """Routes of one router.

    Attributes:
        router: Where they go.
        scope: What each needs.
        problems: What may be wrong, beside the stream: status -> description.
    """

    router: APIRouter
    scope: Scope
    problems: Mapping[int, str] = field(default_factory=dict)

    def route(
        self,
        method: str,
        path: str,
        summary: str,
        out: type[BaseModel],
        *,
        description: str | None = None,
        body: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        status: int = 200,
    ) -> Callable[[Handler], Handler]:
        """Declare one: what it is for, and what it answers."""
        parameters = [*STREAM["parameters"], *([] if header is None else [header])]
        described: dict[int | str, dict[str, Any]] = {
            code: {"model": ProblemOut, "description": said} for code, said in self.problems.items()
        }
        return self.router.api_route(
            path,
            methods=[method],
            summary=summary,
            description=description,
            status_code=status,
            response_model=out,
            responses={**STREAM_PROBLEMS, **described},
            openapi_extra=needs(
                self.scope, parameters=parameters, **({} if body is None else {"requestBody": dict(body)})
            ),
        )

    @asynccontextmanager
    async def asked(self, request: Request) -> AsyncIterator[Asked]:
        """A request: its stream, opened if it is not, and in use while the context is open.

        Raises:
            FirstseenError: Who asks may not, or as `Streams.open`.
        """
        context = context_of(request)
        caller = await admit(request, context, self.scope, stream_name(request, context))
        stream = await stream_of(request, context)
        with stream.in_use():
            head = Head.of(request.scope["headers"])
            yield Asked(request=request, head=head, context=context, caller=caller, stream=stream)
