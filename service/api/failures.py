"""One table: error -> HTTP status, WebSocket close code, problem type. Everything that fails goes through it.

Errors leave as RFC 9457 problem details. The `type` is a path on this very service: `GET /problems/<name>`
says what it means and what to do.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service import errors
from service.api.access import admit_as_declared
from service.api.compression import ACCEPT_ENCODING
from service.api.context import context_of, stream_name
from service.ingest.protocol import Problem
from service.state.errors import StoreError
from service.telemetry.request_id import current_request_id

PROBLEM_JSON = "application/problem+json"

_CHALLENGE = 'Bearer realm="firstseen"'


@dataclass(frozen=True, slots=True)
class Failure:
    """A row of the table. `can_retry`: the same request may succeed later, unchanged."""

    error: type[Exception]
    name: str
    title: str
    status: int
    close_code: int
    can_retry: bool

    @property
    def meaning(self) -> str:
        """What it means, for who looks up the type of a problem."""
        if self.error is Exception:
            return "A fault of the service, not of what was sent. Its log has the traceback under the request's id."
        return " ".join((self.error.__doc__ or "").split())


FAILURES: tuple[Failure, ...] = (
    Failure(errors.InvalidItem, "invalid-item", "The item cannot be classified as sent", 422, 1008, False),
    Failure(errors.ItemQuarantined, "quarantined", "The item is in quarantine", 422, 1008, False),
    Failure(errors.InvalidBody, "invalid-body", "The request cannot be understood", 400, 1008, False),
    Failure(errors.BodyTooLarge, "too-large", "The request is too large", 413, 1009, False),
    Failure(errors.UnsupportedMediaType, "media-type", "The content type is not read here", 415, 1008, False),
    Failure(
        errors.UnsupportedEncoding, "content-encoding", "The compression is not read here", 415, 1008, False
    ),
    Failure(errors.NotAcceptable, "not-acceptable", "The answer has no such form", 406, 1008, False),
    Failure(errors.InvalidHeader, "invalid-header", "A header cannot be read", 400, 1008, False),
    Failure(errors.KeyReused, "key-reused", "The key belongs to another request", 422, 1008, False),
    Failure(errors.HeadTooLarge, "head-too-large", "The request's head is too large", 431, 1009, False),
    Failure(errors.BodyTooSlow, "too-slow", "The body did not come in time", 408, 1008, False),
    Failure(errors.ForeignOrigin, "origin", "Pages of other sites are not served", 403, 4403, False),
    Failure(errors.WrongHost, "host", "The service is not asked by this name", 421, 4403, False),
    Failure(errors.Unauthorized, "unauthorized", "A valid key is needed", 401, 4401, False),
    Failure(errors.Forbidden, "forbidden", "The key may not do this", 403, 4403, False),
    Failure(errors.OverQuota, "over-quota", "The key has used what it may", 429, 4429, True),
    Failure(errors.KeysNotKnown, "keys-not-known", "The keys are not known yet", 503, 1013, True),
    Failure(errors.UnknownStream, "unknown-stream", "There is no such stream", 404, 1008, False),
    Failure(errors.UnknownCluster, "unknown-cluster", "There is no such cluster", 404, 1008, False),
    Failure(errors.UnknownDecision, "unknown-decision", "There is no such decision", 404, 1008, False),
    Failure(errors.CannotDecide, "cannot-decide", "This cannot be decided now", 409, 1008, False),
    Failure(
        errors.InvalidDecision, "invalid-decision", "The decision cannot be understood", 422, 1008, False
    ),
    Failure(errors.DecisionRefused, "decision-refused", "The decision was refused", 409, 1008, False),
    Failure(errors.UnknownDeadLetter, "unknown-dead-letter", "It is not in quarantine", 404, 1008, False),
    Failure(errors.UnknownWebhook, "unknown-webhook", "There is no such webhook", 404, 1008, False),
    Failure(errors.WebhooksFull, "webhooks-full", "There are as many webhooks as may be", 409, 1008, False),
    Failure(errors.PayloadNotKept, "not-kept", "The item was too large to be kept", 409, 1008, False),
    Failure(errors.UnknownPath, "unknown-path", "There is nothing under this path", 404, 1008, False),
    Failure(errors.WrongMethod, "method", "The path does not take this method", 405, 1008, False),
    Failure(errors.InvalidParameter, "invalid-parameter", "A parameter cannot be read", 422, 1008, False),
    Failure(errors.Overloaded, "overloaded", "Too much is waiting", 503, 1013, True),
    Failure(errors.TooManyStreams, "too-many-streams", "Too many streams are open", 503, 1013, True),
    Failure(errors.StreamFails, "stream-fails", "The stream cannot be served", 503, 1013, True),
    Failure(errors.NotReady, "not-ready", "The service is not ready", 503, 1012, True),
    Failure(errors.EngineFails, "engine-fails", "The engine fails at anything", 503, 1013, True),
    Failure(
        errors.TooManyQuarantined, "too-many-quarantined", "Too many items crash the engine", 503, 1013, True
    ),
    Failure(errors.StoreAway, "store-away", "The store does not answer", 503, 1013, True),
    Failure(errors.OutcomeUnknown, "outcome-unknown", "The answer did not come in time", 503, 1013, True),
    Failure(errors.DeadlineMissed, "deadline", "The deadline passed", 504, 1013, True),
    Failure(errors.ClientGone, "client-gone", "The client has gone", 503, 1013, True),
    Failure(StoreError, "store", "The store refused", 503, 1013, True),
    Failure(Exception, "internal", "A bug in firstseen", 500, 1011, False),
)
"""The first row whose class fits is taken; the last one fits all."""


def failure_of(error: Exception) -> Failure:
    """The row of an error."""
    return next(row for row in FAILURES if isinstance(error, row.error))


def problem_of(error: Exception) -> Problem:
    """An error as a problem; what we did not foresee gives nothing away."""
    row = failure_of(error)
    foreseen = isinstance(error, errors.FirstseenError)
    detail = str(error) if foreseen else "Something failed inside. This is a bug in firstseen."
    return Problem(type_=f"/problems/{row.name}", title=row.title, status=row.status, detail=detail)


def response_of(error: Exception) -> Response:
    """An error as an HTTP response."""
    problem = problem_of(error)
    body = msgspec.json.encode(problem)
    name = current_request_id.get()
    if name is not None:  # a name needs no escaping
        body = body[:-1] + b',"instance":"urn:firstseen:request:%s"}' % name.encode()
    return Response(
        body, status_code=problem.status, media_type=PROBLEM_JSON, headers=dict(_headers_of(error))
    )


def _headers_of(error: Exception) -> Iterator[tuple[str, str]]:
    """What a problem says in headers, too."""
    match error:
        case errors.Unavailable() | errors.OverQuota() if error.retry_after_s is not None:
            yield "retry-after", str(math.ceil(error.retry_after_s))
        case errors.UnsupportedEncoding():
            yield "accept-encoding", ACCEPT_ENCODING  # RFC 7694
        case errors.BodyTooSlow():
            yield "connection", "close"  # the rest of the body is not waited for
        case errors.Unauthorized():  # RFC 6750 section 3
            yield "www-authenticate", f'{_CHALLENGE}, error="invalid_token"' if error.is_wrong else _CHALLENGE
        case errors.Forbidden():
            yield "www-authenticate", f'{_CHALLENGE}, error="insufficient_scope", scope="{error.scope}"'


def handle_failures(app: FastAPI) -> None:
    """Let every error of an HTTP request, the framework's own included, leave as a problem."""

    @app.exception_handler(errors.FirstseenError)
    @app.exception_handler(Exception)
    async def failed(_request: Request, error: Exception) -> Response:
        return response_of(error)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        path = request.url.path[:200]
        allowed = (error.headers or {}).get("Allow")
        if allowed is not None:
            return response_of(errors.WrongMethod(f"{path!r} takes {allowed}, not {request.method[:20]}."))
        return response_of(errors.UnknownPath(f"{path!r} is not here; GET /docs shows what is."))

    @app.exception_handler(RequestValidationError)
    async def misread(request: Request, error: RequestValidationError) -> Response:
        context = context_of(request)
        try:
            await admit_as_declared(request, context, stream_name(request, context))
        except errors.FirstseenError as kept_out:
            return response_of(kept_out)
        first = error.errors()[0]
        return response_of(errors.InvalidParameter(f"{first['loc'][-1]}: {first['msg']}."))

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it: the client left before its body had come
