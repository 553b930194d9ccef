"""A world with enough held-out items for the stream gate: known classes that overlap, and new ones among them.

0 .. 3   known, spheres of unit variance in 16 dimensions
HIDDEN   beside 0, where most of its items look known one by one
APART    where no known class is
FAR      where no other is, either
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering.engine import Engine, StepResult
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit
from service.records import Float32s
from service.state.packing import pack_items, pack_refit
from tests.service.known_of import known_of

LABELS = ("ant", "bee", "cow", "dog")
D, K = 16, 4
HIDDEN, APART, FAR = 4, 5, 6
RATE = 0.02
EVEN = (0.25, 0.25, 0.25, 0.25)
SHIFTED = (0.02, 0.08, 0.2, 0.7)
"""Shares of the known classes, as held out, and otherwise."""

PARAMS = EngineParams(clustering_threshold=1.6, known_error_rate=RATE)


@dataclass(frozen=True)
class Overlapping:
    """Draws items."""

    known: KnownArrays
    centers: NDArray[np.float64]

    def items(self, rng: np.random.Generator, which: NDArray[np.int64]) -> Float32s:
        """float32 (n, D): an item of each class named, int64 (n,)."""
        return (self.centers[which] + rng.normal(0.0, 1.0, (len(which), D))).astype(np.float32)

    def stream(
        self,
        rng: np.random.Generator,
        n: int,
        *,
        shares: tuple[float, ...] = EVEN,
        new: int = HIDDEN,
        at: float = 0,
    ) -> tuple[Float32s, NDArray[np.int64]]:
        """N items and their classes: known ones at these shares, and a share `at` of a new one."""
        which = np.where(rng.random(n) < at, new, rng.choice(K, n, p=shares))
        return self.items(rng, which), which


@functools.cache
def overlapping(held_out: int = 3000, seed: int = 0) -> Overlapping:
    """The world; made once."""
    rng = np.random.default_rng(seed)
    centers = np.zeros((7, D))
    centers[range(K), range(K)] = 3.0
    centers[HIDDEN, [0, 9]] = 3.0, 2.5
    centers[APART, 8], centers[FAR, 12] = 6.0, 7.0
    world = Overlapping(known=None, centers=centers)  # type: ignore[arg-type]
    y_fit, y_cal = np.repeat(np.arange(K), 200), np.arange(held_out) % K
    y_cal = rng.permutation(y_cal)
    z_fit, z_cal = world.items(rng, y_fit), world.items(rng, y_cal)
    known = known_of(z_fit, y_fit, z_cal, y_cal, rate=RATE)
    return Overlapping(known=known, centers=centers)


def engine(**changes: float | str | bool) -> Engine:
    """An engine on this world; parameters by keyword."""
    return Engine(overlapping().known, LABELS, PARAMS.with_changes(**changes))


class Driven:
    """An engine whose fits are made as they are due, with all that a log would hold."""

    def __init__(self, engine: Engine, *, lag: int = 0) -> None:
        """`lag`: batches that pass while a fit is made."""
        self.engine = engine
        self.log: list[tuple[int, bytes]] = []
        self.results: list[StepResult] = []
        self.fits: list[StreamFit] = []
        self._lag = lag
        self._under_way: tuple[int, StreamFit] | None = None

    def feed(self, z: Float32s, *, batch: int = 50, makes_fits: bool = True) -> list[StepResult]:
        """Step through z; what that gave, fits included."""
        before = len(self.results)
        for start in range(0, len(z), batch):
            self.step(z[start : start + batch])
            if makes_fits:
                self._tend()
        return self.results[before:]

    def step(self, z: Float32s) -> StepResult:
        """One batch; ids and times follow from the place in the stream."""
        engine = self.engine
        at = range(engine.seq, engine.seq + len(z))
        observed = engine.decide(z, tuple(f"i{n}" for n in at), np.array(at, dtype=np.float64))
        result = engine.apply(observed)
        self.log.append((observed.first_seq, pack_items(observed, result.verdicts)))
        self.results.append(result)
        return result

    def use(self, fit: StreamFit) -> StepResult:
        """Use a fit now."""
        seq = self.engine.seq
        result = self.engine.refit(fit)
        self.log.append((seq, pack_refit(fit)))
        self.fits.append(fit)
        self.results.append(result)
        return result

    def forget_fit(self) -> None:
        """Drop the fit under way, as who drives an engine does when it starts over."""
        self._under_way = None

    def _tend(self) -> None:
        if self._under_way is None and self.engine.is_fit_due:
            self._under_way = self._lag, self.engine.stream.solve(self.engine.fit_job())
        if self._under_way is not None:
            left, fit = self._under_way
            self._under_way = (left - 1, fit) if left else None
            if not left:
                self.use(fit)
