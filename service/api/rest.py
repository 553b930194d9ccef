"""HTTP: classify items, read clusters, ask how the service is."""

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import RedirectResponse, Response

from model.inputs import example_item
from service.api.access import ALL_STREAMS, OPEN, Caller, admit, needs
from service.api.asked import PARAMETERS, PLAIN, Asked, asked_in
from service.api.bodies import read_each, receive_body, split_items
from service.api.context import Context, context_of, stream_name, stream_of, stream_to_feed
from service.api.failures import FAILURES, problem_of, response_of
from service.api.schemas import (
    STREAM,
    STREAM_PROBLEMS,
    ClusterOut,
    ClustersOut,
    ExaminedOut,
    ItemIn,
    ItemsIn,
    LiveOut,
    ProblemOut,
    ReadyOut,
    ResultsOut,
    VerdictOut,
)
from service.api.seen import note
from service.batching import Answer, Job
from service.errors import OutcomeUnknown, UnknownCluster, UnknownStream
from service.examined import Examined, fields_of
from service.intake import Refused
from service.protocol import JSON, MSGPACK
from service.records import SHOWN, ClusterState, Item, Verdict
from service.rights import Scope
from service.stream import Stream
from service.stream_rows import NOT_OPEN
from service.trace_context import current_trace

router = APIRouter()


DURABILITY_HEADER = "Firstseen-Durability"


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401 - anything msgspec encodes
    """A JSON body."""
    return Response(
        msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers
    )


# Classify

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemOut, "description": description}
    for status, description in {
        400: "The body is not JSON, or not of the form described.",
        404: "There is no such stream, and it may not be made.",
        408: "The body did not come in time.",
        413: "The body or the number of items is over the limit.",
        415: "The content type is not application/json.",
        429: "The key has used what it may: send the same after `Retry-After` seconds.",
        422: (
            "No stream can have this name; or no item could be classified as sent, or the only one is in quarantine; "
            "the problem says what to do."
        ),
        503: "Not ready, overloaded, or the store is away: send the same after `Retry-After` seconds.",
    }.items()
}


@router.post(
    "/classify",
    summary="Classify one item or several",
    description=(
        "One item in, one verdict out; `items` in, `results` out, in order. A bad item fails alone: its result has a "
        "`problem` instead of a verdict. A verdict is durable when it arrives, as the header "
        "`Firstseen-Durability` says (fsync, relaxed or replicated), and an id that is sent again gets the verdict it "
        "had. With `learn=false` nothing is learnt, with `explain=true` the answer says why."
    ),
    response_model=VerdictOut | ExaminedOut | ResultsOut,
    responses=_PROBLEMS,
    openapi_extra=needs(
        Scope.INGEST,
        parameters=[*STREAM["parameters"], *PARAMETERS],
        requestBody={
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [ItemsIn.model_json_schema(), ItemIn.model_json_schema()]},
                }
            },
        },
    ),
)
async def classify(request: Request) -> Response:
    """Classify the items of the body."""
    context = context_of(request)
    caller = await admit(request, context, Scope.INGEST, stream_name(request, context))
    asked = asked_in(request.query_params)
    stream = await (stream_to_feed(request, context, caller) if asked.learn else stream_of(request, context))
    with stream.in_use():
        return await _classified(request, context, stream, caller, asked)


async def _classified(
    request: Request, context: Context, stream: Stream, caller: Caller, asked: Asked
) -> Response:
    settings = context.settings
    with context.bodies.share() as share:
        body = await receive_body(
            request, share, limit=settings.max_body_bytes, timeout_s=settings.request_timeout_s
        )
        raws, is_single = split_items(body, max_items=settings.max_items)
        asked.check(len(raws))
        caller.demand(len(raws))
        read = await read_each(raws, context.manifest.input)
        del body, raws
    note(request, items=len(read), stream=stream.name)
    good = [item for item in read if not isinstance(item, Refused)]
    stream.metrics.refused.inc(len(read) - len(good))
    answers = iter(await answer(context, stream, good, asked=asked) if good else [])
    outcomes = [one if isinstance(one, Refused) else next(answers) for one in read]
    if is_single:
        return response_to(outcomes[0], context)
    results = [_refused(one) if isinstance(one, Refused) else _result(one) for one in outcomes]
    return json_response(
        {"results": results}, status=200 if good or not read else 422, headers=_promise(context)
    )


async def answer(
    context: Context,
    stream: Stream,
    good: list[Item],
    *,
    is_retry: bool = False,
    asked: Asked = PLAIN,
) -> list[Answer]:
    """Queue items and wait for what becomes of them.

    Raises:
        Unavailable: Not now, or not in time.
    """
    job = Job(
        items=good,
        done=asyncio.get_running_loop().create_future(),
        is_retry=is_retry,
        learn=asked.learn,
        explain=asked.explain,
        trace=current_trace.get(),
    )
    stream.queue.offer(job)
    try:
        async with asyncio.timeout(context.settings.request_timeout_s):
            return await job.done
    except TimeoutError:
        raise OutcomeUnknown(
            f"No verdict within {context.settings.request_timeout_s:g} s. The items may or may not be counted: send "
            "them again under the same ids, and each will have one verdict."
        ) from None


def response_to(outcome: Answer, context: Context) -> Response:
    """What became of an item that was sent on its own."""
    if isinstance(outcome, Refused):
        refused = response_of(outcome.error)
        refused.headers.update(_promise(context))
        return refused
    return json_response(_result(outcome), headers=_promise(context))


def _promise(context: Context) -> dict[str, str]:
    """What an answer promises."""
    return {DURABILITY_HEADER: context.settings.durability.value}


def _result(verdict: Verdict | Examined) -> dict[str, Any]:
    if isinstance(verdict, Examined):
        return fields_of(verdict)
    return {
        "id": verdict.id,
        "seq": verdict.seq,
        "verdict": verdict.verdict.value,
        "label": verdict.label,
        "cluster_id": verdict.cluster_id,
        "novelty": verdict.novelty,
        "nearest": verdict.nearest,
        "distance": verdict.distance,
    }


def _refused(item: Refused) -> dict[str, Any]:
    return {"id": item.id, "problem": problem_of(item.error)}


# Clusters


@router.get(
    "/clusters",
    summary="The clusters of the stream",
    description="Announced clusters by default; `?state=candidate` and `?state=gone` show the others.",
    response_model=ClustersOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def clusters(request: Request, state: ClusterState | None = None) -> Response:
    """List clusters."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    view = await (await stream_of(request, context)).pipeline.view()
    shown = [c for c in view.clusters if (c.state in SHOWN if state is None else c.state is state)]
    return json_response({"seq": view.seq, "stale": view.stale, "clusters": shown})


@router.get(
    "/clusters/{cluster_id}",
    summary="One cluster",
    description="Also one that is gone; one that was merged says into which.",
    response_model=ClusterOut,
    responses={
        **STREAM_PROBLEMS,
        404: {
            "model": ProblemOut,
            "description": "No cluster has, or had, this id, or there is no such stream.",
        },
    },
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def cluster(request: Request, cluster_id: int) -> Response:
    """Show a cluster."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    view = await (await stream_of(request, context)).pipeline.view()
    for found in view.clusters:
        if found.id == cluster_id:
            return json_response(found)
    raise UnknownCluster(f"There is no cluster {cluster_id}; GET /clusters lists those there are.")


# How it is


@router.get("/livez", summary="Is the process alive?", response_model=LiveOut, openapi_extra=OPEN)
async def livez() -> Response:
    """Answer."""
    return json_response({"live": True})


@router.get(
    "/readyz",
    summary="Does it take items?",
    description=(
        "Of the default stream, or of `?stream=`, which is opened by its first use and not by this question; for "
        "that, `read` is needed where keys are."
    ),
    response_model=ReadyOut,
    responses={**STREAM_PROBLEMS, 503: {"model": ReadyOut, "description": "Not now, and why."}},
    openapi_extra=OPEN | STREAM,
)
async def readyz(request: Request) -> Response:
    """Say whether items are taken, and if not, why."""
    context = context_of(request)
    name = stream_name(request, context)
    if "stream" in request.query_params:
        await admit(request, context, Scope.READ, name)
    stream = context.streams.peek(name)
    if stream is None and not await context.streams.exists(name):
        raise UnknownStream(f"There is no stream {name!r}; GET /streams lists those there are.")
    reason = NOT_OPEN if stream is None else stream.pipeline.reason
    ready = {
        "ready": reason is None,
        "reason": reason,
        "warnings": () if stream is None else stream.pipeline.warnings,
        "durability": context.settings.durability.value,
    }
    return json_response(ready, status=200 if reason is None else 503)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    description="Of the whole process: a key needs all streams (`*`).",
    response_class=Response,
    openapi_extra=needs(Scope.READ),
)
async def metrics(request: Request) -> Response:
    """Show what was counted."""
    context = context_of(request)
    await admit(request, context, Scope.READ, ALL_STREAMS)
    for stream in context.streams:
        stream.metrics.queue_items.set(stream.queue.waiting)
        stream.metrics.queue_age.set(stream.queue.age_s)
        stream.metrics.watchers.set(len(stream.fanout))
        stream.metrics.unsynced_items.set(stream.pipeline.unsynced_items)
    return Response(generate_latest(context.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/info",
    summary="What is served: bundle, input, counts, settings, and the hash of the state",
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def info(request: Request) -> Response:
    """Describe the service and its state."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    manifest = context.manifest
    stream = await stream_of(request, context)
    view = await stream.pipeline.view(with_hash=True)
    return json_response(
        {
            "version": context.version,
            "stream": stream.name,
            "epoch": stream.pipeline.epoch,
            "seq": view.seq,
            "stale": view.stale,
            "state_hash": view.state_hash,
            "verdicts": view.verdict_counts,
            "known": view.known_counts,
            "quarantined": len(stream.pipeline.dead_letters),
            "bundle": {
                "id": manifest.bundle_id,
                "created": manifest.created,
                "labels": manifest.labels,
                "metrics": manifest.metrics,
            },
            "input": {**manifest.input.model_dump(mode="json"), "example": example_item(manifest.input)},
            "websocket": {"path": "/stream", "subprotocols": [JSON, MSGPACK]},
            "device": context.device,
            "store": context.store,
            "settings": context.settings.shown(),
        }
    )


@router.get("/problems/{name}", summary="What a problem type means", openapi_extra=OPEN)
async def problem(name: str) -> Response:
    """Explain a row of the table of failures."""
    for row in FAILURES:
        if row.name == name:
            return json_response(
                {
                    "type": f"/problems/{row.name}",
                    "title": row.title,
                    "status": row.status,
                    "close_code": row.close_code,
                    "retry": row.can_retry,
                    "meaning": " ".join((row.error.__doc__ or "").split()),
                }
            )
    return json_response({"title": "No such problem", "problems": [row.name for row in FAILURES]}, status=404)


@router.get("/", include_in_schema=False)
async def root() -> Response:
    """Show something useful to a person."""
    return RedirectResponse("/docs")
