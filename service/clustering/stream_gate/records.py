"""What passes between the stream gate and who drives it: a job, the fit that comes of it, and its word on items."""

from dataclasses import dataclass

from service.records import Bools, Float16s, Float32s, Float64s, Int32s, Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFit:
    """What one fit found: all that deciding needs.

    Attributes:
        weights: float32 (F + 1,) of log r; the intercept last.
        shares: float32 (K,) of the known classes in the window, each above 0; what is missing to 1 is new.
        members: float32 (m, 2 (F + 1)) of the memberships; what a row holds says `membership.py`.
        clusters: int64 (m,) whose.
        joins: int64 (j, 2): clusters that are one class, as (the one that ends, the one that takes it in).
    """

    weights: Float32s
    shares: Float32s
    members: Float32s
    clusters: Int64s
    joins: Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class FitJob:
    """What a fit works on: copies, so that it may take its time while the stream goes on.

    Attributes:
        features: float16 (n, F) of the window.
        cores: int32 (n,) class in whose core an item lies, -1 for none.
        clusters: int64 (n,) announced cluster that an item is in, NO_CLUSTER for none.
        refused: bool (n,) whether no known class took the item.
        refreshed: clusters whose membership is to be fitted.
        before: the fit before, or None.
    """

    features: Float16s
    cores: Int32s
    clusters: Int64s
    refused: Bools
    refreshed: tuple[int, ...]
    before: StreamFit | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The word on a batch, all reasons together.

    Attributes:
        p: float64 (B,): share of known items as strange as this one, in (0, 1].
        clusters: int64 (B,): the announced cluster that claims the item, NO_CLUSTER for none.
    """

    p: Float64s
    clusters: Int64s
