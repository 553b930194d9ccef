"""The stream gate of one stream: its window, its latest fit, and what follows from that for an item."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering.logistic import log_odds
from service.clustering.state_check import demand, within
from service.clustering.stream_gate import constants, held_out
from service.clustering.stream_gate.features import FeatureSpace
from service.clustering.stream_gate.fitting import Fitter
from service.clustering.stream_gate.membership import claims
from service.clustering.stream_gate.records import FitJob, Judged, StreamFit
from service.clustering.stream_gate.tail import Tail
from service.clustering.stream_gate.window import Recent, Window
from service.records import NO_CLUSTER, Bools, Float16s, Float32s, Float64s, Int32s, Int64s

_FIT = ("weights", "shares", "members", "clusters", "joins")
_NOTHING = Tail(np.zeros(1), np.ones(1))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """float64 (B,) the smallest of an item's p-values; int64 (B,) the cluster that claims it."""

    smallest: Float64s
    clusters: Int64s


class StreamGate:
    """Window and latest fit of one stream; mutable, owned by the engine. What never changes comes from the bundle.

    Args:
        known: a bundle's arrays.
        rate: at which items of known classes may be called new.
    """

    def __init__(self, known: KnownArrays, rate: float) -> None:
        self._space = FeatureSpace(known)
        self._rate = rate
        fitted, self._judged = held_out.halves(known, self._space)
        self._fitter = Fitter(known, fitted)
        self.is_on = held_out.are_enough(known)
        self._window = Window(self._space.dim)
        self._since_fit = 0
        self.fit: StreamFit | None = None
        self._ratios, self._odds, self._combined = _NOTHING, _NOTHING, _NOTHING
        self._weigh()

    # What an item looks like

    def features(self, z: Float32s) -> Float16s:
        """float32 (B, D) to float16 (B, F): what is kept of an item."""
        return self._space.project(z)

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

    @property
    def judged(self) -> Int64s:
        """int64: the places of the held-out items that no fit sees."""
        return self._judged.places

    def refused_held_out(self) -> Bools:
        """Bool (len(judged),): which of the held-out items that no fit sees are refused now."""
        if self.fit is None:
            return np.asarray(self._combined.p_values(-self._judged.p) <= self._rate, dtype=np.bool_)
        case = self._case(self._judged.p, self._judged.features, self.fit)
        return np.asarray(self._combined.p_values(-case.smallest) <= self._rate, dtype=np.bool_)

    def _case(self, p_item: Float64s, features: Float16s, fit: StreamFit) -> _Case:
        ratio = log_odds(features, fit.weights[None])[:, 0]
        p_stream = self._ratios.p_values(ratio)
        has_case = ratio > math.log(constants.LEAST_RATIO)
        smallest = np.minimum(p_item, np.where(has_case, p_stream, np.maximum(p_stream, self._rate)))
        if not len(fit.clusters):
            return _Case(smallest=smallest, clusters=np.zeros(len(p_item), dtype=np.int64))
        largest, best = claims(features, fit)
        p_member = self._odds.p_values(largest)
        smallest = np.minimum(smallest, np.where(largest > 0.0, p_member, np.maximum(p_member, self._rate)))
        return _Case(smallest=smallest, clusters=np.where(largest > 0.0, fit.clusters[best], NO_CLUSTER))

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
        fitted = [] if self.fit is None else self.fit.clusters.tolist()
        # Those never fitted first, then the longest unfitted: a fit appends what it refreshes.
        waiting = sorted(enough, key=lambda c: fitted.index(c) if c in fitted else -1)
        return FitJob(
            features=recent.features,
            cores=recent.cores,
            clusters=clusters,
            refused=recent.births != 0,
            refreshed=tuple(waiting[: constants.REFRESHED]),
            before=self.fit,
        )

    def solve(self, job: FitJob) -> StreamFit:
        """Make a fit. Changes nothing, and may run beside everything else; takes 10 to 40 ms."""
        return self._fitter.solve(job)

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
            # Its own membership comes before one it inherits.
            if heir is not None and (heir == c or heir not in rows):
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
        fit, judged = self.fit, self._judged
        if fit is None:
            self._combined = Tail(-judged.p, np.full(len(judged.p), 1.0 / len(judged.p)))
            return
        mass = judged.mass(fit.shares.astype(np.float64))
        self._ratios = Tail(log_odds(judged.features, fit.weights[None])[:, 0], mass)
        if len(fit.clusters):
            self._odds = Tail(claims(judged.features, fit)[0], mass)
        case = self._case(judged.p, judged.features, fit)
        self._combined = Tail(-case.smallest, mass)

    # State

    def state(self) -> dict[str, NDArray[Any]]:
        """Window and latest fit as flat arrays; equal states give equal arrays. See `restore`.

        features: float16 (n, F), oldest first; cores: int32 (n,); births: int64 (n,); since_fit: int64 (1,); and of a
        fit, if there is one, the fields of `StreamFit`.
        """
        recent = self._window.recent()
        fit = {} if self.fit is None else {f"fit.{name}": getattr(self.fit, name) for name in _FIT}
        return {
            "features": recent.features,
            "cores": recent.cores,
            "births": recent.births,
            "since_fit": np.array([self._since_fit], dtype=np.int64),
            **fit,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a stored state, as if nothing had happened, to the bit.

        Raises:
            SnapshotUnreadable: no stream gate of this bundle has such a state.
        """
        F, K = self._space.dim, len(self._judged.counts)
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
        demand(n <= constants.WINDOW and within(arrays["cores"], -1, K), "the stream gate's window")
        demand(within(arrays["births"], 0, 2**62) and within(arrays["since_fit"], 0, 2**62), "its counts")
        self._window.fill(Recent(**{name: arrays[name] for name in ("features", "cores", "births")}))
        self._since_fit = int(arrays["since_fit"][0])
        self.fit = None
        self._weigh()
        if has_fit:
            demand(bool((arrays["fit.shares"] >= 0).all()), "the stream gate's shares")
            demand(len(np.unique(arrays["fit.clusters"])) == m, "the stream gate's clusters")
            self.fit = StreamFit(**{name: arrays[f"fit.{name}"] for name in _FIT})
            self._weigh()
