"""The bodies of the overview (`service/api/overview.py`) as pydantic models: what `/docs` shows.

Points come column by column: 50,000 of them are five arrays, not 50,000 objects.
"""

from typing import Literal

from pydantic import BaseModel, Field

from service.events import EventKind
from service.records import ClusterState


class MapClassOut(BaseModel):
    """A known class: a landmark, which never moves, unless it was promoted: then it lies where its items do."""

    label: str
    x: float | None = Field(description="Null for a promoted class of which no item is kept.")
    y: float | None
    radius: float | None = Field(description="Half of its held-out items lie within.")
    promoted: bool = Field(description="It was a cluster before; the bundle knows nothing of it.")


class MapClusterOut(BaseModel):
    """A cluster, where its items lie on the map."""

    id: int
    x: float | None = Field(description="Null where none of its items on the map is kept any more.")
    y: float | None
    radius: float | None = Field(description="Half of these items lie within.")
    state: ClusterState
    name: str | None
    label: str | None = Field(description="The known class that people made it part of, or null.")
    dismissed: bool
    items: int
    sparkline: list[int] = Field(
        description="Its items in each of the equal runs of `sparkline`, oldest first."
    )


class MapPointsOut(BaseModel):
    """Recent items in order of the stream: the n-th of each array is of the n-th item."""

    seq: list[int] = Field(description="Places in the stream, rising; not every place has a point.")
    x: list[float]
    y: list[float]
    kind: list[Literal[0, 1, 2]] = Field(description="0 known, 1 cluster, 2 outlier.")
    of: list[int] = Field(description="Known: place in `labels`. Cluster: its id. Outlier: 0.")


class SparklineOut(BaseModel):
    """What the sparklines of clusters are about: equal runs of the recent stream."""

    from_seq: int = Field(description="Below 0 while the stream is short.")
    to_seq: int = Field(description="The seq behind the last run.")
    bins: int


class MapOut(BaseModel):
    """The map of a stream, or what came since a cursor."""

    seq: int
    stale: bool
    labels: list[str] = Field(description="What `of` counts in; grows at its end when clusters are promoted.")
    classes: list[MapClassOut]
    clusters: list[MapClusterOut] = Field(description="Those that people are shown, as of now.")
    merged: dict[str, int] = Field(description="Clusters that were taken in -> the one that has their items.")
    sparkline: SparklineOut
    points: MapPointsOut
    cursor: str = Field(description="Give it as `after` to get what comes next.")
    reset: bool = Field(
        description="True: this does not go on from `after`, as after a restart: forget the points you have."
    )
    missed: bool = Field(
        description="True: between `after` and the first point here some have left the ring."
    )
    more: bool = Field(description="True: `limit` cut it; ask again with `cursor` at once.")
    room: int = Field(description="Most points kept; 0 where FIRSTSEEN_DASHBOARD is false: none is.")


class TimelineBinOut(BaseModel):
    """A part of the stream."""

    from_seq: int
    to_seq: int = Field(description="The seq behind its last item.")
    from_t: float = Field(description="Its first item, seconds since 1970 (UTC).")
    to_t: float = Field(description="Its last one.")
    known: int
    cluster: int
    outlier: int


class TimelineEventOut(BaseModel):
    """Something that happened to a cluster."""

    kind: EventKind
    seq: int
    t: float
    cluster_id: int
    other_id: int | None = Field(description="What took it in (merged), or what it came from (split).")


class TimelineOut(BaseModel):
    """The stream over time."""

    seq: int
    stale: bool
    by: Literal["items", "time"]
    unit: float = Field(description="Width of the finest bin kept of that span: items or seconds.")
    bins: list[TimelineBinOut] = Field(description="Oldest first; those without items are left out.")
    events: list[TimelineEventOut] = Field(description="Oldest first; the latest 256 are kept.")


class ClassHealthOut(BaseModel):
    """How a known class fares in the recent stream."""

    label: str
    items: int = Field(description="Of the whole stream.")
    recent: int = Field(description="Of the recent stream.")
    share: float | None = Field(
        description="Of the recent items of known classes; null where there are none."
    )
    usual_share: float | None = Field(description="Null for a promoted class that nothing tells yet.")
    usual_from: Literal["stream", "bundle"] = Field(description="Where the usual share was seen.")
    share_z: float | None = Field(
        description="How far apart the two are, in standard errors; below 0 is rarer."
    )
    distance: float | None = Field(description="Mean Mahalanobis distance to its prototype, recent.")
    usual_distance: float | None = Field(description="... of the calibration items.")
    distance_z: float | None = Field(description="How far apart, in standard errors; above 0 is further out.")
    distance_effect: float | None = Field(description="... in standard deviations of the calibration items.")
    status: Literal["steady", "rarer", "more often", "further out", "closer in", "missing", "too few"]
    says: str = Field(description="The same for people.")
    variants: list[int] = Field(description="Clusters that are a drift of it.")


class ClassesHealthOut(BaseModel):
    """How the known classes fare."""

    seq: int
    stale: bool
    from_seq: int = Field(description="Where the recent stream begins.")
    recent: int = Field(description="Its items, of all kinds.")
    classes: list[ClassHealthOut]
