"""The stream gate of one stream: its window, its latest fit, and what follows from that for an item."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering.logistic import log_odds
from service.clustering.stream_gate import constants, held_out, stored
from service.clustering.stream_gate.features import FeatureSpace
from service.clustering.stream_gate.fitting import Fitter
from service.clustering.stream_gate.membership import Memberships, membership_odds
from service.clustering.stream_gate.records import (
    FitJob,
    Judged,
    Looked,
    Reason,
    StreamFit,
    check_fit,
)
from service.clustering.stream_gate.tail import Tail
from service.clustering.stream_gate.window import Window
from service.records import NO_CLUSTER, Float16s, Float32s, Float64s, Int32s, Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What the latest fit says of items.

    Attributes:
        ratio: float64 (B,) log r.
        claim: float64 (B,) the largest log odds of a membership; None: there is none.
        clusters: int64 (B,) whose these are, NO_CLUSTER where they are not above 0.
    """

    ratio: Float64s
    claim: Float64s | None
    clusters: Int64s


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """What the latest fit says of the held-out items that it has not seen, weighted to the stream's shares."""

    ratio: Tail
    claim: Tail | None
    smallest: Tail
    p: Float64s


class StreamGate:
    """Window, latest fit and memberships of one stream; mutable, owned by the engine.

    What never changes comes from the bundle. Memory is bounded: 2 F bytes for each held-out item and for each of the
    window, 8 bytes for each held-out item and membership.

    Args:
        known: a bundle's arrays.
        rate: at which items of known classes may be called new.
    """

    def __init__(self, known: KnownArrays, rate: float) -> None:
        self._space = FeatureSpace(known)
        self._rate = rate
        self._is_alone = False
        fitted, self._judged = held_out.halves(known, self._space)
        self._fitter = Fitter(known, fitted)
        p = self._judged.p
        self._unfitted = Tail(-p, np.full(len(p), 1.0 / len(p)))
        self.is_on = held_out.are_enough(known)
        self.clear()

    def clear(self) -> None:
        """Forget the stream: window, fit and memberships."""
        self._window = Window(self._space.dim)
        self._since_fit = 0
        self._weights: Float32s | None = None
        self._shares: Float32s | None = None
        self._members = Memberships.none(self._space.dim)
        self._columns: dict[int, tuple[Float32s, Float64s]] = {}
        self._scale: _Scale | None = None

    # What is said of items

    @property
    def dim(self) -> int:
        """F, the features of an item."""
        return self._space.dim

    def features(self, z: Float32s) -> Float16s:
        """float32 (B, D) to float16 (B, F): what is kept of an item."""
        return self._space.project(z)

    def judge(self, p_item: Float64s, features: Float16s) -> Judged:
        """What is said of items now; before the first fit M is p_item alone.

        Args:
            p_item: float64 (B,) p-values of the known gate.
            features: float16 (B, F).
        """
        scale, p_item = self._scale, self._counted(p_item)
        if scale is None:
            p = self._unfitted.p_values(-p_item)
            return Judged(p=p, clusters=np.zeros(len(p_item), dtype=np.int64))
        seen = self._see(features, [membership_odds(features, row) for row in self._members.rows])
        smallest = self._smallest(p_item, seen, scale.ratio, scale.claim)
        return Judged(p=scale.smallest.p_values(-smallest), clusters=seen.clusters)

    def look(self, p_item: Float64s, features: Float16s) -> Looked:
        """The reasons for what `judge` says, which goes by the smallest p-value of them; arguments as there."""
        scale, p_item = self._scale, self._counted(p_item)
        stream = claim = None
        if scale is not None:
            seen = self._see(features, [membership_odds(features, row) for row in self._members.rows])
            stream = Reason(value=seen.ratio, p=self._p_stream(seen, scale.ratio))
            if seen.claim is not None and scale.claim is not None:
                claim = Reason(value=seen.claim, p=self._p_member(seen.claim, scale.claim))
        return Looked(item=None if self._is_alone else p_item, stream=stream, claim=claim)

    def limit(self, rate: float, *, digits: int | None = None) -> float:
        """The smallest p-value of a reason that `judge` lets be above `rate`; 0: all are. See `Tail.limit`."""
        ranked = self._unfitted if self._scale is None else self._scale.smallest
        return max(-ranked.limit(rate, digits=digits), 0.0)

    @property
    def judged(self) -> Int64s:
        """int64: the places of the held-out items that no fit sees."""
        return self._judged.places

    @property
    def held_out_p(self) -> Float64s:
        """float64 (len(judged),): what `judge` says now of the held-out items that no fit sees."""
        if self._scale is None:
            return self._unfitted.p_values(-self._counted(self._judged.p))
        return self._scale.p

    def _counted(self, p_item: Float64s) -> Float64s:
        """What the known gate says, where that counts."""
        return np.ones_like(p_item) if self._is_alone else p_item

    def _see(self, features: Float16s, odds: list[Float64s]) -> _Seen:
        """What the fit says: `odds` are float64 (B,) of each membership."""
        assert self._weights is not None
        ratio = log_odds(features, self._weights[None])[:, 0]
        if not odds:
            return _Seen(ratio=ratio, claim=None, clusters=np.zeros(len(ratio), dtype=np.int64))
        columns = np.stack(odds)
        best = columns.argmax(axis=0)
        claim = columns[best, np.arange(len(ratio))]
        clusters = np.where(claim > 0.0, self._members.clusters[best], NO_CLUSTER)
        return _Seen(ratio=ratio, claim=claim, clusters=clusters)

    def _smallest(self, p_item: Float64s, seen: _Seen, ratios: Tail, claims: Tail | None) -> Float64s:
        """float64 (B,): M. What has no case counts for the ranking, but is not let below the rate."""
        smallest = np.minimum(p_item, self._p_stream(seen, ratios))
        if seen.claim is None or claims is None:
            return smallest
        return np.minimum(smallest, self._p_member(seen.claim, claims))

    def _p_stream(self, seen: _Seen, ratios: Tail) -> Float64s:
        p = ratios.p_values(seen.ratio)
        return np.where(seen.ratio > math.log(constants.LEAST_RATIO), p, np.maximum(p, self._rate))

    def _p_member(self, claim: Float64s, claims: Tail) -> Float64s:
        p = claims.p_values(claim)
        return np.where(claim > 0.0, p, np.maximum(p, self._rate))

    @property
    def memberships(self) -> Memberships:
        """Those that are decided by now."""
        return self._members

    @property
    def shares(self) -> Float32s | None:
        """float32 (K,) of the known classes as the latest fit found them; None before the first."""
        return self._shares

    def share_of(self, births: Int64s) -> float:
        """Of the recent items, those in micro-clusters of these births that count for no known class."""
        return self._window.share_of(births)

    # The window, and fits to it

    def observe(self, features: Float16s, cores: Int32s, births: Int64s) -> None:
        """Take items into the window.

        Args:
            features: float16 (B, F).
            cores: int32 (B,) class in whose core the item lies, -1 for none.
            births: int64 (B,) birth of the micro-cluster it went to, 0 for none.
        """
        self._window.take(features, cores, births)
        self._since_fit += len(cores)

    @property
    def is_due(self) -> bool:
        """Whether it is time for a fit."""
        return (
            self.is_on and len(self._window) >= constants.FEWEST_ITEMS and self._since_fit >= constants.EVERY
        )

    def job(self, cluster_of_birth: Mapping[int, int]) -> FitJob:
        """What to fit now.

        Args:
            cluster_of_birth: the announced cluster of each micro-cluster that is in one, by its birth.
        """
        recent = self._window.recent()
        found, place = np.unique(recent.births, return_inverse=True)
        own = np.array([cluster_of_birth.get(birth, NO_CLUSTER) for birth in found.tolist()], dtype=np.int64)
        clusters = own[place]
        here, counts = np.unique(clusters[clusters != NO_CLUSTER], return_counts=True)
        enough = here[counts >= constants.FEWEST_MEMBERS].tolist()
        turn = {cluster: n for n, cluster in enumerate(self._members.clusters.tolist())}
        # Those never fitted first, then the longest unfitted.
        refreshed = sorted(enough, key=lambda c: turn.get(c, -1))[: constants.REFRESHED]
        earlier = {cluster: self._members.of(cluster) for cluster in refreshed}
        return FitJob(
            features=recent.features,
            cores=recent.cores,
            births=recent.births,
            clusters=clusters,
            refused=recent.births != 0,
            refreshed=tuple(refreshed),
            weights=self._weights,
            earlier={cluster: row for cluster, row in earlier.items() if row is not None},
        )

    def solve(self, job: FitJob) -> StreamFit:
        """Make a fit. Changes nothing, and may run beside everything else; see `Fitter.solve`."""
        return self._fitter.solve(job)

    # Deciding by a fit

    def check(self, fit: StreamFit) -> None:
        """Raises Misfit for a fit of another stream gate."""
        check_fit(fit, F=self._space.dim, K=len(self._judged.counts))

    def use(self, fit: StreamFit, goes_by: Callable[[int], int] = lambda cluster: cluster) -> None:
        """Decide by `fit` from the next item on.

        Args:
            fit: one that passes `check`.
            goes_by: gives the announced cluster that one goes by now, itself mostly, NO_CLUSTER for none: clusters
                may have come to an end since the fit was begun.
        """
        self._weights, self._shares = fit.weights, fit.shares
        self._members = self._members.after(fit, goes_by)
        self._since_fit = 0
        self._weigh()

    def retune(self, rate: float, *, alone: bool = False) -> None:
        """Call items new at another rate from the next item on; or without the known gate, `alone`, if it is on."""
        self._rate, self._is_alone = rate, alone and self.is_on
        if self._weights is not None:
            self._weigh()

    def _weigh(self) -> None:
        """Take the held-out items' distributions anew, under the fit and the rate."""
        assert self._shares is not None
        judged = self._judged
        mass = judged.mass(self._shares.astype(np.float64))
        seen = self._see(judged.features, self._judged_odds())
        ratios = Tail(seen.ratio, mass)
        claims = None if seen.claim is None else Tail(seen.claim, mass)
        smallest = self._smallest(self._counted(judged.p), seen, ratios, claims)
        combined = Tail(-smallest, mass)
        self._scale = _Scale(
            ratio=ratios,
            claim=claims,
            smallest=combined,
            p=combined.p_values(-smallest),
        )

    def _judged_odds(self) -> list[Float64s]:
        """What each membership says of the held-out items; computed once for each, since a fit changes only a few."""
        before, self._columns = self._columns, {}
        for cluster, row in zip(self._members.clusters.tolist(), self._members.rows, strict=True):
            found = before.get(cluster)
            if found is None or not np.array_equal(found[0], row):
                found = row, membership_odds(self._judged.features, row)
            self._columns[cluster] = found
        return [column for _, column in self._columns.values()]

    # State

    def state(self) -> dict[str, NDArray[Any]]:
        """All of it as flat arrays; equal states give equal arrays. What they are says stored.py."""
        return stored.packed(
            self._window.recent(), self._since_fit, self._weights, self._shares, self._members
        )

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a stored state, as if nothing had happened, to the bit.

        Raises:
            SnapshotUnreadable: no stream gate of this bundle has such a state.
        """
        stored.check(arrays, F=self._space.dim, K=len(self._judged.counts), is_on=self.is_on)
        self.clear()
        recent, self._since_fit, self._weights, self._shares, self._members = stored.unpacked(arrays)
        self._window.fill(recent)
        if self._weights is not None:
            self._weigh()
