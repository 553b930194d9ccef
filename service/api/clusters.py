"""Looking at clusters: which there are, and one by its id.

Ids are permanent. One that was taken in by another goes on as itself, with its own counts and `merged_into`; with
`follow=true` the answer is its heir, however many merges away, and `Content-Location` (RFC 9110 section 8.7) has the
heir's address. It is no redirect: an undo may bring the old one back, and a client need not know how to follow.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import admit, needs
from service.api.context import context_of, stream_name, stream_of
from service.api.rest import json_response
from service.api.schemas import STREAM, STREAM_PROBLEMS, ClusterOut, ClustersOut, ProblemOut
from service.errors import UnknownCluster
from service.records import SHOWN, Cluster, ClusterState

router = APIRouter()

_NO_CLUSTER: dict[int | str, dict[str, Any]] = {
    **STREAM_PROBLEMS,
    404: {"model": ProblemOut, "description": "No cluster has, or had, this id, or there is no such stream."},
}


@router.get(
    "/clusters",
    summary="The clusters of the stream",
    description=(
        "Announced clusters by default; `?state=candidate` and `?state=gone` show the others. The filters go together."
    ),
    response_model=ClustersOut,
    responses=STREAM_PROBLEMS,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def clusters(
    request: Request,
    state: ClusterState | None = None,
    name: Annotated[
        str | None,
        Query(max_length=100, description="Part of the name, or of the class's label; in any case."),
    ] = None,
    dismissed: Annotated[
        bool | None, Query(description="true: those that were dismissed alone; false: without them.")
    ] = None,
) -> Response:
    """List clusters."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    view = await (await stream_of(request, context)).pipeline.view()
    shown = [
        c
        for c in view.clusters
        if (c.state in SHOWN if state is None else c.state is state)
        and (name is None or _is_called(c, name))
        and (dismissed is None or c.dismissed is dismissed)
    ]
    return json_response({"seq": view.seq, "stale": view.stale, "clusters": shown})


@router.get(
    "/clusters/{cluster_id}",
    summary="One cluster",
    description=(
        "Also one that is gone; one that was merged says into which (`merged_into`), or with `follow=true` is answered "
        "with the one that it is part of now, whose address is in `Content-Location`."
    ),
    response_model=ClusterOut,
    responses=_NO_CLUSTER,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def cluster(
    request: Request,
    cluster_id: int,
    *,
    follow: Annotated[bool, Query(description="Answer with the heir of one that was merged.")] = False,
) -> Response:
    """Show a cluster."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    view = await (await stream_of(request, context)).pipeline.view()
    found = {c.id: c for c in view.clusters}
    if cluster_id not in found:
        raise UnknownCluster(f"There is no cluster {cluster_id}; GET /clusters lists those there are.")
    if not follow:
        return json_response(found[cluster_id])
    heir = heir_of(found, cluster_id)
    stream = request.query_params.get("stream")
    query = "" if stream is None else f"?stream={stream}"  # a name needs no escaping
    return json_response(heir, headers={"content-location": f"./{heir.id}{query}"})


def heir_of(clusters: dict[int, Cluster], cluster: int) -> Cluster:
    """The cluster that one is part of now: itself mostly. One whose heir is forgotten is its own."""
    found, seen = clusters[cluster], {cluster}
    while found.merged_into in clusters and found.merged_into not in seen:
        seen.add(found.merged_into)
        found = clusters[found.merged_into]
    return found


def _is_called(cluster: Cluster, part: str) -> bool:
    wanted = part.casefold()
    return any(wanted in text.casefold() for text in (cluster.name, cluster.label) if text is not None)
