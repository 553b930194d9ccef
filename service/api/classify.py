"""`POST /classify`: items in any of the forms of `service.api.formats`, results in any.

    receive, decompress ─► read ─► develop pictures ─► ids of the Idempotency-Key ─► queue ─► encode, compress

A stream of lines that is answered in lines takes another way (`lines.py`): there, nothing waits for the end.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import Caller, admit, check, needs
from service.api.asked import Asked, asked_in
from service.api.bodies import receive_body
from service.api.compression import COMPRESS_FROM_BYTES, compressor_for
from service.api.context import Context, context_of, stream_name, stream_of, stream_to_feed
from service.api.formats.answers import JSON, LINES, AnswerForm, form_for
from service.api.formats.arrow_body import ARROW, load_pyarrow
from service.api.formats.head import Head
from service.api.formats.pictures import Picture, develop
from service.api.formats.raw_body import RAW_HEADERS
from service.api.formats.table import form_of
from service.api.idempotency import key_of, with_ids
from service.api.lines import LinesAnswer
from service.api.patience import DEADLINE_HEADER, deadline_of, is_gone
from service.api.plain_route import PlainRoute
from service.api.rest import answer, json_response, promise, refused_of, response_to, result_of
from service.api.schemas import ExaminedOut, ResultsOut, VerdictOut
from service.api.seen import note
from service.errors import InvalidParameter, NotAcceptable, UnsupportedMediaType
from service.ingest.intake import Refused
from service.pipeline.batching import Answer
from service.records import Item

router = APIRouter(route_class=PlainRoute)

_THREAD_FROM_BYTES = 128 * 1024
"""Answers that are compressed beside the event loop."""


@router.post(
    "/classify",
    summary="Classify one item or several",
    description=(
        "One item in, one verdict out; `items` in, `results` out, in order. A bad item fails alone: its result has a "
        "`problem` instead of a verdict. A verdict is durable when it arrives, as the header "
        "`Firstseen-Durability` says (fsync, relaxed or replicated), and an id that is sent again gets the verdict it "
        "had. With `learn=false` nothing is learnt, with `explain=true` the answer says why. Bodies may be compressed "
        "(`Content-Encoding`); answers are, where `Accept-Encoding` allows it."
    ),
    response_model=VerdictOut | ExaminedOut | ResultsOut,
    openapi_extra=needs(Scope.INGEST),
)
async def classify(request: Request) -> Response:
    """Classify the items of the body."""
    context = context_of(request)
    caller = await admit(request, context, Scope.INGEST, stream_name(request, context))
    asked = asked_in(request.query_params)
    if asked.explain and caller.key is not None:  # an explanation shows clusters, and ids of others
        check(caller.key, Scope.READ, stream_name(request, context))
    deadline = deadline_of(request, now=asyncio.get_running_loop().time())
    head = Head.of(request.scope["headers"])
    form = form_of(head)
    answer_form = form_for(head.text(b"accept"), otherwise=form.answer)
    if answer_form.media_type == ARROW:
        await _check_arrow()
    key = key_of(head, caller=caller.family or "") if asked.learn else None
    is_streamed = form.media_type == answer_form.media_type == LINES
    if is_streamed and (asked.explain or deadline is not None):
        what = "explain=true" if asked.explain else DEADLINE_HEADER
        raise InvalidParameter(f"{what} is not for a stream of lines: ask for one answer, in JSON (Accept).")
    stream = await (stream_to_feed(request, context, caller) if asked.learn else stream_of(request, context))
    if is_streamed:
        return LinesAnswer(request, context, stream, head, caller=caller, asked=asked, key=key)
    with stream.in_use():
        caller.check_quota()
        place = None if key is None else f"{stream.name}/{key}"
        read, is_single, fingerprint = await _read(request, context, head, caller, asked, place)
        caller.check_key()
        note(request, items=len(read), stream=stream.name)
        if key is not None:
            read = with_ids(read, key)
        good = [item for item in read if not isinstance(item, Refused)]
        stream.metrics.refused.inc(len(read) - len(good))
        if fingerprint is not None and place is not None and good:
            context.fingerprints.note(place, fingerprint)
        answers: Iterator[Answer] = iter(())
        if good:
            waits = is_gone(request)
            answers = iter(await answer(context, stream, good, asked=asked, deadline=deadline, is_gone=waits))
    outcomes = [one if isinstance(one, Refused) else next(answers) for one in read]
    if is_single and isinstance(outcomes[0], Refused):
        return response_to(outcomes[0], context, learn=asked.learn)
    results = [refused_of(one) if isinstance(one, Refused) else result_of(one) for one in outcomes]
    status = 200 if good or not read else 422
    promised = promise(context, learn=asked.learn)
    return await _encoded(results, answer_form, head, promised, status=status, is_single=is_single)


async def _read(
    request: Request, context: Context, head: Head, caller: Caller, asked: Asked, place: str | None
) -> tuple[list[Item | Refused], bool, bytes | None]:
    """The items of the body, whether it was one on its own, and the fingerprint of a body that has a key, `place`."""
    settings, spec = context.settings, context.manifest.input
    form = form_of(head)
    fingerprint = None
    with context.bodies.share(caller.family) as share:
        body = await receive_body(
            request, head, share, limit=settings.max_body_bytes, timeout_s=settings.request_timeout_s
        )
        if place is not None:
            about = (head.text(name.lower().encode()) for name in RAW_HEADERS)
            fingerprint = context.fingerprints.check(place, body, form.media_type, *about)
        found, is_single = await form.read(body, head, spec, context.limits)
        del body
        asked.check(len(found))
        caller.demand(len(found))
        read: list[Item | Refused]
        if any(isinstance(one, Picture) for one in found):
            read = await develop(
                found,
                spec,
                max_pixels=settings.max_pixels,
                within_s=settings.request_timeout_s,
                is_gone=is_gone(request),
            )
        else:
            read = found  # type: ignore[assignment]  # there is no picture among them
    return read, is_single, fingerprint


async def _check_arrow() -> None:
    try:
        await load_pyarrow()
    except UnsupportedMediaType as missing:
        raise NotAcceptable(str(missing)) from None


async def _encoded(
    results: list[dict[str, Any]],
    form: AnswerForm,
    head: Head,
    promised: dict[str, str],
    *,
    status: int,
    is_single: bool,
) -> Response:
    if form.media_type == JSON and is_single:
        return json_response(results[0], headers=promised)
    body = await form.encode(results, is_single)
    headers = dict(promised)
    if len(body) >= COMPRESS_FROM_BYTES:
        headers["vary"] = "accept-encoding"
        compressor = compressor_for(head.text(b"accept-encoding"))
        if compressor is not None:
            headers["content-encoding"] = compressor.name
            squeeze = compressor.flush
            if len(body) < _THREAD_FROM_BYTES:
                body = squeeze(body) + compressor.end()
            else:
                body = await asyncio.to_thread(squeeze, body) + compressor.end()
    return Response(body, status_code=status, media_type=form.media_type, headers=headers)
