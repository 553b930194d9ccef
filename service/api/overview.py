"""HTTP: what a dashboard draws: the map, the timeline, and how the known classes fare.

All of it is a view: nothing here decides. An answer of 50,000 points is made beside the event loop, from copies.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import admit, needs
from service.api.compression import COMPRESS_FROM_BYTES, compressor_for
from service.api.context import context_of, stream_name, stream_of
from service.api.overview_shapes import ClassesHealthOut, MapOut, TimelineOut
from service.api.rest import json_response
from service.api.schemas import STREAM, STREAM_PROBLEMS
from service.clustering.chronicle import RUNS
from service.errors import InvalidParameter
from service.overview.health import RECENT, health, recent_of
from service.overview.landmarks import Landmarks
from service.overview.map_view import discs, heirs, known_discs, owners, sparklines
from service.overview.ring import ROOM, Points
from service.overview.timeline import by_items, by_time
from service.pipeline.plotting import Plotted
from service.pipeline.stream_view import StreamView
from service.records import SHOWN, Cluster, Float64s
from service.streams.stream import Stream

router = APIRouter()

_DIGITS: Final = 4
_SPARK_BINS: Final = 40
_SPARK_ITEMS: Final = 10_000
_LONGEST_CURSOR: Final = 60
_LATEST: Final = 1e15


# The map


@router.get(
    "/map",
    summary="The stream from above: known classes, clusters and recent items in two dimensions",
    description=(
        "Known classes are landmarks around a circle of radius 1; an item lies between those that it is like, so what "
        "is new lies inside. A place never changes. Of the recent items the latest `limit` are given, at most "
        f"{ROOM}; with `after`, the cursor of an answer before, those that came since, oldest first. After a restart "
        "the recent items are read again from the log, as far back as that goes."
    ),
    response_model=MapOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def map_(
    request: Request,
    after: Annotated[str | None, Query(max_length=_LONGEST_CURSOR, description="A cursor.")] = None,
    limit: Annotated[int, Query(ge=0, le=ROOM, description="Most points.")] = ROOM,
) -> Response:
    """Draw the map."""
    cursor = None if after is None else _read_cursor(after)
    stream = await _admitted(request)
    with stream.in_use():
        view = await stream.pipeline.view()
        plotter = stream.pipeline.plotter

        def draw() -> dict[str, Any]:
            return _map(view, plotter.landmarks, plotter.read(), cursor, limit)

        return await _answer(request, draw)


def _map(
    view: StreamView, landmarks: Landmarks, kept: Plotted, cursor: tuple[int, int] | None, limit: int
) -> dict[str, Any]:
    labels = list(view.known_counts)
    points = kept.points
    goes_on = cursor is not None and cursor[0] == kept.era and cursor[1] <= kept.next_seq
    start = cursor[1] if cursor is not None and goes_on else 0
    fresh = points[int(np.searchsorted(points["seq"], start)) :]
    fresh = fresh[~np.isnan(fresh["x"])]
    more = goes_on and len(fresh) > limit
    fresh = fresh[:limit] if goes_on else fresh[len(fresh) - min(limit, len(fresh)) :]
    next_seq = int(fresh["seq"][-1]) + 1 if more and limit else (start if more else kept.next_seq)
    shown = [cluster for cluster in view.clusters if cluster.state in SHOWN]
    own = owners(points, into := heirs(view.clusters))
    sparks = sparklines(points, own, [c.id for c in shown], bins=_SPARK_BINS, most_items=_SPARK_ITEMS)
    lying = {**kept.lay, **discs(points, own, [c.id for c in shown])}
    return {
        "seq": view.seq,
        "stale": view.stale,
        "labels": labels,
        "classes": _classes(labels, landmarks, points, {c.label: lying.get(c.id) for c in shown}),
        "clusters": [
            _cluster(cluster, lying.get(cluster.id), counts)
            for cluster, counts in zip(shown, sparks.counts.tolist(), strict=True)
        ],
        "merged": {str(old): new for old, new in into.items()},
        "sparkline": {"from_seq": sparks.from_seq, "to_seq": sparks.to_seq, "bins": _SPARK_BINS},
        "points": _columns(fresh),
        "cursor": f"{kept.era}.{next_seq}",
        "reset": cursor is not None and not goes_on,
        "missed": goes_on and start < kept.lost_to,
        "more": more,
        "room": kept.room,
    }


def _classes(
    labels: list[str],
    landmarks: Landmarks,
    points: Points,
    made_of: dict[str | None, Float64s | None],
) -> list[dict[str, Any]]:
    promoted = known_discs(points, range(landmarks.classes, len(labels)))
    return [
        {
            "label": label,
            **_place(landmarks.discs[k] if k < landmarks.classes else promoted.get(k, made_of.get(label))),
            "promoted": k >= landmarks.classes,
        }
        for k, label in enumerate(labels)
    ]


def _cluster(cluster: Cluster, disc: Float64s | None, counts: list[int]) -> dict[str, Any]:
    return {
        "id": cluster.id,
        **_place(disc),
        "state": cluster.state,
        "name": cluster.name,
        "label": cluster.label,
        "dismissed": cluster.dismissed,
        "items": cluster.items,
        "sparkline": counts,
    }


def _place(disc: Float64s | None) -> dict[str, float | None]:
    x, y, radius = (None, None, None) if disc is None else np.round(disc, _DIGITS).tolist()
    return {"x": x, "y": y, "radius": radius}


def _columns(points: Points) -> dict[str, list[Any]]:
    return {
        "seq": points["seq"].tolist(),
        "x": np.round(points["x"].astype(np.float64), _DIGITS).tolist(),
        "y": np.round(points["y"].astype(np.float64), _DIGITS).tolist(),
        "kind": points["kind"].tolist(),
        "of": points["of"].tolist(),
    }


def _read_cursor(after: str) -> tuple[int, int]:
    era, dot, seq = after.partition(".")
    if not (dot and era.isascii() and era.isdigit() and seq.isascii() and seq.isdigit()):
        raise InvalidParameter(f"after={after[:20]!r} is no cursor of GET /map; leave it out to begin anew.")
    return int(era), int(seq)


# The timeline


@router.get(
    "/timeline",
    summary="Items of each kind over the stream, or over time; and what became of clusters",
    description=(
        "`by=items`: the whole stream in equal runs. `by=time`: as far back as it is kept: 1 s for ten minutes with "
        "items, 10 s for two hours, 5 min for two days, an hour for two months. Bins lie at multiples of their width, "
        "so they stay where they are while the stream goes on. `from` and `to` are places in the stream, or seconds "
        "since 1970 (UTC). It survives restarts."
    ),
    response_model=TimelineOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def timeline(
    request: Request,
    by: Literal["items", "time"] = "items",
    bins: Annotated[int, Query(ge=2, le=RUNS, description="Most bins.")] = 120,
    start: Annotated[float | None, Query(alias="from", ge=0, le=_LATEST)] = None,
    stop: Annotated[float | None, Query(alias="to", ge=0, le=_LATEST)] = None,
) -> Response:
    """Draw the timeline."""
    stream = await _admitted(request)
    with stream.in_use():
        view = await stream.pipeline.view()
    found = (
        by_items(view.history, seq=view.seq, bins=bins, start=start, stop=stop)
        if by == "items"
        else by_time(view.history, bins=bins, start=start, stop=stop)
    )
    return json_response(
        {
            "seq": view.seq,
            "stale": view.stale,
            "by": by,
            "unit": found.unit,
            "bins": found.bins,
            "events": view.marks,
        }
    )


# Known classes


@router.get(
    "/health/classes",
    summary="How the known classes fare: as frequent as usual, and where they should be?",
    description=(
        f"Of the latest {RECENT} places of the stream, as far as they are kept. The usual share is the stream's before "
        "those, or the bundle's while the stream is short; the usual distance that of held-out items. A word is said "
        "only where the difference is beyond chance and large. Of what has left a class, `variants` tell."
    ),
    response_model=ClassesHealthOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def classes_health(request: Request) -> Response:
    """Say how each known class fares."""
    usual = context_of(request).usual
    stream = await _admitted(request)
    with stream.in_use():
        view = await stream.pipeline.view()
        plotter = stream.pipeline.plotter

        def look() -> dict[str, Any]:
            points = recent_of(plotter.read().points)
            return {
                "seq": view.seq,
                "stale": view.stale,
                "from_seq": int(points["seq"][0]) if len(points) else view.seq,
                "recent": len(points),
                "classes": health(
                    points,
                    labels=list(view.known_counts),
                    known_counts=list(view.known_counts.values()),
                    clusters=view.clusters,
                    usual=usual,
                ),
            }

        return await _answer(request, look)


# What they have in common


async def _admitted(request: Request) -> Stream:
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    return await stream_of(request, context)


async def _answer(request: Request, make: Callable[[], dict[str, Any]]) -> Response:
    """What `make` makes, as JSON, compressed where the client likes that; all in a thread."""
    accepted = request.headers.get("accept-encoding", "")

    def body() -> tuple[bytes, dict[str, str]]:
        made = msgspec.json.encode(make())
        headers = {"vary": "accept-encoding"}
        compressor = compressor_for(accepted) if len(made) >= COMPRESS_FROM_BYTES else None
        if compressor is not None:
            headers["content-encoding"] = compressor.name
            made = compressor.flush(made) + compressor.end()
        return made, headers

    content, headers = await asyncio.to_thread(body)
    return Response(content, media_type="application/json", headers=headers)
