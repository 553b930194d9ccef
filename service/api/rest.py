"""HTTP: ask how the service is; and what all answers about items have in common."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from model.inputs import example_item
from service.access.rights import Scope
from service.api.access import ALL_STREAMS, OPEN, admit, needs
from service.api.asked import PLAIN, Asked
from service.api.context import Context, context_of, stream_name, stream_of
from service.api.failures import FAILURES, problem_of, response_of
from service.api.patience import answered
from service.api.schemas import (
    STREAM,
    STREAM_PROBLEMS,
    LiveOut,
    ReadyOut,
)
from service.errors import UnknownStream
from service.ingest.intake import Refused
from service.ingest.protocol import JSON, MSGPACK
from service.pipeline.batching import Answer, Job
from service.pipeline.examined import Examined, fields_of
from service.records import Item, Verdict
from service.streams.stream import Stream
from service.streams.stream_rows import NOT_OPEN
from service.telemetry.trace_context import current_trace

router = APIRouter()


DURABILITY_HEADER = "Firstseen-Durability"


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401 - anything msgspec encodes
    """A JSON body."""
    return Response(
        msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers
    )


# Answers, also of other routes


async def answer(
    context: Context,
    stream: Stream,
    good: list[Item],
    *,
    is_retry: bool = False,
    asked: Asked = PLAIN,
    deadline: float | None = None,
    is_gone: Callable[[], bool] | None = None,
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
        deadline=deadline,
        is_gone=is_gone,
    )
    return await answered(stream.queue, job, timeout_s=context.settings.request_timeout_s)


def response_to(outcome: Answer, context: Context, *, learn: bool = True) -> Response:
    """What became of an item that was sent on its own."""
    if isinstance(outcome, Refused):
        refused = response_of(outcome.error)
        refused.headers.update(promise(context, learn=learn))
        return refused
    return json_response(result_of(outcome), headers=promise(context, learn=learn))


def promise(context: Context, *, learn: bool = True) -> dict[str, str]:
    """What an answer promises; one of a dry run promises nothing, for nothing is kept."""
    if not learn:
        return {}
    return {DURABILITY_HEADER: context.settings.durability.value}


def result_of(verdict: Verdict | Examined) -> dict[str, Any]:
    """What is said about an item that has a verdict."""
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


def refused_of(item: Refused) -> dict[str, Any]:
    """What is said about an item that has none."""
    return {"id": item.id, "problem": problem_of(item.error)}


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
        "warnings": context.embedder.warnings + (() if stream is None else stream.pipeline.warnings),
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
    embedder = context.embedder
    context.metrics.describe("embedder", runtime=embedder.runtime, device=embedder.device)
    for stream in context.streams:
        stream.metrics.queue_items.set(stream.queue.waiting)
        stream.metrics.queue_age.set(stream.queue.age_s)
        stream.metrics.watchers.set(len(stream.fanout))
        stream.metrics.unsynced_items.set(stream.pipeline.unsynced_items)
    return Response(generate_latest(context.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/info",
    summary="What is served: bundle, input, counts, settings, and the hash of the state",
    description="`settings` are of the process: a key that has not all streams (`*`) gets null.",
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def info(request: Request) -> Response:
    """Describe the service and its state."""
    context = context_of(request)
    caller = await admit(request, context, Scope.READ, stream_name(request, context))
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
            "device": context.embedder.device,
            "runtime": context.embedder.shown(),
            "store": context.store,
            "settings": context.settings.shown() if caller.may(Scope.READ, None) else None,
        }
    )


@router.get(
    "/problems/{name}",
    summary="What a problem type means",
    openapi_extra=OPEN,
    responses={404: {"description": "There is no such problem; `problems` lists those there are."}},
)
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
                    "meaning": row.meaning,
                }
            )
    return json_response({"title": "No such problem", "problems": [row.name for row in FAILURES]}, status=404)
