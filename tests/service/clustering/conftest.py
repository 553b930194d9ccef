"""A small world: three known Gaussian classes in eight dimensions, and where new ones may appear."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from model.bundle import KnownArrays
from model.calibrate import calibrate, fit
from model.scores import Gate, LayerSlice
from service.clustering.engine import Engine
from service.clustering.params import EngineParams

LABELS = ("ant", "bee", "cow")
D = 8
SPREAD = 0.3

MakeEngine = Callable[..., Engine]


@dataclass(frozen=True)
class World:
    """Draws items of known classes and of new ones."""

    known: KnownArrays
    centers: NDArray[np.float64]

    def items(
        self, rng: np.random.Generator, *, n: int, share_new: float = 0.0, new: int = 3
    ) -> NDArray[np.float32]:
        """float32 (n, D): items of known classes, a share of them of the new class number `new` (3 or more)."""
        which = np.where(rng.random(n) < share_new, new, rng.integers(0, 3, n))
        return (self.centers[which] + rng.normal(0, SPREAD, (n, D))).astype(np.float32)


@pytest.fixture(scope="session")
def world() -> World:
    """Known classes on three axes, new ones on the others."""
    rng = np.random.default_rng(7)
    centers = 3.0 * np.eye(D)
    y = np.repeat(np.arange(3), 400)
    z = (centers[y] + rng.normal(0, SPREAD, (len(y), D))).astype(np.float32)
    pick = rng.permutation(len(y))
    own, held = pick[:600], pick[600:]
    gate = Gate.fit(
        [("relative-mahalanobis", "output")],
        [LayerSlice(name="output", start=0, stop=D)],
        z_fit=z[own],
        y_fit=y[own],
        z_cal=z[held],
        y_cal=y[held],
    )
    known, _ = calibrate(
        fit(z[own], y[own], cluster_dim=D),
        gate,
        z[held],
        y[held],
        z_fit=z[own],
        y_fit=y[own],
        known_error_rate=0.02,
    )
    return World(known=known, centers=centers)


@pytest.fixture
def make_engine(world: World) -> MakeEngine:
    """An engine on this world; parameters by keyword."""

    def make(**changes: float | str) -> Engine:
        params = EngineParams(clustering_threshold=1.9).with_changes(**changes)
        return Engine(world.known, LABELS, params)

    return make
