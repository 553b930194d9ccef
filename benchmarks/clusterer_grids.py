"""Who is compared, and what each may choose from.

Nobody is at a disadvantage by its settings: every peer has a grid of twelve, ours too, or eight where they take long,
is tried with all of them on every kind of stream, and is reported with what came out best there. Our DBSTREAM has the
same grid as river's. Lengths are multiples of one number, the median distance of two of the stream's first items; it
needs no truth. Those that must be told how many clusters there are (`told_k`) are told the true number, which nobody
knows in practice; those that begin at random places begin at the scale of the data. What the grids leave out, as the
weight from which on a micro-cluster counts, is set to what did best for the peer on most streams.
"""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from benchmarks.clusterer_peers import (
    BirchPeer,
    CapyMOAPeer,
    DenStreamPeer,
    IncrementalDBSCANPeer,
    MiniBatchKMeansPeer,
    Peer,
    RiverDenStream,
    RiverPeer,
)
from benchmarks.clusterers import Ours, Parameters
from benchmarks.streams import Float64s

FIRST = 200
"""Items by which the scale is measured, and with which those begin that cannot begin with one."""

Settings = dict[str, float]

_TWO_ITEMS = 1.5
"""Weight from which on a micro-cluster of DBSTREAM counts; DenStream's is beta times mu."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a peer may know of a stream beforehand.

    Attributes:
        d: Dimensions.
        k: True number of classes at any one time, for those that must be told.
        scale: Median distance of two of the first items.
        mean: Mean of all numbers of the first items.
        spread: Their standard deviation.
    """

    d: int
    k: int
    scale: float
    mean: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the comparison.

    Attributes:
        name: Of the package and its clusterer.
        module: What is imported; an entry without it is not measured.
        told_k: Whether it is told the true number of clusters.
        make: (facts, settings) -> a fresh model.
        grid: Each setting's values; `radius` in units of `Facts.scale`.
    """

    name: str
    module: str
    told_k: bool = False
    make: Callable[[Facts, Settings], Peer]
    grid: dict[str, tuple[float, ...]]

    def settings(self) -> Iterator[Settings]:
        """Every point of the grid."""
        for values in product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))

    def is_installed(self) -> bool:
        """Whether it can be measured here."""
        has_java = self.module != "capymoa" or shutil.which("java") is not None
        return has_java and importlib.util.find_spec(self.module) is not None


def facts_of(x: Float64s, k: int) -> Facts:
    """From the first items of float64 (N, d)."""
    first = x[:FIRST]
    apart = np.sqrt(np.square(first[:, None, :] - first[None, :, :]).sum(axis=-1))
    return Facts(
        d=first.shape[1],
        k=k,
        scale=float(np.median(apart[np.triu_indices(len(first), k=1)])),
        mean=float(first.mean()),
        spread=float(first.std()),
    )


def _ours(f: Facts, s: Settings) -> Peer:
    return Ours(
        Parameters(
            clustering_threshold=s["radius"] * f.scale,
            fading_factor=s["fading"],
            cleanup_interval=500,
            intersection_factor=s["intersection"],
            minimum_weight=_TWO_ITEMS,
        )
    )


def _river_dbstream(f: Facts, s: Settings) -> Peer:
    from river import cluster

    return RiverPeer(
        cluster.DBSTREAM(
            clustering_threshold=s["radius"] * f.scale,
            fading_factor=s["fading"],
            cleanup_interval=500,
            intersection_factor=s["intersection"],
            minimum_weight=_TWO_ITEMS,
        )
    )


def _river_denstream(f: Facts, s: Settings) -> Peer:
    from river import cluster

    return RiverDenStream(
        cluster.DenStream(
            epsilon=s["radius"] * f.scale,
            decaying_factor=s["fading"],
            beta=0.5,
            mu=3.0,
            n_samples_init=FIRST,
            stream_speed=100,
        )
    )


def _river_clustream(f: Facts, s: Settings) -> Peer:
    from river import cluster

    return RiverPeer(
        cluster.CluStream(
            n_macro_clusters=f.k,
            max_micro_clusters=int(s["micro_clusters"]),
            time_window=int(s["window"]),
            time_gap=25,
            halflife=s["halflife"],
            mu=f.mean,
            sigma=f.spread,
            seed=0,
        )
    )


def _river_stream_kmeans(f: Facts, s: Settings) -> Peer:
    from river import cluster

    return RiverPeer(
        cluster.STREAMKMeans(
            chunk_size=int(s["chunk"]),
            n_clusters=f.k,
            halflife=s["halflife"],
            mu=f.mean,
            sigma=f.spread,
            seed=0,
        )
    )


def _river_kmeans(f: Facts, s: Settings) -> Peer:
    from river import cluster

    return RiverPeer(
        cluster.KMeans(
            n_clusters=f.k,
            halflife=s["halflife"],
            mu=f.mean,
            sigma=s["start"] * f.spread,
            seed=int(s["seed"]),
        )
    )


def _mini_batch_kmeans(f: Facts, s: Settings) -> Peer:
    return MiniBatchKMeansPeer(
        k=f.k, reassignment_ratio=s["reassignment"], first=int(s["first"]), seed=int(s["seed"])
    )


def _birch(f: Facts, s: Settings) -> Peer:
    return BirchPeer(k=f.k, threshold=s["radius"] * f.scale, branching_factor=int(s["branching"]))


def _denstream(f: Facts, s: Settings) -> Peer:
    from denstream.den_stream import DenStream

    db = DenStream(epsilon=s["radius"] * f.scale, beta=0.5, mu=6, lambd=s["fading"], min_samples=1)
    db.model.n_jobs = 1
    return DenStreamPeer(db)


def _incremental_dbscan(f: Facts, s: Settings) -> Peer:
    from incdbscan import IncrementalDBSCAN

    db = IncrementalDBSCAN(eps=s["radius"] * f.scale, min_pts=int(s["min_points"]))
    return IncrementalDBSCANPeer(db, window=int(s["window"]))


def _moa(f: Facts, scale: float, make: Callable[[Any], Any]) -> Peer:
    """A clusterer of CapyMOA's that `make` makes of a schema."""
    from capymoa.core import LabeledInstance
    from capymoa.stream import NumpyStream

    schema = NumpyStream(
        np.zeros((1, f.d)), np.zeros(1, dtype=np.int64), dataset_name="stream", target_type="categorical"
    ).get_schema()
    return CapyMOAPeer(make(schema), lambda row: LabeledInstance.from_array(schema, row, 0), scale)


def _moa_clustream(f: Facts, s: Settings) -> Peer:
    from capymoa.cluster import Clustream_with_kmeans

    return _moa(
        f,
        1.0,
        lambda schema: Clustream_with_kmeans(
            schema,
            time_window=int(s["window"]),
            max_num_kernels=int(s["micro_clusters"]),
            kernel_radi_factor=s["radius_factor"],
            k_option=f.k,
        ),
    )


def _moa_denstream(f: Facts, s: Settings) -> Peer:
    from capymoa.cluster import Denstream_with_dbscan

    return _moa(
        f,
        f.scale,
        lambda schema: Denstream_with_dbscan(
            schema, epsilon=s["radius"], beta=0.5, mu=3, init_points=FIRST, lambda_option=s["fading"]
        ),
    )


_BALL = (0.15, 0.18, 0.25, 0.5, 0.55, 0.6)
"""Radius of a ball that holds items."""
_RMS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
"""Radius of a micro-cluster as the RMS distance of its items from their mean."""
_A_HUNDRED = (0.02, 0.1)
"""Fading a hundred items, where time goes by hundreds: half is left after 5,000, and after 1,000."""

ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="firstseen DBSTREAM",
        module="service",
        make=_ours,
        grid={"radius": _BALL, "intersection": (0.05, 0.3), "fading": (5e-4,)},
    ),
    Entry(
        name="river DBSTREAM",
        module="river",
        make=_river_dbstream,
        grid={"radius": _BALL, "intersection": (0.05, 0.3), "fading": (5e-4,)},
    ),
    Entry(
        name="river DenStream",
        module="river",
        make=_river_denstream,
        grid={"radius": _RMS, "fading": _A_HUNDRED},
    ),
    Entry(
        name="river CluStream",
        module="river",
        told_k=True,
        make=_river_clustream,
        grid={"micro_clusters": (50, 100, 200), "window": (500, 2000), "halflife": (0.2, 0.5)},
    ),
    Entry(
        name="river STREAMKMeans",
        module="river",
        told_k=True,
        make=_river_stream_kmeans,
        grid={"chunk": (50, 100, 200), "halflife": (0.05, 0.1, 0.2, 0.5)},
    ),
    Entry(
        name="river KMeans",
        module="river",
        told_k=True,
        make=_river_kmeans,
        grid={"halflife": (0.02, 0.1), "start": (0.3, 1.0), "seed": (0, 1, 2)},
    ),
    Entry(
        name="scikit-learn MiniBatchKMeans",
        module="sklearn",
        told_k=True,
        make=_mini_batch_kmeans,
        grid={"first": (100, 200), "reassignment": (0.0, 0.01), "seed": (0, 1, 2)},
    ),
    Entry(
        name="scikit-learn Birch",
        module="sklearn",
        told_k=True,
        make=_birch,
        grid={"radius": _RMS, "branching": (20, 50)},
    ),
    Entry(
        name="denstream DenStream",
        module="denstream",
        make=_denstream,
        grid={"radius": _RMS, "fading": (2e-4, 1e-3)},
    ),
    Entry(
        name="incdbscan IncrementalDBSCAN",
        module="incdbscan",
        make=_incremental_dbscan,
        grid={"radius": (0.15, 0.25, 0.45, 0.55), "min_points": (3, 5), "window": (1000,)},
    ),
    Entry(
        name="CapyMOA CluStream + k-means",
        module="capymoa",
        told_k=True,
        make=_moa_clustream,
        grid={"micro_clusters": (50, 100, 200), "window": (500, 2000), "radius_factor": (1, 2)},
    ),
    Entry(
        name="CapyMOA DenStream + DBSCAN",
        module="capymoa",
        make=_moa_denstream,
        grid={"radius": _RMS, "fading": _A_HUNDRED},
    ),
)
"""Ours first."""
