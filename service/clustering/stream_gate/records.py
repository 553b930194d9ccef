"""What passes between the stream gate and who drives it: a job, the fit that comes of it, and its word on items."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from service.clustering.stream_gate import constants
from service.records import Bools, Float16s, Float32s, Float64s, Int32s, Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFit:
    """What one fit found. An entry of the log: some 100 numbers, and 200 for each membership.

    Attributes:
        weights: float32 (F + 1,) of log r; the intercept last.
        shares: float32 (K,) of the known classes in the window, each above 0; what is missing to 1 is new.
        members: float32 (m, 2 (F + 1)) of the memberships fitted anew; what a row holds says `membership.py`.
        clusters: int64 (m,) whose.
        joins: int64 (j, 2): clusters that are one class, as (the one that ends, the one that takes it in).
        partings: int64 (p, 2): micro-clusters of a cluster that is two classes, as (the cluster, a birth): those that
            leave, all of one cluster, to be another.
    """

    weights: Float32s
    shares: Float32s
    members: Float32s
    clusters: Int64s
    joins: Int64s
    partings: Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class FitJob:
    """What a fit works on: copies, so that it may take its time while the stream goes on.

    Attributes:
        features: float16 (n, F) of the window.
        cores: int32 (n,) class in whose core an item lies, -1 for none.
        births: int64 (n,) birth of the micro-cluster that an item went to, 0 for none.
        clusters: int64 (n,) announced cluster that an item is in, NO_CLUSTER for none.
        refused: bool (n,) whether no known class took the item.
        refreshed: clusters whose membership is to be fitted.
        weights: float32 (F + 1,) of the fit before, to begin at; None: there was none.
        earlier: memberships of the refreshed clusters so far, float32 (2 (F + 1),) each, to begin at.
    """

    features: Float16s
    cores: Int32s
    births: Int64s
    clusters: Int64s
    refused: Bools
    refreshed: tuple[int, ...]
    weights: Float32s | None
    earlier: Mapping[int, Float32s]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The word on a batch, all reasons together.

    Attributes:
        p: float64 (B,): share of known items as strange as this one, in (0, 1].
        clusters: int64 (B,): the cluster that claims the item, NO_CLUSTER for none; announced when its membership was
            fitted.
    """

    p: Float64s
    clusters: Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """What one reason says of a batch.

    Attributes:
        value: float64 (B,): log r, or the largest log odds of a membership.
        p: float64 (B,): the p-value it counts with.
    """

    value: Float64s
    p: Float64s


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """The reasons behind a `Judged`, those that count.

    Attributes:
        item: float64 (B,) p-values of the known gate.
        stream: The recent stream, since the first fit.
        claim: The memberships of clusters, where there are any.
    """

    item: Float64s | None
    stream: Reason | None
    claim: Reason | None


LEAST_SHARE = 1e-30
"""No fit finds a share below (shares.py); by less, weights would leave what float32 can hold."""

HIGHEST_ID = 2**62
"""No cluster id comes near it."""


class Misfit(ValueError):
    """A fit, or a batch, that this stream cannot have made."""


def membership_width(F: int) -> int:
    """How many numbers a membership has."""
    return 2 * (F + 1)


def check_fit(fit: StreamFit, *, F: int, K: int) -> None:
    """Is it one of F features and K known classes, and are its numbers such that can be decided by?

    Raises:
        Misfit: no; the message says what is wrong.
    """
    m = len(fit.clusters)
    for name, shape in (
        ("weights", (F + 1,)),
        ("shares", (K,)),
        ("members", (m, membership_width(F))),
        ("clusters", (m,)),
        ("joins", (len(fit.joins), 2)),
        ("partings", (len(fit.partings), 2)),
    ):
        array = getattr(fit, name)
        if array.shape != shape:
            raise Misfit(f"a fit of the stream gate has {name} of shape {array.shape}, not {shape}.")
        if not np.isfinite(array).all():
            raise Misfit(f"a fit of the stream gate has {name} that are no numbers.")
    if not (fit.shares >= LEAST_SHARE).all():
        raise Misfit("a fit of the stream gate has shares that are not above 0.")
    if m > constants.MOST_MEMBERSHIPS:
        raise Misfit(f"a fit of the stream gate has {m} memberships; {constants.MOST_MEMBERSHIPS} are kept.")
    if len(fit.partings) and (fit.partings[:, 0] != fit.partings[0, 0]).any():
        raise Misfit("a fit of the stream gate parts more than one cluster.")
    if not (np.concatenate([fit.clusters, fit.joins.ravel(), fit.partings.ravel()]) < HIGHEST_ID).all():
        raise Misfit("a fit of the stream gate has ids that no cluster has.")
    if not (fit.members[:, -1] > 0).all():
        raise Misfit("a fit of the stream gate has a membership without reach.")
    if not (fit.clusters > 0).all() or len(np.unique(fit.clusters)) < m:
        raise Misfit("a fit of the stream gate has memberships of no cluster, or two of one.")
