"""The stream gate: what is in the recent stream that known classes do not explain?

One item alone can look known: a coat is much like a pullover. Thirty coats in a stream that should bring pullovers do
not look like pullovers *together*. So beside the gate that looks at items one by one (known.py) this one compares two
samples, held-out items of known classes and the latest items of the stream:

    held-out items, class k with weight pi_k ──┐
                                               ├─► logistic regression ─► r(x) = p_stream(x) / p_known(x)
    the latest WINDOW items of the stream ─────┘

Where both samples have the same law no classifier can tell them apart, and r is 1. Where the stream has what known
classes do not, r is large: the share of new items among those at x is 1 - 1/r (Sugiyama, Suzuki and Kanamori 2012,
"Density Ratio Estimation in Machine Learning", ch. 4). It is fitted every EVERY items to the window of then, and used
on the items that come after: an item is never scored by a fit that has seen it.

**Shares.** The known classes' shares change all the time, and a change of shares is not novelty. So the held-out
items are weighted to the shares of the stream. These are estimated from the *core* of each class alone: of held-out
items of class k, the share C_jk lies in the core of j (nearest class j, p-value above a half); of the window, the share
c_j does; pi = argmin |C pi - c|, pi >= 0 (black-box shift estimation, Lipton, Wang and Smola 2018, on cores). With
whole regions in place of cores, a new class that lies in the region of k would pass for a larger share of k; without
weights every change of shares raises alarms.

**Memberships.** What is said of "the stream" can be said of one cluster: items of the window that the clusterer gave
to an announced cluster, against the held-out items weighted likewise and the other clusters' items,

    l_c(x) = log odds that an item at x is of cluster c.

It is how an announced cluster gets its items that lie between the clusterer's balls, or in the region of a known
class. At most REFRESHED memberships are fitted anew at a time, the longest unfitted first: the time of a fit is
bounded however many clusters there are.

**The operator's rate.** There are now three reasons to call an item new: its own p-value is small, r is large there, a
cluster claims it. Half of the held-out items take no part in any fit, so they are to a fit what fresh known items are.
Weighted to the stream's shares they turn log r and the largest l_c into p-values, and then once more the smallest
of the three,

    M(x) = min(p_item, p_stream, p_member),       p(x) = weighted share of held-out items with M as small

so that at most the wanted rate of known items has p below it: one number, whatever reasons there are. A stream or a
membership that has no case does not make one: where r is below LEAST_RATIO (half of the items there being new), or
l_c below 0, their p-value counts for the ranking but is not let below the rate. What the clusters' tests know of
known items (emergence.py) comes from the same half.

**Determinism.** A fit multiplies matrices, so another processor may give other last bits; and a replay that had to
make all fits again would take minutes. So a fit is an entry of the log (`StreamFit`, some 100 numbers), and its time
in the stream is where that entry is. What is decided by it is in the log, too. The state is the window, exact (float16
features), and the latest fit; both are bounded.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls

from model.bundle import KnownArrays
from model.scores.mahalanobis import SHRINKAGE
from service.clustering.logistic import fit_logistic
from service.clustering.state_check import demand, within
from service.records import NO_CLUSTER, Bools, Float16s, Float32s, Float64s, Int32s, Int64s

WINDOW = 2000
"""Items of the stream that a fit looks at."""

EVERY = 100
"""Items between fits."""

FEWEST_ITEMS = 400
"""Items in the window before the first fit: fewer differ from known ones by chance in a hundred directions."""

FEWEST_HELD_OUT = 1500
"""With fewer held-out items there is no stream gate: half of them could not tell one per cent from chance."""

FEWEST_OF_CLASS = 60
"""... nor with fewer a class: the shares of a hundred classes cannot be told from two thousand items."""

MOST_FITTED = 4000
"""Held-out items that fits use, at most: bounds their time."""

PENALTY = 100.0
"""Of the ridge, for a window of WINDOW items; in proportion for fewer."""

MEMBER_PENALTY = 10.0
"""Of a membership: it has few items, but must bend where the stream's cannot."""

LEAST_RATIO = 2.0
"""r from which on more than half of the items are new."""

LEAST_LOG_RATIO = math.log(LEAST_RATIO)

REFRESHED = 2
"""Memberships fitted anew at a time."""

REACH = 1.2
"""A cluster claims nothing farther from its centre than this times where nine tenths of its items lie (squares)."""

NO_VALLEY = 0.8
"""Items between two centres, relative to those at the emptier centre, from which on the two are one class. Measured:
1.5 and more for pieces of one class, .4 and less for two (MNIST and Fashion-MNIST, clusters of two radii)."""

FEWEST_BETWEEN = 10
"""... and at least so many, that it is no accident."""

FEWEST_MEMBERS = 12
"""Items of a cluster in the window from which a membership can be fitted."""

_FIT = ("weights", "shares", "members", "clusters", "joins")
_BAND = 0.15
_CORE = 0.5
_LEAST_SHARE = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFit:
    """What one fit found: all that deciding needs.

    Attributes:
        weights: float32 (F + 1,) of log r; the intercept last.
        shares: float32 (K,) of the known classes in the window, each at least 0; what is missing to 1 is new.
        members: float32 (m, F + 1) of the memberships.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """float64 (B,) the smallest of an item's p-values; int64 (B,) the cluster that claims it."""

    smallest: Float64s
    clusters: Int64s


class Tail:
    """A weighted sample that other values are compared with: how many of it are as large?

    Args:
        values: float64 (n,).
        mass: float64 (n,), at least 0, 1 in all.
    """

    def __init__(self, values: Float64s, mass: Float64s) -> None:
        order = np.argsort(values, kind="stable")
        self._values = values[order]
        # As in conformal prediction the item at hand counts as one more, of average weight.
        above = np.concatenate([np.cumsum(mass[order][::-1])[::-1], [0.0]])
        self._share = (1.0 / len(values) + above) / (1.0 / len(values) + 1.0)

    def p_values(self, values: Float64s) -> Float64s:
        """float64 (B,) in (0, 1]: the share of the sample that is as large."""
        place = np.searchsorted(self._values, values, side="left")
        return np.asarray(np.minimum(self._share[place], 1.0), dtype=np.float64)


class StreamGate:
    """Window and latest fit of one stream; mutable, owned by the engine. What never changes comes from the bundle."""

    def __init__(self, known: KnownArrays, rate: float) -> None:
        """Nothing is in the window yet.

        Args:
            known: a bundle's arrays.
            rate: at which items of known classes may be called new.
        """
        self._mean = known.stream_mean
        self._axes = known.stream_projection
        self._rate = rate
        F = self._axes.shape[1]
        held_out = self._portable_features(known.calibration_embeddings)
        fitted = np.arange(len(held_out)) % 2 == 0
        self.is_on = len(held_out) >= max(FEWEST_HELD_OUT, FEWEST_OF_CLASS * known.calibration_p.shape[1])
        labels, p = known.calibration_labels, known.calibration_p
        keep = np.flatnonzero(fitted)[:MOST_FITTED]
        self._fitted, self._fitted_labels = held_out[keep].astype(np.float32), labels[keep]
        self._counts = np.bincount(self._fitted_labels, minlength=p.shape[1])
        self.judged = np.flatnonzero(~fitted) if self.is_on else np.arange(len(held_out))
        """int64: the held-out items that no fit sees."""
        self._judged, self._judged_labels = held_out[self.judged], labels[self.judged]
        self._judged_p = p[self.judged].max(axis=1).astype(np.float64)
        self._judged_counts = np.bincount(self._judged_labels, minlength=p.shape[1])
        self._confusion = _core_confusion(p, labels)
        self._within = _within_classes(self._fitted, self._fitted_labels)
        self._features = np.zeros((WINDOW, F), dtype=np.float16)
        self._cores = np.full(WINDOW, -1, dtype=np.int32)
        self._births = np.zeros(WINDOW, dtype=np.int64)
        self._at = 0
        self._held = 0
        self._since_fit = 0
        self.fit: StreamFit | None = None
        nothing = Tail(np.zeros(1), np.ones(1))
        self._ratios, self._odds, self._combined = nothing, nothing, nothing
        self._weigh()

    # What an item looks like

    def features(self, z: Float32s) -> Float16s:
        """float32 (B, D) to float16 (B, F): what is kept of an item. float16 is finer than what fits can use."""
        rows = np.matmul((z - self._mean)[:, None, :], self._axes)[:, 0, :]  # row by row, whatever B is
        return np.clip(rows, -60_000, 60_000).astype(np.float16)

    def _portable_features(self, z: Float32s) -> Float16s:
        """The same by sums along the last axis: the same bits on every processor, for what the state depends on."""
        axes = np.ascontiguousarray(self._axes.T)
        rows = [(row - self._mean) * axes for row in z]
        return np.array([row.sum(axis=1) for row in rows]).clip(-60_000, 60_000).astype(np.float16)

    def judge(self, p_item: Float64s, features: Float16s) -> Judged:
        """What is said of items now.

        Args:
            p_item: float64 (B,) p-values of the known gate.
            features: float16 (B, F).
        """
        if self.fit is None:
            p = self._combined.p_values(-p_item)
            return Judged(p=p, clusters=np.zeros(len(p_item), dtype=np.int64))
        case = self._case(p_item, features, self.fit)
        return Judged(p=self._combined.p_values(-case.smallest), clusters=case.clusters)

    def refused_held_out(self) -> Bools:
        """Bool (len(judged),): which of the held-out items that no fit sees are refused now."""
        if self.fit is None:
            return np.asarray(self._combined.p_values(-self._judged_p) <= self._rate, dtype=np.bool_)
        case = self._case(self._judged_p, self._judged, self.fit)
        return np.asarray(self._combined.p_values(-case.smallest) <= self._rate, dtype=np.bool_)

    def _case(self, p_item: Float64s, features: Float16s, fit: StreamFit) -> _Case:
        ratio = _logits(features, fit.weights[None])[:, 0]
        p_stream = self._ratios.p_values(ratio)
        smallest = np.minimum(
            p_item, np.where(ratio > LEAST_LOG_RATIO, p_stream, np.maximum(p_stream, self._rate))
        )
        if not len(fit.clusters):
            return _Case(smallest=smallest, clusters=np.zeros(len(p_item), dtype=np.int64))
        largest, best = self._claims(features, fit)
        p_member = self._odds.p_values(largest)
        smallest = np.minimum(smallest, np.where(largest > 0.0, p_member, np.maximum(p_member, self._rate)))
        return _Case(smallest=smallest, clusters=np.where(largest > 0.0, fit.clusters[best], NO_CLUSTER))

    @staticmethod
    def _claims(features: Float16s, fit: StreamFit) -> tuple[Float64s, Int64s]:
        """float64 (B,) the largest odds, and int64 (B,) whose; an item out of a cluster's reach is not claimed by it."""
        F = features.shape[1]
        odds = _logits(features, fit.members[:, : F + 1])
        x = features.astype(np.float64)
        for row, member in enumerate(fit.members.astype(np.float64)):
            away = np.square(x - member[F + 1 : -1]).sum(axis=1)
            odds[:, row] = np.where(
                away <= member[-1], odds[:, row], np.minimum(odds[:, row], -away / member[-1])
            )
        best = odds.argmax(axis=1)
        return odds[np.arange(len(odds)), best], best

    # The window

    def observe(self, features: Float16s, cores: Int32s, births: Int64s) -> None:
        """Take items into the window; the oldest leave.

        Args:
            features: float16 (B, F).
            cores: int32 (B,) class in whose core the item lies, -1 for none.
            births: int64 (B,) birth of the micro-cluster it went to, 0 for none.
        """
        for start in range(0, len(cores), WINDOW):
            rows = slice(start, start + WINDOW)
            n = len(cores[rows])
            places = (self._at + np.arange(n)) % WINDOW
            self._features[places] = features[rows]
            self._cores[places] = cores[rows]
            self._births[places] = births[rows]
            self._at = (self._at + n) % WINDOW
            self._held = min(WINDOW, self._held + n)
        self._since_fit += len(cores)

    @property
    def is_due(self) -> bool:
        """Whether it is time for a fit."""
        return self.is_on and self._held >= FEWEST_ITEMS and self._since_fit >= EVERY

    def job(self, cluster_of_birth: Mapping[int, int]) -> FitJob:
        """What to fit now.

        Args:
            cluster_of_birth: the announced cluster of each micro-cluster that is in one, by its birth.
        """
        order = self._in_order()
        births = self._births[order]
        found, place = np.unique(births, return_inverse=True)
        own = np.array([cluster_of_birth.get(birth, NO_CLUSTER) for birth in found.tolist()], dtype=np.int64)
        clusters = own[place]
        here, counts = np.unique(clusters[clusters != NO_CLUSTER], return_counts=True)
        enough = here[counts >= FEWEST_MEMBERS].tolist()
        fitted = [] if self.fit is None else self.fit.clusters.tolist()
        # Those never fitted first, then the longest unfitted: a fit appends what it refreshes.
        waiting = sorted(enough, key=lambda c: fitted.index(c) if c in fitted else -1)
        return FitJob(
            features=self._features[order],
            cores=self._cores[order],
            clusters=clusters,
            refused=births != 0,
            refreshed=tuple(waiting[:REFRESHED]),
            before=self.fit,
        )

    def solve(self, job: FitJob) -> StreamFit:
        """Make a fit. Changes nothing, and may run beside everything else; takes 10 to 40 ms."""
        shares, _ = nnls(self._confusion, self._core_shares(job.cores))
        shares = np.maximum(shares, _LEAST_SHARE)
        known = self._mass(shares, self._fitted_labels, self._counts)
        window = job.features.astype(np.float32)
        n = len(window)
        before = job.before
        weights = fit_logistic(
            np.concatenate([self._fitted, window]),
            np.arange(len(known) + n) >= len(known),
            np.concatenate([known * n, np.ones(n)]),
            penalty=PENALTY * n / WINDOW,
            start=None if before is None else before.weights.astype(np.float64),
        ).astype(np.float32)
        members = {} if before is None else dict(zip(before.clusters.tolist(), before.members, strict=True))
        for cluster in job.refreshed:
            earlier = members.pop(cluster, None)
            members[cluster] = self._membership(job, window, known, cluster, weights, earlier)
        return StreamFit(
            weights=weights,
            shares=shares.astype(np.float32),
            members=np.array(list(members.values()), dtype=np.float32).reshape(-1, 2 * len(weights)),
            clusters=np.array(list(members), dtype=np.int64),
            joins=self._joins(job, window),
        )

    def _joins(self, job: FitJob, window: Float32s) -> Int64s:
        """Which of the refreshed clusters are one class with an older one: int64 (j, 2), j at most 1 a fit.

        The clusterer parts what no chain of overlapping balls connects, and in many dimensions a class can fall into
        pieces. If two pieces are one class, the refused items are as dense between their centres as at them; if they are
        two, there is a valley. Seen along the direction that tells the two apart best, given how known classes vary
        (Fisher's discriminant): t = 0 at one centre, 1 at the other.
        """
        for young in sorted(job.refreshed, reverse=True):
            for old in sorted(set(job.clusters.tolist()) - {NO_CLUSTER}):
                if old < young and (job.clusters == old).sum() >= FEWEST_MEMBERS:
                    if self._is_one(window, job, young, old):
                        return np.array([[young, old]], dtype=np.int64)
        return np.empty((0, 2), dtype=np.int64)

    def _is_one(self, window: Float32s, job: FitJob, young: int, old: int) -> bool:
        mine, theirs = window[job.clusters == young], window[job.clusters == old]
        a, b = mine.mean(axis=0, dtype=np.float64), theirs.mean(axis=0, dtype=np.float64)
        axis = cho_solve(self._within, b - a)
        apart = float((b - a) @ axis)
        if apart <= 0.0:
            return True
        items = window[job.refused].astype(np.float64)
        away = np.minimum(np.square(items - a).sum(axis=1), np.square(items - b).sum(axis=1))
        reach = REACH * max(_reach(mine, a), _reach(theirs, b))
        t = (items[away <= reach] - a) @ axis / apart
        between = int((np.abs(t - 0.5) < _BAND).sum())
        at_least = min(int((np.abs(t) < _BAND).sum()), int((np.abs(t - 1.0) < _BAND).sum()))
        return between >= FEWEST_BETWEEN and between >= NO_VALLEY * at_least

    def _membership(
        self,
        job: FitJob,
        window: Float32s,
        known: Float64s,
        cluster: int,
        weights: Float32s,
        earlier: Float32s | None,
    ) -> Float32s:
        """Cluster against known classes and the other clusters.

        The items of the cluster have the mass they have in the window, the known ones the rest: the odds are those of
        the next item of the stream. Items that went to the clusterer although the stream gate finds them usual (r below
        1) are left out: they are what known classes leak into it.
        """
        n = len(window)
        own = job.clusters == cluster
        unusual = _logits(job.features, weights[None])[:, 0] > 0.0
        sure = own & unusual
        if sure.sum() < FEWEST_MEMBERS:
            sure = own
        others = (job.clusters != NO_CLUSTER) & ~own
        x = np.concatenate([self._fitted, window[others], window[sure]])
        positive = np.arange(len(x)) >= len(known) + others.sum()
        rest = max(n - int(own.sum()) - int(others.sum()), 1)
        mass = np.concatenate([known * rest, np.ones(int(others.sum()) + int(sure.sum()))])
        odds = fit_logistic(
            x,
            positive,
            mass,
            penalty=MEMBER_PENALTY,
            start=None if earlier is None else earlier[: x.shape[1] + 1].astype(np.float64),
        )
        centre = window[sure].astype(np.float64).mean(axis=0)
        return np.concatenate([odds, centre, [REACH * _reach(window[sure], centre)]]).astype(np.float32)

    def _core_shares(self, cores: Int32s) -> Float64s:
        counts = np.bincount(cores[cores >= 0], minlength=len(self._counts))
        return np.asarray(counts / max(len(cores), 1), dtype=np.float64)

    @staticmethod
    def _mass(shares: Float64s, labels: Int64s, counts: Int64s) -> Float64s:
        """float64 (n,): weights of held-out items that give each class its share of 1 in all."""
        there = np.where(counts > 0, shares, 0.0)
        per_item = there / there.sum() / np.maximum(counts, 1)
        return np.asarray(per_item[labels], dtype=np.float64)

    # State

    def state(self) -> dict[str, NDArray[Any]]:
        """Window and latest fit as flat arrays; equal states give equal arrays. See `restore`.

        features: float16 (n, F), oldest first; cores: int32 (n,); births: int64 (n,); since_fit: int64 (1,); and of a
        fit, if there is one, the fields of `StreamFit`.
        """
        order = self._in_order()
        fit = {} if self.fit is None else {f"fit.{name}": getattr(self.fit, name) for name in _FIT}
        return {
            "features": self._features[order],
            "cores": self._cores[order],
            "births": self._births[order],
            "since_fit": np.array([self._since_fit], dtype=np.int64),
            **fit,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a stored state, as if nothing had happened, to the bit.

        Raises:
            SnapshotUnreadable: no stream gate of this bundle has such a state.
        """
        F, K = self._features.shape[1], len(self._counts)
        has_fit = any(name.startswith("fit.") for name in arrays)
        n = len(arrays["cores"]) if "cores" in arrays and arrays["cores"].ndim == 1 else -1
        m = len(arrays["fit.clusters"]) if has_fit and "fit.clusters" in arrays else 0
        layout: dict[str, tuple[str, tuple[int, ...]]] = {
            "features": ("<f2", (n, F)),
            "cores": ("<i4", (n,)),
            "births": ("<i8", (n,)),
            "since_fit": ("<i8", (1,)),
        }
        if has_fit:
            layout |= {
                "fit.weights": ("<f4", (F + 1,)),
                "fit.shares": ("<f4", (K,)),
                "fit.members": ("<f4", (m, 2 * (F + 1))),
                "fit.clusters": ("<i8", (m,)),
                "fit.joins": ("<i8", (len(arrays.get("fit.joins", ())), 2)),
            }
        demand(arrays.keys() == layout.keys(), "the names of the stream gate's arrays")
        for name, (dtype, shape) in layout.items():
            array = arrays[name]
            demand(array.dtype == np.dtype(dtype) and array.shape == shape, f"the stream gate's {name}")
            demand(array.dtype.kind != "f" or bool(np.isfinite(array).all()), f"the stream gate's {name}")
        demand(n <= WINDOW and within(arrays["cores"], -1, K), "the stream gate's window")
        demand(within(arrays["births"], 0, 2**62) and within(arrays["since_fit"], 0, 2**62), "its counts")
        self._features[:n], self._cores[:n], self._births[:n] = (
            arrays[name] for name in ("features", "cores", "births")
        )
        self._held, self._at, self._since_fit = n, n % WINDOW, int(arrays["since_fit"][0])
        self.fit = None
        if has_fit:
            demand(bool((arrays["fit.shares"] >= 0).all()), "the stream gate's shares")
            demand(len(np.unique(arrays["fit.clusters"])) == m, "the stream gate's clusters")
            self.fit = StreamFit(**{name: arrays[f"fit.{name}"] for name in _FIT})
            self._weigh()

    def _in_order(self) -> Int64s:
        """The places of the window's items, oldest first."""
        n = self._held
        return (self._at - n + np.arange(n)) % WINDOW

    # Deciding by a fit

    def use(self, fit: StreamFit) -> None:
        """Decide by `fit` from the next item on."""
        self.fit = fit
        self._since_fit = 0
        self._weigh()

    def retune(self, rate: float) -> None:
        """Call items new at another rate from the next item on."""
        self._rate = rate
        self._weigh()

    def keep(self, heirs: Mapping[int, int]) -> None:
        """Clusters came to an end: drop their memberships, or give them to the cluster that took them in.

        Args:
            heirs: for each announced cluster that a membership is of the one it goes by now, itself mostly; a cluster
                that is gone is not named.
        """
        fit = self.fit
        if fit is None or all(heirs.get(c) == c for c in fit.clusters.tolist()):
            return
        rows: dict[int, Float32s] = {}
        for c, row in zip(fit.clusters.tolist(), fit.members, strict=True):
            heir = heirs.get(c)
            if heir is not None and (
                heir == c or heir not in rows
            ):  # its own membership before an inherited one
                rows[heir] = row
        self.fit = StreamFit(
            weights=fit.weights,
            shares=fit.shares,
            members=np.array(list(rows.values()), dtype=np.float32).reshape(-1, fit.members.shape[1]),
            clusters=np.array(list(rows), dtype=np.int64),
            joins=fit.joins,
        )
        self._weigh()

    def _weigh(self) -> None:
        """Take the held-out items' distributions anew, under the fit and the rate."""
        fit = self.fit
        if fit is None:
            self._combined = Tail(-self._judged_p, np.full(len(self._judged_p), 1.0 / len(self._judged_p)))
            return
        mass = self._mass(fit.shares.astype(np.float64), self._judged_labels, self._judged_counts)
        self._ratios = Tail(_logits(self._judged, fit.weights[None])[:, 0], mass)
        if len(fit.clusters):
            self._odds = Tail(self._claims(self._judged, fit)[0], mass)
        case = self._case(self._judged_p, self._judged, fit)
        self._combined = Tail(-case.smallest, mass)


def _logits(features: Float16s, weights: Float32s) -> Float64s:
    """float16 (B, F) and float32 (m, F + 1) to float64 (B, m); sums along the last axis, the same bits everywhere."""
    x = features.astype(np.float64)
    w = weights.astype(np.float64)
    out = np.empty((len(x), len(w)))
    for row in range(len(w)):
        out[:, row] = (x * w[row, :-1]).sum(axis=1) + w[row, -1]
    return out


def _reach(items: Float32s, centre: Float64s) -> float:
    """Squared distance from the centre within which nine tenths of the items lie."""
    return float(np.quantile(np.square(items - centre).sum(axis=1), 0.9))


def _core_confusion(p: Float32s, labels: Int64s) -> Float64s:
    """float64 (K, K): of held-out items of class k (column), the share in the core of class j (row)."""
    K = p.shape[1]
    best = p.argmax(axis=1)
    in_core = p.max(axis=1) > _CORE
    out = np.zeros((K, K))
    np.add.at(out, (best[in_core], labels[in_core]), 1.0)
    return np.asarray(out / np.maximum(np.bincount(labels, minlength=K), 1), dtype=np.float64)


def _within_classes(items: Float32s, labels: Int64s) -> tuple[Float64s, bool]:
    """The Cholesky factor of the shrunk covariance within classes, for `cho_solve`."""
    x = items.astype(np.float64)
    for k in np.unique(labels).tolist():
        x[labels == k] -= x[labels == k].mean(axis=0)
    F = x.shape[1]
    covariance = x.T @ x / max(len(x), 1)
    trace = float(np.trace(covariance)) or float(F)
    shrunk = (1.0 - SHRINKAGE) * covariance + SHRINKAGE * trace / F * np.eye(F)
    factor, is_lower = cho_factor(shrunk)
    return factor, bool(is_lower)


def cores(nearest: Int64s, p: Float64s) -> Int32s:
    """int32 (B,): the class in whose core an item lies, -1 for none.

    Args:
        nearest: int64 (B,) class of the largest p-value.
        p: float64 (B,) that p-value.
    """
    return np.where(p > _CORE, nearest, -1).astype(np.int32)
