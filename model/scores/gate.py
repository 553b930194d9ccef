"""The gate's score: several known-class scores, each on its layer, brought to one unit and averaged.

    z ─┬─ layer 1 ─► score ─► (s - mean) / scale ─┐
       ├─ layer 2 ─► score ─► (s - mean) / scale ─┼─ average ─► s_k(z): (B, K), the larger, the stranger
       └─ ...                                     ┘

No score wins everywhere, and they err differently: where one layer has folded a new class into a known one, another
often has not. `mean` and `scale` are those of the score of held-out items for their own class, so a part is in units
of what is usual for known items, and each part has the same say. What the average means for an item is left to
conformal p-values, class by class (`model/calibrate.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.manifest import EmbeddingSpec, ScoreSpec
from model.scores.centre_radius import CentreRadius
from model.scores.energy import Energy
from model.scores.mahalanobis import Mahalanobis, RelativeMahalanobis
from model.scores.nearest_neighbour import NearestNeighbour
from model.scores.score import Float32s, Float64s, Int64s, Score

SCORES: dict[str, type[Score]] = {
    "relative-mahalanobis": RelativeMahalanobis,
    "mahalanobis": Mahalanobis,
    "nearest-neighbour": NearestNeighbour,
    "centre-radius": CentreRadius,
    "energy": Energy,
}

_SMALLEST_SCALE = 1e-9


@dataclass(frozen=True, kw_only=True)
class LayerSlice:
    """Where one layer lies in the concatenated embedding: its name, and z[:, start:stop]."""

    name: str
    start: int
    stop: int


def layer_slices(embedding: EmbeddingSpec) -> tuple[LayerSlice, ...]:
    """Where each layer lies in an embedding of this form."""
    ends = np.cumsum([layer.dim for layer in embedding.layers]).tolist()
    return tuple(
        LayerSlice(name=layer.name, start=end - layer.dim, stop=end)
        for layer, end in zip(embedding.layers, ends, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class _Part:
    spec: ScoreSpec
    layer: LayerSlice
    score: Score


class Gate:
    """The combined score; never changed once it is made."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = tuple(parts)

    @classmethod
    def fit(
        cls,
        wanted: Sequence[tuple[str, str]],
        layers: Sequence[LayerSlice],
        *,
        z_fit: Float32s,
        y_fit: Int64s,
        z_cal: Float32s,
        y_cal: Int64s,
    ) -> "Gate":
        """Fit the scores to fitting items, and their units to held-out ones.

        Args:
            wanted: (name of a score, name of a layer) of each part, at least one.
            layers: the layers of the embedding.
            z_fit, y_fit: float32 (N, D) and int64 (N,), classes 0..K-1, each present.
            z_cal, y_cal: the same of items that the fit has not seen, at least one.
        """
        by_name = {layer.name: layer for layer in layers}
        parts = []
        for kind, name in wanted:
            layer = by_name[name]
            # Through its arrays: what is calibrated is what will be served.
            fitted = SCORES[kind].fit(z_fit[:, layer.start : layer.stop], y_fit).arrays()
            score = SCORES[kind].from_arrays(fitted)
            held_out = z_cal[:, layer.start : layer.stop].astype(np.float64)
            own = score(held_out)[np.arange(len(y_cal)), y_cal]
            spec = ScoreSpec(
                score=kind,  # type: ignore[arg-type]  # a key of SCORES
                layer=name,
                mean=float(own.mean()),
                scale=max(float(own.std()), _SMALLEST_SCALE),
            )
            parts.append(_Part(spec=spec, layer=layer, score=score))
        return cls(parts)

    @classmethod
    def from_arrays(
        cls,
        specs: Sequence[ScoreSpec],
        layers: Sequence[LayerSlice],
        arrays: Mapping[str, NDArray[Any]],
    ) -> "Gate":
        """The gate that a bundle holds.

        Args:
            specs: of the manifest.
            layers: the layers of the embedding.
            arrays: of `arrays`.

        Raises:
            ValueError: the arrays are not those of such a gate; the message says which.
        """
        by_name = {layer.name: layer for layer in layers}
        parts = []
        left = set(arrays)
        for place, spec in enumerate(specs):
            prefix = f"{place}."
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            left -= {f"{prefix}{name}" for name in own}
            layer = by_name.get(spec.layer)
            if layer is None:
                raise ValueError(f"uses the layer {spec.layer!r}, which is not in the embedding")
            try:
                score = SCORES[spec.score].from_arrays(own)
            except ValueError as error:
                raise ValueError(f"in part {place} ({spec.score}) {error}") from error
            if score.dim != layer.stop - layer.start:
                width = layer.stop - layer.start
                raise ValueError(
                    f"in part {place} ({spec.score}) is for {score.dim} numbers; the layer {layer.name} has {width}"
                )
            parts.append(_Part(spec=spec, layer=layer, score=score))
        if left:
            raise ValueError(f"has an unknown array {min(left)!r}")
        if len({part.score.classes for part in parts}) != 1:
            raise ValueError("has parts for different numbers of classes")
        return cls(parts)

    def arrays(self) -> dict[str, Float32s]:
        """All of it by name, each name led by the place of its part: "0.means"."""
        return {
            f"{place}.{name}": array
            for place, part in enumerate(self._parts)
            for name, array in part.score.arrays().items()
        }

    @property
    def specs(self) -> tuple[ScoreSpec, ...]:
        """What the manifest says of it."""
        return tuple(part.spec for part in self._parts)

    @property
    def classes(self) -> int:
        """K."""
        return self._parts[0].score.classes

    def parts(self, z: Float32s) -> Float64s:
        """float32 (B, D) to float64 (P, B, K): what each part says, in its unit, in the order of `specs`."""
        found = np.empty((len(self._parts), len(z), self.classes))
        for out, part in zip(found, self._parts, strict=True):
            own = np.ascontiguousarray(z[:, part.layer.start : part.layer.stop], dtype=np.float64)
            out[:] = (part.score(own) - part.spec.mean) / part.spec.scale
        return found

    def __call__(self, z: Float32s) -> Float64s:
        """float32 (B, D) to float64 (B, K); larger is stranger. Each row by itself, to the last bit."""
        total = np.zeros((len(z), self.classes))
        for part in self._parts:
            own = np.ascontiguousarray(z[:, part.layer.start : part.layer.stop], dtype=np.float64)
            total += (part.score(own) - part.spec.mean) / part.spec.scale
        return total / len(self._parts)
