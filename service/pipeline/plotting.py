"""What the map's ring is told of each batch: little while the batch is in hand, the rest many items at once.

    stepped ─► see (keeps what is there) ─► durable: committed ─► rows of the ring, a few hundred items at a time
    log, on a restart ─► replayed ─► rows of the ring

Nothing is placed before it is durable. A batch that is dropped is seen again when it is stepped again. What a batch of
one costs is an append; places are computed `_AT_ONCE` items together, in the engine's thread, or when somebody reads.

What is kept is lost with the process; after a restart it is read again from the log, as far back as that goes (about to
the snapshot before the last one). The log has no embeddings of known items: where it does not have their features
either, because the stream gate is off, those are not on the map until new ones come. Clusters lie where they did: the
state remembers members of each.

One owner tells it of batches; any thread may read.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
import structlog

from model.bundle import KnownArrays
from service.clustering.kinship import Life
from service.overview.landmarks import Landmarks, disc_of
from service.overview.ring import CLUSTER, KNOWN, OUTLIER, POINT, Points, Ring
from service.records import (
    NO_CLUSTER,
    SHOWN,
    Float16s,
    Float32s,
    Float64s,
    Int64s,
    Observed,
    Verdict,
    VerdictKind,
)

log = structlog.get_logger("firstseen.pipeline")

_AT_ONCE: Final = 512
_KINDS: Final = {VerdictKind.KNOWN: KNOWN, VerdictKind.CLUSTER: CLUSTER, VerdictKind.OUTLIER: OUTLIER}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """A batch as it was answered; `features` float16 (B, F)."""

    batch: Observed
    features: Float16s
    verdicts: Sequence[Verdict]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plotted:
    """What the ring has, as of now.

    Attributes:
        points: A copy of its rows.
        era: Grows when the rows do not go on from those of before.
        lost_to: Items below this place in the stream have left the ring.
        next_seq: The place behind the last row.
        room: Most rows.
        lay: float64 (3,) x, y and radius of each cluster as it lay when the state was read last.
    """

    points: Points
    era: int
    lost_to: int
    next_seq: int
    room: int
    lay: Mapping[int, Float64s]


class Plotter:
    """The map's memory of one stream.

    Args:
        landmarks: The bundle's map.
        room: Most items that are kept; 0 keeps none, and then nothing is done here.
    """

    def __init__(self, landmarks: Landmarks, room: int) -> None:
        self.landmarks = landmarks
        self._ring = Ring(room)
        self._room = room
        self._era = 0
        self._in_hand: _Seen | None = None
        self._waiting: deque[_Seen] = deque()  # bounded by _AT_ONCE items and a batch
        self._since = 0  # items seen since they were placed last
        self._lay: dict[int, Float64s] = {}
        self._lock = Lock()

    @classmethod
    def off(cls, known: KnownArrays) -> "Plotter":
        """One that keeps nothing."""
        return cls(Landmarks(known), 0)

    # Told by the stream's owner

    def begin(self, era: int, *, next_seq: int) -> None:
        """The state was read anew, up to `next_seq`.

        The rows go on, unless they know more than that: then the store forgot some, and others may take their places.
        """
        with self._lock:
            self._in_hand = None
            self._flush()
            if not self._era or self._ring.next_seq > next_seq:
                self._ring.clear()
                self._era = max(era, self._era + 1)

    def seed(self, lives: Iterable[Life]) -> None:
        """The state was read: by the members that it remembers of clusters it is known where they lie.

        For those of which no item is in the log any more. As many as there are clusters.
        """
        if self._room:
            members = {life.id: life.members.z for life in lives if life.state in SHOWN and len(life.members)}
            self._lay = {
                cluster: disc_of(self.landmarks.place(self.landmarks.features(z)))
                for cluster, z in members.items()
            }

    def is_empty(self) -> bool:
        """Whether there is room and nothing in it: then the log is worth reading."""
        return bool(self._room) and not len(self._ring) and not self._waiting

    def see(self, batch: Observed, z: Float32s, verdicts: Sequence[Verdict], labels: tuple[str, ...]) -> None:
        """A batch was stepped and is not durable yet. Called in the engine's thread.

        Args:
            batch: What the gates said of it.
            z: float32 (B, D), its embeddings.
            verdicts: B.
            labels: Of the known classes, as of now.
        """
        if not self._room:
            return
        features = batch.features if batch.features.shape[1] else self.landmarks.features(z)
        self._in_hand = _Seen(batch=batch, features=features, verdicts=verdicts, labels=labels)
        self._since += len(batch)
        if self._since >= _AT_ONCE:
            self._since = 0
            try:
                with self._lock:
                    self._flush()
            except Exception:  # whatever it is, no item is to blame, and no verdict depends on it
                log.exception("map_failed")

    def committed(self, next_seq: int) -> None:
        """All before `next_seq` is durable; the batch that was seen last, if it ends there."""
        seen, self._in_hand = self._in_hand, None
        if seen is not None and seen.batch.first_seq + len(seen.batch) == next_seq:
            self._waiting.append(seen)

    def replayed(self, batch: Observed, clusters: Int64s) -> None:
        """A batch of the log. Of an item of no cluster, that none made known either, the log keeps what the gates said.

        Args:
            batch: What they said.
            clusters: int64 (B,) the cluster each item got, as the log has it (`Entry`).
        """
        if not self._room or not len(batch):
            return
        rows = _blank(batch)
        if batch.features.shape[1]:
            xy = self.landmarks.place(batch.features)
            rows["x"], rows["y"] = xy[:, 0], xy[:, 1]
        elif len(batch.z_fed):
            xy = self.landmarks.place(self.landmarks.features(batch.z_fed))
            rows["x"][batch.fed], rows["y"][batch.fed] = xy[:, 0], xy[:, 1]
        is_clustered, is_named = clusters > NO_CLUSTER, clusters < NO_CLUSTER
        is_known = (batch.accepted | is_named) & ~is_clustered
        rows["kind"] = np.where(is_clustered, CLUSTER, np.where(is_known, KNOWN, OUTLIER))
        known_as = np.where(is_named, -1 - clusters, batch.nearest)
        rows["of"] = np.where(is_clustered, clusters, np.where(is_known, known_as, 0))
        rows["near"] = batch.nearest
        with self._lock:
            self._flush()
            self._ring.add(rows)

    # Read

    def read(self) -> Plotted:
        """All there is; what waits is placed first."""
        with self._lock:
            self._flush()
            ring = self._ring
            return Plotted(
                points=ring.all(),
                era=self._era,
                lost_to=ring.lost_to,
                next_seq=ring.next_seq,
                room=ring.room,
                lay=self._lay,
            )

    def _flush(self) -> None:
        """Place what waits. Another batch may be appended meanwhile, and is left."""
        batches = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if batches:
            rows = _rows(batches)
            xy = self.landmarks.place(np.concatenate([seen.features for seen in batches]))
            rows["x"], rows["y"] = xy[:, 0], xy[:, 1]
            self._ring.add(rows)


def _blank(batch: Observed) -> Points:
    """POINT (B,), with what the gates said filled in, and no place."""
    rows = np.zeros(len(batch), dtype=POINT)
    rows["seq"] = np.arange(batch.first_seq, batch.first_seq + len(batch))
    rows["t"] = batch.t
    rows["x"] = rows["y"] = np.nan
    rows["distance"] = batch.distance
    return rows


def _rows(batches: Sequence[_Seen]) -> Points:
    """The same of what was answered. Batches of one come by the hundred: columns are joined, and then made arrays."""
    rows = np.zeros(sum(len(seen.batch) for seen in batches), dtype=POINT)
    seqs, kinds, of, near = list[int](), list[int](), list[int](), list[int]()
    places: dict[str, int] = {}
    for seen in batches:
        if len(places) != len(seen.labels):  # they grow only at their end
            places = {label: n for n, label in enumerate(seen.labels)}
        seqs += range(seen.batch.first_seq, seen.batch.first_seq + len(seen.batch))
        kinds += [_KINDS[v.verdict] for v in seen.verdicts]
        of += [v.cluster_id or NO_CLUSTER if v.label is None else places[v.label] for v in seen.verdicts]
        near += seen.batch.nearest.tolist()
    rows["seq"], rows["kind"], rows["of"], rows["near"] = seqs, kinds, of, near
    rows["t"] = np.concatenate([seen.batch.t for seen in batches])
    rows["distance"] = np.concatenate([seen.batch.distance for seen in batches])
    return rows
