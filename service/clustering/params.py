"""The engine's parameters, in the field's names, with reasons for the defaults.

They live in the stream's state: a change of settings is an entry of the log like any item, so a replay
makes every step with the parameters it was first made with.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal, Self, get_args

Backend = Literal["firstseen", "river"]
"""The clusterers there are (see clusterer.py)."""

Gates = Literal["both", "items", "stream"]
"""What may call an item new."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClustererParams:
    """What DBSTREAM works with, under the names river has for it; times in items, or in the unit of event times.

    Attributes:
        clustering_threshold: Radius r of a micro-cluster.
        fading_factor: lambda; weights halve every 1/lambda.
        cleanup_interval: t_gap; what is weak is removed every so often, and lives so long at least.
        intersection_factor: alpha; two micro-clusters are connected from this shared density on, relative to their
            mean weight. The paper's .3 is for two dimensions; balls overlap less in more.
        minimum_weight: w_min; a micro-cluster is strong from this (faded) weight on.
        max_micro_clusters: Hard cap; the lightest makes room for the newborn.
        max_degree: Hard cap on the pairs a micro-cluster shares density in; the weakest makes room.
        unlink_fraction: A link made at alpha is cut at this fraction of it; 1: no hysteresis, the paper's rule.
        river_online: Do the arithmetic of river's DBSTREAM, to compare with it.
    """

    clustering_threshold: float = 1.0
    fading_factor: float = 1e-3
    cleanup_interval: float = 1000
    intersection_factor: float = 0.3
    minimum_weight: float = 3.0
    max_micro_clusters: int = 10_000
    max_degree: int = 64
    unlink_fraction: float = 0.7
    river_online: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            # 3 and 3.0 are one number, and are stored as one.
            if self.__dataclass_fields__[name].type is float:
                object.__setattr__(self, name, float(value))
        self.check()

    def check(self) -> None:
        """Raises ValueError for what cannot be worked with."""
        for name in ("clustering_threshold", "fading_factor", "cleanup_interval", "minimum_weight"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a positive number, not {getattr(self, name)}.")
        if not 0 < self.intersection_factor < 1:
            raise ValueError(f"intersection_factor must be between 0 and 1, not {self.intersection_factor}.")
        if not 0 < self.unlink_fraction <= 1:
            raise ValueError(f"unlink_fraction must be above 0 and at most 1, not {self.unlink_fraction}.")
        for name, most in (("max_micro_clusters", 10**7), ("max_degree", 65_536)):
            given = getattr(self, name)
            if given != int(given) or not 1 <= given <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most:,}, not {given}.")
        # Beyond these, squares of distances or powers of two leave what float64 can hold.
        if not 1e-100 <= self.clustering_threshold <= 1e100:
            raise ValueError(
                f"clustering_threshold must be from 1e-100 to 1e100, not {self.clustering_threshold}: scale the items."
            )
        if self.fading_factor * self.cleanup_interval > 1000:
            raise ValueError(
                "fading_factor times cleanup_interval must be at most 1000: nothing is left after 1000 half-lives."
            )
        if self.cleanup_interval < 1e-3:
            raise ValueError(f"cleanup_interval must be at least .001, not {self.cleanup_interval}.")

    def with_changes(self, **changes: float | str | None) -> Self:
        """A copy with those `changes` that are not None."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineParams(ClustererParams):
    """What the engine decides with: the clusterer's parameters with defaults of its own, and the life cycle's.

    Attributes:
        known_error_rate: Rate at which items of known classes may be called new: the operator's one number. The
            bundle brings its own.
        clustering_threshold: Radius r of a micro-cluster, in cluster space (known classes have radius 1). The
            bundle brings its own; measured in docs/decisions/010-cluster-space.md.
        fading_factor: lambda; weights halve every 1/lambda items that reach the clusterer. 2,000 of these let a
            class that makes up a few per cent of them reach `minimum_weight`.
        cleanup_interval: t_gap; weak micro-clusters are removed every so many items that reach the clusterer. A
            lone item lives so long at least, which rare classes need.
        intersection_factor: alpha; two micro-clusters are connected from this shared density on. The paper's .3;
            .2 merged true classes on held-out pairs of digits.
        minimum_weight: w_min; a micro-cluster is strong from this (faded) weight on. 3 to 5 gave the same.
        max_micro_clusters: Hard cap on memory (17 MB of pairs); the lightest makes room for the newborn.
        false_alarm_rate: Budget alpha of the sequential test, over the stream's whole life.
        min_items_to_emerge: A cluster is announced with no fewer items than this: something to look at.
        items_to_establish: An announced cluster is established with this many items.
        fade_after_items: ... and fading after this many stream items without one of its own.
        gone_after_items: ... and gone after this many.
        exemplars: How many of its latest ids a cluster keeps.
        gates: What may call an item new: itself, by the known gate ("items"), the recent stream compared with known
            items (see stream_gate/) where the bundle has enough of them ("stream"), or either ("both").
        feeding_rate: Where there is no stream gate (nor river), the p-value up to which an item goes to the clusterer,
            even if it is accepted; never less than `known_error_rate`. See background.py.
        backend: Which clusterer forms the clusters; kept for a stream's whole life.
    """

    known_error_rate: float = 0.02
    clustering_threshold: float = 1.6
    fading_factor: float = 5e-4
    cleanup_interval: float = 500
    intersection_factor: float = 0.3
    minimum_weight: float = 4.0
    max_micro_clusters: int = 1024
    false_alarm_rate: float = 0.01
    min_items_to_emerge: int = 8
    items_to_establish: int = 30
    fade_after_items: int = 5_000
    gone_after_items: int = 50_000
    exemplars: int = 8
    gates: Gates = "both"
    feeding_rate: float = 0.1
    backend: Backend = "firstseen"

    def check(self) -> None:
        """Raises ValueError for what cannot be worked with."""
        ClustererParams.check(self)
        for name in ("known_error_rate", "false_alarm_rate", "feeding_rate"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}.")
        for name in ("min_items_to_emerge", "items_to_establish", "fade_after_items", "exemplars"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if self.gone_after_items <= self.fade_after_items:
            raise ValueError("gone_after_items must be greater than fade_after_items.")
        for name, kinds in (("backend", Backend), ("gates", Gates)):
            if getattr(self, name) not in get_args(kinds):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(kinds))}, not {getattr(self, name)!r}."
                )
        if self.backend == "river" and self.cleanup_interval % 1:
            raise ValueError(
                f"cleanup_interval must be a whole number for river, not {self.cleanup_interval}."
            )
