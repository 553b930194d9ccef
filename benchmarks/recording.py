"""The demo's stream through the engine, item by item, with everything a picture needs.

The engine is the service's own, without the service around it: the same split, the same order of items and the
same parameters as `firstseen demo`, so the same clusters emerge at the same items.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.bundle import read_bundle
from service.cli.demo import HOLD_OUT, make_stream
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.embedding import Embedder
from service.events import EventKind


@dataclass(frozen=True, kw_only=True)
class Emergence:
    """A cluster was announced: `cluster`, at item number `at` (from 0), holding `items`."""

    cluster: int
    at: int
    items: int


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A stream as it was decided; N items, K known classes.

    Attributes:
        truth: N true classes.
        unseen: The classes that the net was not trained on.
        clusters: int64 (N,) -1 for a known class, 0 for an outlier, else the cluster given as verdict.
        points: float64 (N, 2) cluster space, seen along the two principal axes of the middles of all classes,
            known and found.
        landmarks: float64 (K, 2) the known classes' prototypes there.
        labels: K names.
        emergences: In order.
    """

    truth: tuple[str, ...]
    unseen: tuple[str, ...]
    clusters: NDArray[np.int64]
    points: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    labels: tuple[str, ...]
    emergences: tuple[Emergence, ...]


def record(bundle_dir: Path, *, seed: int) -> Recording:
    """Replay the demo's stream of this seed.

    Args:
        bundle_dir: A bundle of digits trained without 3 and 7.
        seed: That of the demo.

    Raises:
        BundleError: It is no sound bundle.
    """
    bundle = read_bundle(bundle_dir)
    calibration = bundle.manifest.calibration
    params = EngineParams(
        known_error_rate=calibration.known_error_rate, clustering_threshold=calibration.cluster_radius
    )
    engine = Engine(bundle.known, bundle.manifest.labels, params)
    stream = make_stream(seed)
    shape = bundle.manifest.input.shape
    scale = np.float32(bundle.manifest.input.maximum - bundle.manifest.input.minimum)
    x = np.array([item["x"] for item in stream.items], dtype=np.float32).reshape(-1, *shape)
    z = Embedder(bundle, device="cpu", threads=1).embed((x - bundle.manifest.input.minimum) / scale)

    engine.configure(params)  # the first entry of every log; it takes a place in the stream
    clusters: list[int] = []
    emergences: list[Emergence] = []
    for n, item in enumerate(stream.items):
        result = engine.step(z[n : n + 1], (item["id"],), np.array([float(n)]))
        verdict = result.verdicts[0]
        clusters.append(-1 if verdict.label is not None else verdict.cluster_id or 0)
        emergences += [
            Emergence(cluster=event.cluster.id, at=n, items=event.cluster.items)
            for event in result.events
            if event.kind in (EventKind.EMERGED, EventKind.SPLIT)
        ]
    landmarks = engine.space.project(bundle.known.prototypes)
    points = engine.space.project(z)
    given = np.array(clusters, dtype=np.int64)
    middles = [points[given == cluster].mean(axis=0) for cluster in np.unique(given[given > 0])]
    view = _widest(np.array([*landmarks, *middles * 3]))  # the found ones are what is to be seen
    return Recording(
        truth=tuple(stream.truth[item["id"]] for item in stream.items),
        unseen=HOLD_OUT,
        clusters=given,
        points=points @ view,
        landmarks=landmarks @ view,
        labels=bundle.manifest.labels,
        emergences=tuple(emergences),
    )


def _widest(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 (C, 2): the two principal axes of (n, C), signs fixed so that the picture does not flip."""
    _, _, axes = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    view: NDArray[np.float64] = axes[:2].T
    signs = np.sign(view[np.abs(view).argmax(axis=0), np.arange(2)])
    turned: NDArray[np.float64] = view * signs
    return turned
