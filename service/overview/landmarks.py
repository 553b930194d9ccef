"""Where an item lies on the map: a fixed function of its features, made once from the bundle.

The known classes stand around a circle, like beside like (`tour`). An item x lies at the mean of their places p_k,
weighted by how near it is to each (inverse distance weighting, Shepard 1968):

    w_k = (d_min / d_k)^4,     place(x) = sum_k w_k p_k / sum_k w_k,     d_k = |(features(x) - features(prototype_k)) A|

    A A^T = (.7 S + .3 mean(diag S) I)^-1,      S: the covariance of held-out items around their prototypes

An item of a class is drawn to its landmark at the rim. One that no class explains is about as far from several, and
lies inside, between those that it is like: the middle is the room for what is new, and each new class has a place of
its own there, for what it resembles is its own. What is far from everything lies near the centre.

A projection to two directions does not show that: the directions that part the known classes are not those that part
the new ones from them (docs/decisions/039-map.md has the figures). With one or two classes there is no circle; there
the first two features are shown, squashed.

The features are those of the stream gate (`service.clustering.stream_gate.features`): they see all layers of the
net, and they are in the log, so a place can be found again after a restart. Row by row: the place of an item does not
depend on the batch it came in. A place never changes, whatever comes.
"""

from functools import cached_property

import numpy as np

from model.bundle import KnownArrays
from service.clustering.stream_gate.features import FeatureSpace
from service.overview.tour import tour
from service.records import Float16s, Float32s, Float64s

_FALL = 2.0
"""Half the power by which a landmark's pull falls: it is applied to squares."""

_LEAST = 1e-6
"""Squared distances below this share of the squares are rounding."""

_SHRINKAGE = 0.3
"""Of the covariance, towards the same spread in every direction: held-out items are few, and features many."""

_FEWEST = 3
"""Classes of which a circle can be made."""

_AT_ONCE = 4096
"""Bounds the memory of placing, not its result."""


class Landmarks:
    """The map of a bundle. Made at first use: it places the bundle's held-out items.

    Args:
        known: The bundle's arrays.
    """

    def __init__(self, known: KnownArrays) -> None:
        self._known = known
        self._features = FeatureSpace(known)

    @property
    def classes(self) -> int:
        """K."""
        return len(self._known.prototypes)

    def features(self, z: Float32s) -> Float16s:
        """float32 (B, D) to float16 (B, F): what a place follows from."""
        return self._features.project(z)

    @cached_property
    def _whitener(self) -> Float32s:
        """A, float32 (F, F): after it the known classes spread about as much in each direction."""
        known = self._known
        own = self._features.project(known.prototypes).astype(np.float64)
        held_out = self._features.project(known.calibration_embeddings).astype(np.float64)
        around = held_out - own[known.calibration_labels]
        spread = around.T @ around / max(1, len(around))
        even = float(np.trace(spread)) / len(spread)
        if not even > 0:
            return np.eye(len(spread), dtype=np.float32)
        shrunk = (1 - _SHRINKAGE) * spread + _SHRINKAGE * even * np.eye(len(spread))
        return np.ascontiguousarray(np.linalg.inv(np.linalg.cholesky(shrunk)).T, dtype=np.float32)

    @cached_property
    def _prototypes(self) -> Float32s:
        """float32 (K, F), after A."""
        return _each(self._features.project(self._known.prototypes).astype(np.float32), self._whitener)

    @cached_property
    def rim(self) -> Float32s:
        """float32 (K, 2): each class's place on the circle of radius 1."""
        own = self._prototypes
        apart = np.stack([np.sqrt(np.square(own - one).sum(axis=1)) for one in own]).astype(np.float64)
        angles = np.empty(len(own))
        angles[tour(apart)] = 2 * np.pi * np.arange(len(own)) / max(1, len(own))
        return np.stack([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)

    def place(self, features: Float16s) -> Float32s:
        """float16 (B, F) to float32 (B, 2), within the circle of radius 1."""
        out = np.empty((len(features), 2), dtype=np.float32)
        for start in range(0, len(features), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            out[rows] = self._place(features[rows].astype(np.float32))
        return out

    def _place(self, x: Float32s) -> Float32s:
        if self.classes < _FEWEST:
            flat = np.zeros((len(x), 2), dtype=np.float32)
            width = min(2, x.shape[1])
            flat[:, :width] = x[:, :width] / self._width[:width]
            squashed: Float32s = flat / (1.0 + np.sqrt(np.square(flat).sum(axis=1, keepdims=True)))
            return squashed
        own, x = self._prototypes, _each(x, self._whitener)
        squares = np.square(x).sum(axis=1)[:, None] + np.square(own).sum(axis=1)
        away = np.maximum(squares - 2.0 * _each(x, own.T), _LEAST * (1.0 + squares))
        weights = (away.min(axis=1, keepdims=True) / away) ** _FALL
        return _each(weights / weights.sum(axis=1, keepdims=True), self.rim)

    @cached_property
    def _width(self) -> Float32s:
        """float32 (F,): twice the spread of each feature among held-out items."""
        held_out = self._features.project(self._known.calibration_embeddings).astype(np.float32)
        spread = 2.0 * held_out.std(axis=0)
        return np.where(spread > 0, spread, np.float32(1.0))

    @cached_property
    def discs(self) -> Float64s:
        """float64 (K, 3): the middle of each class's held-out items on the map, and within what half of them lie."""
        known = self._known
        held_out = self.place(self._features.project(known.calibration_embeddings))
        own = self.place(self._features.project(known.prototypes))
        discs = np.zeros((self.classes, 3))
        for k in range(self.classes):
            rows = held_out[known.calibration_labels == k]
            discs[k] = disc_of(rows if len(rows) else own[k : k + 1])
        return discs


def _each(x: Float32s, W: Float32s) -> Float32s:
    """The product x @ W, each row by itself: what it is does not depend on the others."""
    product: Float32s = np.matmul(x[:, None, :], W)[:, 0, :]
    return product


def disc_of(points: Float32s) -> Float64s:
    """float64 (3,): the middle of float32 (n, 2), n >= 1, coordinate by coordinate; within what half of them lie."""
    x, y = points.astype(np.float64).T
    middle = _median(x), _median(y)
    return np.array([*middle, _median(np.hypot(x - middle[0], y - middle[1]))])


def _median(values: Float64s) -> float:
    """As numpy's, which takes ten times as long for a few."""
    ordered = np.sort(values)
    half = len(values) // 2
    return float(ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2)
