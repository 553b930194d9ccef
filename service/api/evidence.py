"""The evidence of a cluster over HTTP: what it is made of, what sets it apart; and forgetting what items looked like.

Everything in it that a client sent (ids, texts, cells, and names made of them) is data: JSON strings, and pictures that
are PNG made here. Whoever shows it shows it as text.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import Response

from service.access.rights import Scope
from service.api.access import admit, needs
from service.api.context import context_of, stream_name, stream_of
from service.api.rest import json_response
from service.api.schemas import STREAM, STREAM_PROBLEMS, ClusterOut, ProblemOut

router = APIRouter()

_NOT_THERE: dict[int | str, dict[str, Any]] = {
    **STREAM_PROBLEMS,
    404: {"model": ProblemOut, "description": "No cluster has, or had, this id, or there is no such stream."},
}

ClusterId = Annotated[int, Path(description="Permanent; a cluster that was merged says into which.")]


EXAMPLE_EVIDENCE: dict[str, Any] = {
    "seq": 574,
    "cluster": {
        "id": 3,
        "state": "established",
        "name": None,
        "label": None,
        "dismissed": False,
        "items": 142,
        "items_to_emerge": 20,
        "weight": 303.59,
        "micro_clusters": 7,
        "born_seq": 242,
        "emerged_seq": 285,
        "last_seq": 573,
        "first_t": 1795708674.4,
        "last_t": 1795708731.9,
        "nearest": "card_lost",
        "nearest_distance": 1.94,
        "exemplars": ["m-1432", "m-1009"],
        "parent_id": None,
        "merged_into": None,
        "variant_of": None,
        "missing": None,
        "evidence": {
            "trials": 43,
            "hits": 7,
            "repeats": 0,
            "p0": 0.0174,
            "log10_e": 3.23,
            "log10_threshold": 3.17,
            "unexplained": None,
            "cohesion": 1.32,
            "usual_cohesion": [0.77, 1.21],
            "separation": 2.22,
            "usual_separation": [2.91, 3.21],
        },
    },
    "suggested_name": "refund, delayed",
    "verdict": {
        "answer": "new",
        "of": None,
        "nearest": "card_lost",
        "distance": 1.94,
        "reason": (
            "No known class is missing items since it came; the nearest, 'card_lost', lies 1.9 class radii away."
        ),
    },
    "budget": {"alpha": 0.01, "own": 0.00068, "spent": 0.0097, "tested": 17},
    "lineage": {"parent_id": None, "merged_into": None, "children": [], "took_in": [1]},
    "members": 128,
    "payloads": 128,
    "rate": 341.0,
    "growth": 4.4,
    "span": 250,
    "arrivals": [7, 80, 55],
    "exemplars": [
        {
            "role": "medoid",
            "id": "m-803",
            "seq": 435,
            "t": 1795708710.2,
            "distance": 0.0,
            "kept": True,
            "payload": "my refund is still not there",
            "picture": None,
        },
        {
            "role": "boundary",
            "id": "m-1009",
            "seq": 573,
            "t": 1795708731.9,
            "distance": 1.67,
            "kept": False,
            "payload": None,
            "picture": None,
        },
    ],
    "terms": [{"term": "refund", "z": 9.1, "share": 0.83, "elsewhere": 0.01}],
    "features": [],
    "average": None,
}


class ClusterVerdictOut(BaseModel):
    """New, or a known class that looks otherwise now."""

    answer: Literal["new", "drift"]
    of: str | None = Field(description="The known class that drifted, or null.")
    nearest: str | None = Field(description="The known class that lies nearest, or null.")
    distance: float | None = Field(description="To its centre; a known class has a radius of about 1.")
    reason: str = Field(description="For people.")


class BudgetOut(BaseModel):
    """The false-alarm budget, which is the operator's for the whole life of the stream."""

    alpha: float = Field(description="The budget: FIRSTSEEN_FALSE_ALARM_RATE.")
    own: float = Field(description="What testing this cluster may have cost of it.")
    spent: float = Field(description="What testing all clusters so far may have cost.")
    tested: int = Field(description="How many were tested, those that nobody heard of included.")


class LineageOut(BaseModel):
    """Where a cluster comes from, and what became of it."""

    parent_id: int | None = Field(description="What it split from, or null.")
    merged_into: int | None = Field(description="What took it in, or null.")
    children: list[int] = Field(description="What split from it.")
    took_in: list[int] = Field(description="What merged into it.")


class ExemplarOut(BaseModel):
    """A member to look at. Nobody is shown for two reasons."""

    role: Literal["medoid", "newest", "diverse", "boundary"] = Field(
        description=(
            "medoid: what it is; newest: what it is now; diverse: how different its items are; boundary: nearest to a "
            "known class."
        )
    )
    id: str
    seq: int = Field(description="Place in the stream.")
    t: float = Field(description="When it came, seconds since 1970 (UTC).")
    distance: float = Field(description="To the medoid; a known class has a radius of about 1.")
    kept: bool = Field(description="Whether its payload is kept.")
    payload: JsonValue = Field(description="As a client would send it: text, numbers or a row; else null.")
    picture: str | None = Field(description="PNG in base64, of an image; else null.")


class TermOut(BaseModel):
    """A word, or two, that the cluster's texts have and others seldom."""

    term: str
    z: float = Field(description="Log-odds ratio over its standard error.")
    share: float = Field(description="Of the cluster's texts that have it.")
    elsewhere: float = Field(description="Of other texts that have it.")


class FeatureOut(BaseModel):
    """A column, or a place in a vector, in which the cluster's items are not as others."""

    feature: str = Field(description="The column's name, or the place in a vector, from 0.")
    kind: Literal["number", "category", "missing"]
    z: float = Field(description="How far, in standard deviations; below 0 for a number that is low.")
    value: float | str | None = Field(description="The median, or the telling category; null for missing.")
    share: float | None = Field(description="Of its items that have it; null for a number.")
    usual: float | None = Field(description="The middle, or the share, elsewhere; null where nobody knows.")


class ClusterEvidenceOut(BaseModel):
    """All that speaks for a cluster, and shows what it is."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_EVIDENCE})

    seq: int = Field(description="Where the stream stands.")
    cluster: ClusterOut = Field(description="With its e-value and what that had to reach.")
    suggested_name: str = Field(description="Made from what sets it apart; to take or leave.")
    verdict: ClusterVerdictOut
    budget: BudgetOut
    lineage: LineageOut
    members: int = Field(description="Items that are remembered of it, 128 at most.")
    payloads: int = Field(description="Of how many of these the payload is kept.")
    rate: float = Field(description="Its items per 1,000 items of the stream, of late.")
    growth: float | None = Field(
        description="Items in the newer half of `arrivals` over those in the older; null without any there."
    )
    span: int = Field(description="Items of the stream in one place of `arrivals`.")
    arrivals: list[int] = Field(description="Its items in each of the latest spans, oldest first.")
    exemplars: list[ExemplarOut]
    terms: list[TermOut] = Field(description="Of texts; most telling first.")
    features: list[FeatureOut] = Field(description="Of rows and vectors; most telling first.")
    average: str | None = Field(description="PNG in base64 of the mean of its pictures, or null.")


class SplitPartOut(BaseModel):
    """A part that a cluster could be split into."""

    members: list[int] = Field(description="The `seq` of each of its members: what a decision says of it.")
    items: int = Field(description="About how many of the cluster's items it has.")
    exemplars: list[ExemplarOut] = Field(description="Members to look at.")


class SplitPreviewOut(BaseModel):
    """What a split would make of a cluster."""

    cluster: int
    seq: int = Field(description="As of which place in the stream.")
    parts: list[SplitPartOut] = Field(
        description="The largest first, which would keep the id; one only where nothing can be parted."
    )


class ForgottenOut(BaseModel):
    """How many payloads were forgotten."""

    forgotten: int


@router.get(
    "/clusters/{cluster_id}/evidence",
    summary="Why there is a cluster, and what it is",
    description=(
        "Members to look at, with their payloads as far as they are kept; new or drift; rate and growth; lineage; what "
        "sets its items apart from others; a name to suggest."
    ),
    response_model=ClusterEvidenceOut,
    responses=_NOT_THERE,
    openapi_extra=needs(Scope.READ, **STREAM),
)
async def evidence(request: Request, cluster_id: ClusterId) -> Response:
    """Show the evidence."""
    context = context_of(request)
    await admit(request, context, Scope.READ, stream_name(request, context))
    stream = await stream_of(request, context)
    with stream.in_use():
        return json_response(await stream.pipeline.exhibits.show(cluster_id))


@router.delete(
    "/clusters/{cluster_id}/payloads",
    summary="Forget what a cluster's items looked like",
    description=(
        "The payloads of its members, for good; verdicts and the cluster stay. Those of items that come later are kept "
        "again: FIRSTSEEN_KEEP_PAYLOADS=false keeps none."
    ),
    response_model=ForgottenOut,
    responses=_NOT_THERE,
    openapi_extra=needs(Scope.CURATE, **STREAM),
)
async def forget(request: Request, cluster_id: ClusterId) -> Response:
    """Forget payloads."""
    context = context_of(request)
    await admit(request, context, Scope.CURATE, stream_name(request, context))
    stream = await stream_of(request, context)
    with stream.in_use():
        return json_response({"forgotten": await stream.pipeline.exhibits.forget(cluster_id)})
