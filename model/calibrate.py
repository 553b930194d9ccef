"""Calibration: from embeddings of known items to what tells known from new.

Fitting items give the geometry, other items give the decision:

    z_fit  ──fit──►        prototypes m_k, whitener W, cluster space, features of the stream gate
    z_cal  ──calibrate──►  the gate's units, conformal scores of each class

**Score.** An average of known-class scores, each on one layer and in units of what is usual for known items
(`model/scores/gate.py`). Which, is `default_gate`'s to say where nobody asked for others.

**Decision.** Inductive conformal p-values (Vovk, Gammerman and Shafer 2005, ch. 2 and 4): among n scores of
held-out items of class k,

    p_k(z) = (1 + #{s_cal >= s_k(z)}) / (n + 1)

and for a fresh item of class k, exchangeable with these n, P(p_k <= rate) <= rate whatever the scores' distribution.
The largest p_k names the class; whether the item is new, its rank among held-out items decides (`overall_p`).

**Small classes.** With n scores no p-value is below 1 / (n + 1). A class with n < 1 / rate - 1 would
therefore accept everything, however far, and one with barely more would decide by its one or two most
extreme items. So a class uses its own scores when it has at least ceil(2 / rate) - 1 of them (at .02: 99),
where the threshold is the second most extreme; the others, the `pooled_labels`, use the true-class scores
of all classes together. What is promised for these is weaker: when all classes are pooled the rate holds
over all known items together, not class by class, and a class much wider than the rest has more than its
share of refusals.

**Cluster space.** The online clusterer works in the leading C principal directions of the fitting items, the layer
"output" left out, scaled so that the median over classes of the RMS distance to the class mean is 1: radii mean the
same in every bundle.

**Stream features.** The stream gate compares what streams by with the calibration items, in the leading F principal
directions of the standardised embedding, each divided by the square root of its own standard deviation: half-way
between raw directions, of which few would decide everything, and white ones, where noise has the same say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal

import numpy as np
from numpy.typing import NDArray

from model.bundle import EmbeddingSpec, KnownArrays, LayerSpec
from model.config import ConfigError, TrainConfig
from model.datasets import DataError
from model.networks import Embedder
from model.scores import Gate, LayerSlice, layer_slices
from model.scores.mahalanobis import SHRINKAGE, whitener

CLUSTER_RADIUS = 1.6
"""Radius of a micro-cluster, where known classes have RMS radius 1, if no rehearsal found another (rehearse.py)."""
STREAM_DIM = 96
"""F, at most: more features did not tell new classes better, and 48 did worse."""
MOST_CALIBRATION_EMBEDDINGS = 8000
"""Conformal scores count all calibration items; embeddings are kept of these many, every class in proportion."""
_REFERENCES_PER_CLASS = 100
_FEWEST_FOR_STREAM = 1500  # as service/clustering/stream_gate/constants.py has it
_FEWEST_FOR_STREAM_OF_CLASS = 60
_OUTPUT = "output"

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """What fitting items say about the known classes, rounded to what will be served.

    Attributes:
        prototypes: float32 (K, D), class means.
        counts: int64 (K,), fitting items of each class.
        class_whitener: float32 (D, D), W.
        cluster_mean: float32 (D,), the origin of the cluster space.
        cluster_projection: float32 (D, C).
        stream_mean: float32 (D,), the origin of the stream gate's features.
        stream_projection: float32 (D, F).
    """

    prototypes: Float32s
    counts: Int64s
    class_whitener: Float32s
    cluster_mean: Float32s
    cluster_projection: Float32s
    stream_mean: Float32s
    stream_projection: Float32s


def fit(
    z: Float32s,
    y: Int64s,
    *,
    cluster_dim: int,
    clustered: NDArray[np.bool_] | None = None,
    stream_dim: int = STREAM_DIM,
    shrinkage: float = SHRINKAGE,
) -> Geometry:
    """Fit prototypes, the whitener, the cluster space and the stream gate's features.

    Args:
        z: float32 (N, D), embeddings of fitting items.
        y: int64 (N,), classes 0..K-1, each present.
        cluster_dim: the largest C; fewer directions are kept where the items span fewer.
        clustered: bool (D,), which numbers of an embedding the cluster space is made of; None: all.
        stream_dim: the largest F, likewise.
        shrinkage: weight of the scaled identity in the covariance, above 0 and up to 1.

    Returns:
        The geometry.

    Raises:
        DataError: all embeddings of every class are the same point, in what is clustered: nothing was learnt.
    """
    z64 = z.astype(np.float64)
    counts = np.bincount(y).astype(np.int64)
    prototypes = np.stack([z64[y == k].mean(0) for k in range(len(counts))])
    mean = z64.mean(0)
    within = z64 - prototypes[y]
    around = z64 - mean
    seen = np.ones(z.shape[1]) if clustered is None else clustered.astype(np.float64)
    if not np.square(within * seen).sum() > 0:
        raise DataError(
            "All embeddings of a class are the same point, so nothing can be calibrated. "
            "Train longer, lower the learning rate, or choose another objective."
        )
    return Geometry(
        prototypes=prototypes.astype(np.float32),
        counts=counts,
        class_whitener=whitener(within, shrinkage).astype(np.float32),
        cluster_mean=mean.astype(np.float32),
        cluster_projection=_cluster_projection(around * seen, within * seen, y, cluster_dim).astype(
            np.float32
        ),
        stream_mean=mean.astype(np.float32),
        stream_projection=_stream_projection(around, stream_dim).astype(np.float32),
    )


def clustered_numbers(layers: Sequence[LayerSlice]) -> NDArray[np.bool_]:
    """Bool (D,): which numbers of an embedding the cluster space is made of: all but the output's, if there are others.

    The output is what the objective has bent to the known classes, and new ones run together there.
    """
    has_others = any(layer.name != _OUTPUT for layer in layers)
    seen = np.ones(max(layer.stop for layer in layers), dtype=np.bool_)
    for layer in layers:
        seen[layer.start : layer.stop] = layer.name != _OUTPUT or not has_others
    return seen


def default_gate(layers: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Which scores to average where nobody asked for others: (score, layer) of each part.

    Relative Mahalanobis distances on every layer: as good as any on images, far better on tables, where it takes a long
    tail for what it is, and quick (docs/decisions/018-layers-and-scores.md).
    """
    return tuple(("relative-mahalanobis", layer) for layer in layers)


def wanted_gate(asked: Sequence[str], layers: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Which scores to average: (score, layer) of each part.

    Args:
        asked: SCORE:LAYER, or SCORE for each layer, of known scores; none: `default_gate` decides.
        layers: of the embedding.

    Raises:
        ConfigError: one looks at a layer that is not in the embedding.
    """
    parts: list[tuple[str, str]] = []
    for part in asked:
        score, _, layer = part.partition(":")
        if layer and layer not in layers:
            raise ConfigError(f"gate has {part}, and the embedding has the layers {', '.join(layers)}")
        parts += [(score, one) for one in ([layer] if layer else layers)]
    return tuple(dict.fromkeys(parts)) or default_gate(layers)


def fewest_own_scores(known_error_rate: float) -> int:
    """Return how many calibration items a class needs to use its own scores; see the top of this file."""
    return math.ceil(2 / known_error_rate) - 1


def ranked(items: int, classes: int) -> int:
    """Return how many held-out items the service ranks a fresh one among: what bounds its p-values from below.

    It is told the embeddings of `MOST_CALIBRATION_EMBEDDINGS` at most, and where these are enough for a stream gate it
    keeps half of them from the gate's fits, to rank among (`service/clustering/stream_gate/held_out.py`).

    Args:
        items: calibration items of all known classes together.
        classes: K.
    """
    kept = items if items <= MOST_CALIBRATION_EMBEDDINGS else MOST_CALIBRATION_EMBEDDINGS - classes
    return kept // 2 if kept >= max(_FEWEST_FOR_STREAM, _FEWEST_FOR_STREAM_OF_CLASS * classes) else kept


def check_count(items: int, known_error_rate: float, *, classes: int) -> None:
    """Check that calibration can call anything new at all: worth knowing before a long training.

    Args:
        items: calibration items of all known classes together.
        known_error_rate: the rate to be useful at, above 0 and below 1.
        classes: K.

    Raises:
        DataError: 1 / (n + 1), the smallest p-value among the n that are ranked, is above the rate; the message names
            a rate that works.
    """
    n = ranked(items, classes)
    if 1 / (n + 1) > known_error_rate:
        fewest = math.ceil(1 / known_error_rate) - 1
        smallest = Context(prec=3, rounding=ROUND_CEILING).divide(Decimal(1), Decimal(n + 1))
        among = "" if n == items else f", of which {n} are ranked among"
        most = ranked(MOST_CALIBRATION_EMBEDDINGS, classes)
        add = "Add items, or raise" if fewest <= most else "So many are never ranked among: raise"
        raise DataError(
            f"There are {items} items to calibrate with{among}, and at a known error rate of {known_error_rate:g} "
            f"at least {fewest} are needed: a quarter of the known items. {add} the known "
            f"error rate to {smallest:f} or more."
        )


def calibrate(
    geometry: Geometry,
    gate: Gate,
    z_cal: Float32s,
    y_cal: Int64s,
    *,
    z_fit: Float32s,
    y_fit: Int64s,
    known_error_rate: float,
) -> tuple[KnownArrays, tuple[int, ...]]:
    """Add conformal scores and exemplars to a geometry.

    Args:
        geometry: of `fit`.
        gate: fitted to the fitting items, its units to the calibration items.
        z_cal: float32 (N, D), embeddings of items not used for fitting.
        y_cal: int64 (N,), their classes.
        z_fit: float32 (M, D), embeddings of the fitting items; the first 100 of each class become references.
        y_fit: int64 (M,), their classes.
        known_error_rate: the rate to be useful at, above 0 and below 1.

    Returns:
        The arrays of a bundle, and the classes that use pooled scores.

    Raises:
        DataError: too few calibration items in all for any to be called new at this rate.
    """
    classes = len(geometry.counts)
    strange = gate(z_cal)
    true_class = strange[np.arange(len(y_cal)), y_cal]
    calibration_scores, offsets, pooled = conformal_scores(
        true_class, y_cal, classes=classes, known_error_rate=known_error_rate
    )
    p = np.empty_like(strange)
    for k in range(classes):
        among = calibration_scores[offsets[k] : offsets[k + 1]]
        own = true_class if k in pooled else np.where(y_cal == k, true_class, np.nan)
        p[:, k] = conformal_p(strange[:, k], among, own=own)
    kept = in_proportion(y_cal, MOST_CALIBRATION_EMBEDDINGS)
    references = np.concatenate([np.flatnonzero(y_fit == k)[:_REFERENCES_PER_CLASS] for k in range(classes)])
    arrays = KnownArrays(
        prototypes=geometry.prototypes,
        counts=geometry.counts,
        class_whitener=geometry.class_whitener,
        gate=gate,
        calibration_scores=calibration_scores,
        calibration_offsets=offsets,
        calibration_embeddings=z_cal[kept],
        calibration_labels=y_cal[kept],
        calibration_p=p[kept].astype(np.float32),
        reference_embeddings=z_fit[references],
        reference_labels=y_fit[references],
        cluster_mean=geometry.cluster_mean,
        cluster_projection=geometry.cluster_projection,
        stream_mean=geometry.stream_mean,
        stream_projection=geometry.stream_projection,
    )
    return arrays, pooled


def conformal_scores(
    true_class: Float64s, y: Int64s, *, classes: int, known_error_rate: float
) -> tuple[Float32s, Int64s, tuple[int, ...]]:
    """Give every class the scores its p-values count among: its own, or the pooled ones.

    Args:
        true_class: float64 (N,), score of each calibration item for its own class.
        y: int64 (N,), that class.
        classes: K.
        known_error_rate: the rate to be useful at, above 0 and below 1.

    Returns:
        float32 (S,) scores, ascending within each class, int64 (K + 1,) offsets of the classes, and the
        classes that were given the pooled scores.

    Raises:
        DataError: too few items in all for any to be called new at this rate.
    """
    check_count(len(y), known_error_rate, classes=classes)
    pool = np.sort(true_class.astype(np.float32))
    parts, pooled = [], []
    for k in range(classes):
        own = np.sort(true_class[y == k].astype(np.float32))
        if len(own) < fewest_own_scores(known_error_rate):
            own = pool
            pooled.append(k)
        parts.append(own)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return np.concatenate(parts), offsets, tuple(pooled)


def p_values(stranger: Float64s, known: KnownArrays) -> Float64s:
    """Return the conformal p-value of each item for each class: scores (B, K) -> float64 (B, K) in (0, 1].

    The reference implementation, written to be read.
    """
    p = np.empty_like(stranger)
    for k in range(stranger.shape[1]):
        among = known.calibration_scores[known.calibration_offsets[k] : known.calibration_offsets[k + 1]]
        p[:, k] = conformal_p(stranger[:, k], among)
    return p


def overall_p(best: Float64s, known: KnownArrays) -> Float64s:
    """Return the share of known items that fit their best class as badly: (B,) largest p-values -> (B,) in (0, 1].

    An item that fits no class of its own may fit another, so the largest of K p-values is rarely small, and the more
    rarely the more classes there are: calling new what has none above a rate calls fewer known items new than that. So
    the largest p-value is ranked once more, among those of the calibration items.
    """
    held_out = np.sort(known.calibration_p.max(axis=1).astype(np.float64))
    as_small = np.searchsorted(held_out, best, side="right")
    return np.asarray((1 + as_small) / (len(held_out) + 1), dtype=np.float64)


def conformal_p(fresh: Float64s, calibration: Float32s, *, own: Float64s | None = None) -> Float64s:
    """Return (1 + #{calibration >= s}) / (n + 1) for each fresh s.

    Args:
        fresh: float64 (B,), scores.
        calibration: float32 (n,), ascending.
        own: float64 (B,), for an item that is among `calibration` itself the score it has there, which is left out
            of its count, so that its p-value is what it would have got as a fresh item; NaN for one that is not.
            None: none is.

    Returns:
        float64 (B,) in (0, 1].
    """
    # In float32, as the calibration scores are stored: an item must find itself.
    fresh32 = fresh.astype(np.float32)
    n = np.full(len(fresh), len(calibration))
    at_least = n - np.searchsorted(calibration, fresh32, side="left")
    if own is not None:
        n -= ~np.isnan(own)
        at_least -= own.astype(np.float32) >= fresh32  # never of a NaN
    return np.asarray((1 + at_least) / (n + 1), dtype=np.float64)


def in_proportion(y: Int64s, most: int) -> Int64s:
    """Positions of at most about `most` items, the first of every class in proportion, at least one of each."""
    if len(y) <= most:
        return np.arange(len(y))
    kept = []
    for k in np.unique(y).tolist():
        own = np.flatnonzero(y == k)
        kept.append(own[: max(1, len(own) * most // len(y))])
    return np.sort(np.concatenate(kept))


def _stream_projection(around: Float64s, stream_dim: int) -> Float64s:
    """Return standardised, half-whitened PCA directions: (N, D), mean 0 -> (D, F)."""
    spread = around.std(0)
    scale = np.where(spread > 0, spread, 1.0)
    standard = around / scale
    variances, axes = np.linalg.eigh(standard.T @ standard / len(standard))
    spanned = int((variances > variances[-1] * 1e-10).sum())
    kept = slice(None, -min(stream_dim, spanned) - 1, -1)
    return np.asarray(axes[:, kept] / variances[kept] ** 0.25 / scale[:, None], dtype=np.float64)


def _cluster_projection(around: Float64s, within: Float64s, y: Int64s, cluster_dim: int) -> Float64s:
    """Return PCA directions scaled to a median class RMS radius of 1: (N, D) twice, (N,) -> (D, C).

    Numbers that are 0 in `around` and `within` take no part.
    """
    variances, axes = np.linalg.eigh(around.T @ around / len(around))
    spanned = int((variances > variances[-1] * 1e-10).sum())
    directions = axes[:, ::-1][:, : min(cluster_dim, spanned)]
    squares = np.square(within @ directions).sum(1)
    radii = [math.sqrt(squares[y == k].mean()) for k in range(int(y.max()) + 1)]
    return np.asarray(directions / max(float(np.median(radii)), 1e-12), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrated:
    """A calibrated embedder: the arrays of a bundle, how embeddings are laid out, the classes with pooled scores."""

    known: KnownArrays
    embedding: EmbeddingSpec
    pooled: tuple[int, ...]


def calibrated(
    config: TrainConfig,
    embedder: Embedder,
    *,
    z_fit: Float32s,
    y_fit: Int64s,
    z_cal: Float32s,
    y_cal: Int64s,
    known_error_rate: float,
) -> Calibrated:
    """Fit geometry and gate as a run asks for, and calibrate them.

    Args:
        config: the run; its `gate` and `cluster_dim` count.
        embedder: says what layers an embedding has.
        z_fit, y_fit: float32 (N, D) and int64 (N,) of fitting items, classes 0..K-1, each present.
        z_cal, y_cal: the same of calibration items.
        known_error_rate: the rate to be useful at.

    Raises:
        ConfigError: the gate looks at a layer that is not in the embedding.
        DataError: too few items to calibrate with, or embeddings that do not differ.
    """
    embedding = EmbeddingSpec(
        layers=tuple(LayerSpec(name=layer, dim=embedder.net.widths[layer]) for layer in embedder.layers),
        norm="l2" if config.norm == "l2" else "none",
    )
    geometry = fit(
        z_fit, y_fit, cluster_dim=config.cluster_dim, clustered=clustered_numbers(layer_slices(embedding))
    )
    gate = Gate.fit(
        wanted_gate(config.gate, embedder.layers),
        layer_slices(embedding),
        z_fit=z_fit,
        y_fit=y_fit,
        z_cal=z_cal,
        y_cal=y_cal,
    )
    known, pooled = calibrate(
        geometry, gate, z_cal, y_cal, z_fit=z_fit, y_fit=y_fit, known_error_rate=known_error_rate
    )
    return Calibrated(known=known, embedding=embedding, pooled=pooled)
