"""Who is compared in the discovery benchmark, and what each may choose from.

firstseen has one set of defaults for all data, and no grid. Every peer has a grid, searched anew for each group of
cells, on the group's design streams and by the figure that it is then judged by (`discovery_choice.py`). Lengths are in
units of the cluster space, where the median known class has an RMS radius of 1; MINAS has `clusters` for each known
class, ECSMiner-WF so many times the known classes in all. What the grids leave out made little difference.

streamndr (PyPI, BSD-3) has MINAS and ECSMiner-WF, which need no labels while the stream goes by. It is measured where
it is installed, and left out, and said to be, where not:

    pip install --no-deps streamndr pandas        # pandas is all that it needs beside what firstseen has
    pip install clusopt-core                      # for MINAS with CluStream, as in its README: needs g++ and
                                                  # the headers of Boost.Thread (libboost-thread-dev)
"""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

from benchmarks.discovery_cells import Cell
from benchmarks.discovery_peers import (
    Alone,
    Answers,
    AtLeast,
    BehindGate,
    Classifier,
    MacroClusters,
    OneByOne,
    learnt_before,
)

Settings = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A peer.

    Attributes:
        name: Of the package and its method.
        module: What is imported; without it the entry is not measured.
        how: How to install it.
        make: (cell, settings) -> a peer that knows the known classes and nothing of the stream.
        grid: Each setting's values.
    """

    name: str
    module: str
    how: str = "comes with firstseen"
    make: Callable[[Cell, Settings], Answers]
    grid: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def settings(self) -> Iterator[Settings]:
        """Every point of the grid."""
        for values in product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))

    def is_installed(self) -> bool:
        """Whether it can be measured here."""
        return importlib.util.find_spec(self.module) is not None


def _dbstream(s: Settings) -> MacroClusters:
    from river import cluster

    return MacroClusters(
        cluster.DBSTREAM(
            clustering_threshold=s["radius"],
            fading_factor=5e-4,
            cleanup_interval=500,
            intersection_factor=s["intersection"],
            minimum_weight=s["weight"],
        )
    )


def _denstream(s: Settings) -> MacroClusters:
    from river import cluster

    return MacroClusters(
        cluster.DenStream(
            epsilon=s["radius"],
            decaying_factor=0.02,
            beta=0.5,
            mu=s["mu"],
            n_samples_init=50,
            stream_speed=100,
        )
    )


def _minas(cell: Cell, s: Settings) -> Answers:
    from streamndr.model import Minas

    detector = Minas(
        kini=int(s["clusters"]),
        cluster_algorithm="kmeans",
        random_state=0,
        min_short_mem_trigger=int(s["trigger"]),
        min_examples_cluster=int(s["trigger"] // 5),
        threshold_strategy=1,
        threshold_factor=1.1,
        window_size=int(s["window"]),
    )
    return Classifier(cell, AtLeast(detector, int(s["clusters"])))


def _ecsminer_wf(cell: Cell, s: Settings) -> Answers:
    from streamndr.model import ECSMinerWF

    ensemble = int(s["ensemble"])
    detector = ECSMinerWF(
        # Of each part that a model of the ensemble is made of.
        K=min(int(s["clusters"] * len(cell.labels)), len(learnt_before(cell)[1]) // ensemble),
        min_examples_cluster=int(s["examples"]),
        ensemble_size=ensemble,
        random_state=0,
        init_algorithm="kmeans",
    )
    return Classifier(cell, OneByOne(detector))


_BALL = (0.8, 1.1, 1.5, 1.9)
"""Radius of a micro-cluster of what the gate refuses: little is there, and it lies far apart."""
_SMALL_BALL = (0.5, 0.65, 0.8, 1.1)
"""... of everything: the known classes are to come apart, too."""
_RMS = (0.3, 0.5, 0.7, 1.0)
_SMALL_RMS = (0.15, 0.25, 0.35, 0.5)
"""The same, as DenStream measures: the RMS distance of a micro-cluster's items from their mean."""
_RATES = (0.02, 0.05, 0.1)
_HOW = "pip install --no-deps streamndr pandas"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="river DBSTREAM behind the gate",
        module="river",
        make=lambda cell, s: BehindGate(cell, _dbstream(s), rate=s["rate"]),
        grid={"radius": _BALL, "intersection": (0.05, 0.3), "weight": (2.0, 6.0), "rate": _RATES},
    ),
    Entry(
        name="river DenStream behind the gate",
        module="river",
        make=lambda cell, s: BehindGate(cell, _denstream(s), rate=s["rate"]),
        grid={"radius": _RMS, "mu": (3.0, 5.0, 10.0), "rate": _RATES},
    ),
    Entry(
        name="river DBSTREAM alone",
        module="river",
        make=lambda cell, s: Alone(cell, _dbstream(s)),
        grid={"radius": _SMALL_BALL, "intersection": (0.05, 0.3), "weight": (4.0,)},
    ),
    Entry(
        name="river DenStream alone",
        module="river",
        make=lambda cell, s: Alone(cell, _denstream(s)),
        grid={"radius": _SMALL_RMS, "mu": (3.0, 5.0)},
    ),
    Entry(
        name="streamndr MINAS",
        module="streamndr",
        how=_HOW,
        make=_minas,
        grid={"clusters": (4.0, 10.0, 30.0), "trigger": (30.0, 50.0, 100.0), "window": (600.0, 2000.0)},
    ),
    Entry(
        name="streamndr ECSMiner-WF",
        module="streamndr",
        how=_HOW,
        make=_ecsminer_wf,
        grid={"clusters": (3.0, 6.0), "examples": (10.0, 30.0), "ensemble": (3.0, 6.0)},
    ),
)
