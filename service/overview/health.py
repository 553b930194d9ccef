"""How the known classes fare: is each as frequent as usual, and do its items lie where they should?

Two comparisons a class, of the recent stream with what is usual:

    share      of the items of known classes (what is new takes nothing away), with its share before, or in the bundle
               where the stream was too short. Two proportions x1/n1, x0/n0 and p = (x1 + x0) / (n1 + n0):
               z = (x1/n1 - x0/n0) / sqrt(p (1 - p) (1/n1 + 1/n0))
    distance   of its items to its prototype, with that of held-out items, which the net has not seen either:
               z = (m1 - m0) / sqrt(v1/n1 + v0/n0) (Welch 1947), effect = (m1 - m0) / sqrt(v0)

A long stream makes any difference significant, and items of a stream come in bursts, which no z knows of. So a word is
said only where the difference is both beyond chance (|z| >= 4) and worth a word: half or twice the share, half a
standard deviation. A class that should have had 20 items and had none is missing.

Both halves are of items that the gates took for the class: of those that are far out less and less is seen the further
they drift. Where they leave it, a cluster that is a drift of it (`service.clustering.variants`) is what is seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from model.bundle import KnownArrays
from service.clustering.known import KnownGate
from service.overview.ring import KNOWN, Points
from service.records import SHOWN, Cluster, Float64s, Int64s

RECENT: Final = 5_000
"""Places of the stream that count as recent, at most."""

LONG: Final = 1_000
"""Known items before those from which on the stream itself says what is usual."""

_FEW = 100  # known items in all, below which nothing is said
_FEW_OWN = (
    20  # of the class, below which nothing is said of its distances; expected ones, for it to be missing
)
_FEW_HELD_OUT = 5
_BEYOND_CHANCE = 4.0
_RATIO = 2.0
_EFFECT = 0.5

Status = Literal["steady", "rarer", "more often", "further out", "closer in", "missing", "too few"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Distances:
    """Of n items to their prototypes: mean and variance, NaN where there are too few for it."""

    n: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Float64s) -> "Distances":
        """Of these."""
        n = len(values)
        return cls(
            n=n,
            mean=float(values.mean()) if n else math.nan,
            variance=float(values.var(ddof=1)) if n > 1 else math.nan,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassHealth:
    """How a known class fares; the fields are those of `GET /health/classes`."""

    label: str
    items: int
    recent: int
    share: float | None
    usual_share: float | None
    usual_from: Literal["stream", "bundle"]
    share_z: float | None
    distance: float | None
    usual_distance: float | None
    distance_z: float | None
    distance_effect: float | None
    status: Status
    says: str
    variants: tuple[int, ...]


class Usual:
    """What a bundle says of its known classes; made at first use, since it asks the gate of all held-out items.

    Args:
        known: The bundle's arrays.
        rate: At which items of known classes are called new: those held out that would be do not count.
    """

    def __init__(self, known: KnownArrays, rate: float) -> None:
        self._known = known
        self._rate = rate

    @property
    def counts(self) -> Int64s:
        """int64 (K,): items of each class that the net was fitted to."""
        return self._known.counts

    @cached_property
    def distances(self) -> tuple[Distances, ...]:
        """K: of the held-out items that the gates take for each class."""
        known = self._known
        best = known.calibration_p.max(axis=1)
        nearest = known.calibration_p.argmax(axis=1).astype(np.int64)
        away = KnownGate(known).distances(known.calibration_embeddings, nearest)
        is_taken = best > np.quantile(best, self._rate)
        return tuple(Distances.of(away[is_taken & (nearest == k)]) for k in range(len(known.counts)))


def health(
    points: Points,
    *,
    labels: Sequence[str],
    known_counts: Sequence[int],
    clusters: Sequence[Cluster],
    usual: Usual,
) -> list[ClassHealth]:
    """How each class fares.

    Args:
        points: The recent stream; of the last `RECENT` places that are in it.
        labels: Of the known classes.
        known_counts: Items of each in the whole stream.
        clusters: Of which some may be drifts of them.
        usual: The bundle's.
    """
    known = points[points["kind"] == KNOWN]
    of, away = known["of"], known["distance"].astype(np.float64)
    recent = np.bincount(of, minlength=len(labels))[: len(labels)]
    before = np.maximum(np.asarray(known_counts) - recent, 0)
    is_long = int(before.sum()) >= LONG
    bundle = np.zeros(len(labels), dtype=np.int64)
    bundle[: len(usual.counts)] = usual.counts
    return [
        _health(
            label,
            items=int(known_counts[k]),
            seen=(int(recent[k]), int(recent.sum())),
            usually=(int(before[k]), int(before.sum())) if is_long else (int(bundle[k]), int(bundle.sum())),
            usual_from="stream" if is_long else "bundle",
            now=Distances.of(away[of == k]),
            then=usual.distances[k] if k < len(usual.counts) else Distances.of(np.zeros(0)),
            variants=tuple(c.id for c in clusters if c.variant_of == label and c.state in SHOWN),
        )
        for k, label in enumerate(labels)
    ]


def recent_of(points: Points) -> Points:
    """Those of the last `RECENT` places of the stream."""
    if not len(points):
        return points
    return points[points["seq"] > int(points["seq"][-1]) - RECENT]


def share_z(seen: tuple[int, int], usually: tuple[int, int]) -> float | None:
    """How far apart two proportions (x, n) are, in standard errors; None where nothing can be said."""
    (x1, n1), (x0, n0) = seen, usually
    if not (n1 and n0):
        return None
    p = (x1 + x0) / (n1 + n0)
    error = math.sqrt(p * (1 - p) * (1 / n1 + 1 / n0))
    return (x1 / n1 - x0 / n0) / error if error > 0 else 0.0


def distance_z(now: Distances, then: Distances) -> tuple[float, float] | None:
    """How far apart two means are, in standard errors and in standard deviations of the second; None: too few."""
    if now.n < _FEW_OWN or then.n < _FEW_HELD_OUT or not then.variance > 0:
        return None
    apart = now.mean - then.mean
    return apart / math.sqrt(now.variance / now.n + then.variance / then.n), apart / math.sqrt(then.variance)


def _health(
    label: str,
    *,
    items: int,
    seen: tuple[int, int],
    usually: tuple[int, int],
    usual_from: Literal["stream", "bundle"],
    now: Distances,
    then: Distances,
    variants: tuple[int, ...],
) -> ClassHealth:
    share = seen[0] / seen[1] if seen[1] else None
    # The bundle knows no share of a class that was promoted since.
    usual_share = usually[0] / usually[1] if usually[1] and (usually[0] or usual_from == "stream") else None
    z = share_z(seen, usually) if usual_share is not None else None
    apart = distance_z(now, then)
    status = _status(share, usual_share, z, apart, seen, now.n)
    return ClassHealth(
        label=label,
        items=items,
        recent=seen[0],
        share=share,
        usual_share=usual_share,
        usual_from=usual_from,
        share_z=z,
        distance=now.mean if now.n else None,
        usual_distance=then.mean if then.n else None,
        distance_z=None if apart is None else apart[0],
        distance_effect=None if apart is None else apart[1],
        status=status,
        says=_says(status, share, usual_share, now, then, variants),
        variants=variants,
    )


def _status(
    share: float | None,
    usual_share: float | None,
    z: float | None,
    apart: tuple[float, float] | None,
    seen: tuple[int, int],
    own: int,
) -> Status:
    if share is None or seen[1] < _FEW:
        return "too few"
    if usual_share is not None and not seen[0] and usual_share * seen[1] >= _FEW_OWN:
        return "missing"
    if apart is not None and apart[0] >= _BEYOND_CHANCE and apart[1] >= _EFFECT:
        return "further out"
    if usual_share is not None and z is not None:
        if z <= -_BEYOND_CHANCE and share * _RATIO <= usual_share:
            return "rarer"
        if z >= _BEYOND_CHANCE and share >= _RATIO * usual_share:
            return "more often"
    if apart is not None and apart[0] <= -_BEYOND_CHANCE and apart[1] <= -_EFFECT:
        return "closer in"
    return "too few" if own < _FEW_OWN else "steady"


def _says(
    status: Status,
    share: float | None,
    usual_share: float | None,
    now: Distances,
    then: Distances,
    variants: tuple[int, ...],
) -> str:
    shares = f"{share or 0:.1%} of known items, usually {usual_share or 0:.1%}"
    means = f"mean distance {now.mean:.3g}, usually {then.mean:.3g}"
    said = {
        "steady": "steady",
        "rarer": f"rarer than usual: {shares}",
        "more often": f"more often than usual: {shares}",
        "further out": f"further out than usual, a drift: {means}",
        "closer in": f"closer in than usual: {means}",
        "missing": f"missing: none among the recent items, usually {usual_share or 0:.1%}",
        "too few": "too few recent items to tell",
    }[status]
    if variants:
        listed = ", ".join(map(str, variants))
        said += f"; {'cluster' if len(variants) == 1 else 'clusters'} {listed} drifted from it"
    return said
