"""Leaving known classes out: how a run would meet a class it has never seen, before there is one.

What decides over a run is how it meets classes to come, and there are none to measure with. But a known class
that a net was not shown is as new to that net as tomorrow's is to the bundle's:

    fitting items of the K known classes
      ├─ a quarter of the classes ──────────────────────────► left out: new to this fold's net
      └─ the others ─┬─ two thirds of each ─► train, geometry
                     └─ one third ─────────────────────────► fresh: known to it, and not fitted on

Each fold leaves other classes out, until all have been; a class is left out twice only after every class was once.
Closed-set accuracy is not looked at: nets that separate their known classes further do worse on those that
they do not know.

Only fitting items take part. The items that calibrate the bundle and those that its card is measured on have no
say in how it was made, nor have the classes of `hold_out`, which not even the folds see.

**When to stop.** In the final run no class is left out and nothing can tell when to stop it. So the folds tell: each
of their nets is measured along the way, and the share of the schedule at which the chosen run did best is where the
final one stops. The whole schedule is preferred, by the rule of `model/choice.py`: a learning rate that was not
let down to 0 leaves a net where its last steps threw it.

**Too few classes.** With fewer than five that have 12 fitting items or more, a fold would learn from three at most,
and what it shows is about other nets than the final one. Then the first candidate is taken: whoever asked gave it,
or it is what did best on other data (docs/decisions/014-objectives.md). The choice says so.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.calibrate import default_gate, fit
from model.choice import Choice, Met, Tried, explain, named, preferred
from model.config import TrainConfig
from model.datasets import LabelledData
from model.datasets.split import Split
from model.evaluate import auroc, cluster_accuracy, oracle_clusters
from model.inputs import scale
from model.manifest import EmbeddingSpec, LayerSpec
from model.networks import Embedder, Network
from model.scores import Gate, layer_slices
from model.train import Progress, known_classes, layers_of, train

FEWEST_CLASSES = 5
STOPS = (0.4, 0.6, 0.8, 1.0)
"""Shares of the schedule at which a fold's net is measured."""
_LEFT_OUT_SHARE = 0.25
_FEWEST_ITEMS = 12  # of which two thirds, 8, are fitted on: as many as training asks for
_MOST_ITEMS = 3000  # of each kind that a fold's net is judged by
_BATCH = 512
_SHORTEST = 1e-12

Float32s = NDArray[np.float32]
Int64s = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One way to leave classes out.

    Attributes:
        left_out: their labels, in the data set's order.
        split: `fit` and `fresh` of the other classes, `unseen` of these, each in random order; nothing
            calibrates.
    """

    left_out: tuple[str, ...]
    split: Split


@dataclass(frozen=True, kw_only=True)
class Jury:
    """The items a fold's net is judged by.

    Attributes:
        x: float32 (N, *shape), scaled: fitted items, then fresh ones, then those of left-out classes.
        y: int64 (N,): classes 0..K-1 of the former two, from 0 again of the latter.
        fit, fresh, unseen: which rows are which.
        cluster_dim: C of the cluster space, or less where the embedding has less.
    """

    x: Float32s
    y: Int64s
    fit: slice
    fresh: slice
    unseen: slice
    cluster_dim: int


def folds(data: LabelledData, items: Int64s, *, count: int, seed: int) -> tuple[Fold, ...]:
    """Leave a quarter of the known classes out, several times over.

    Args:
        data: gives labels and classes.
        items: int64, positions of the fitting items; no others are used.
        count: folds to make, at least 1.
        seed: decides which classes go together and which items are fresh.

    Returns:
        `count` folds; none where fewer than `FEWEST_CLASSES` classes have 12 items, and without classes that
        have fewer. A quarter is rounded; it is two classes or more where six are known, so that they can be
        told from each other.
    """
    of_class = {k: items[data.y[items] == k] for k in np.unique(data.y[items]).tolist()}
    enough = [k for k, own in of_class.items() if len(own) >= _FEWEST_ITEMS]
    K = len(enough)
    if K < FEWEST_CLASSES:
        return ()
    size = 1 if K == FEWEST_CLASSES else max(2, round(_LEFT_OUT_SHARE * K))
    rng = np.random.default_rng([seed, K])
    times = np.zeros(K, dtype=np.int64)
    made = []
    for _ in range(count):
        order = rng.permutation(K)
        chosen = order[np.argsort(times[order], kind="stable")[:size]]  # those left out least often so far
        times[chosen] += 1
        left_out = sorted(enough[position] for position in chosen.tolist())
        made.append(_fold(data, {k: of_class[k] for k in enough}, left_out, seed=seed))
    return tuple(made)


def choose(
    candidates: Sequence[TrainConfig],
    data: LabelledData,
    items: Int64s,
    progress: Progress,
    *,
    count: int = 3,
    effort: float = 1.0,
) -> Choice:
    """Choose a run by how its nets meet left-out classes.

    Candidates that differ only in what the embedding is (layer, norm) share their trainings.

    Args:
        candidates: at least one, in the order of preference, with one seed, `stop_at` at 1.
        data: the whole data set, raw values.
        items: int64, positions of the fitting items of the known classes; nothing else of `data` is read.
        progress: told of the stage "choose", once an epoch, and what was taken at the end.
        count: folds.
        effort: epochs of a fold's run as a share of the final one's, above 0 and up to 1.

    Returns:
        The choice; the first candidate, and why, where there are too few classes.

    Raises:
        ConfigError, DataError, TrainingError: as `model.train.train`.
    """
    seed = candidates[0].seed
    made = folds(data, items, count=count, seed=seed)
    if not made:
        progress("choose", 1, 1, "too few classes to leave any out")
        return _too_few(candidates[0])
    runs = list(dict.fromkeys(_run_of(candidate) for candidate in candidates))
    short = [dataclasses.replace(run, epochs=max(1, round(effort * run.epochs))) for run in runs]
    found: dict[TrainConfig, list[Met]] = {}
    total, done = len(made) * sum(run.epochs for run in short), 0
    for number, fold in enumerate(made):
        for run, shorter in zip(runs, short, strict=True):
            asked = [candidate for candidate in candidates if _run_of(candidate) == run]
            seeded = dataclasses.replace(shorter, seed=seed + number)
            report = _Part(progress, done, total, f"fold {number + 1} of {len(made)}, {run.objective}")
            for config, met in _simulate(seeded, asked, data, fold, report).items():
                found.setdefault(config, []).append(met)
            done += seeded.epochs
    tried = {config: Tried(config=config, met=tuple(met)) for config, met in found.items()}
    full = [tried[candidate] for candidate in candidates]
    taken = full[preferred(full)].config
    stops = [tried[key] for stop in reversed(STOPS) if (key := _stopped(taken, stop)) in tried]
    winner = stops[preferred(stops)].config
    progress("choose", total, total, f"took {named(taken, candidates)}")
    left_out = tuple(fold.left_out for fold in made)
    return Choice(
        winner=winner,
        tried=(*full, *stops[1:]),
        left_out=left_out,
        reasons=explain(full, stops, taken=taken, winner=winner, left_out=left_out),
    )


def measure(
    net: Network, jury: Jury, layers: Sequence[tuple[str, ...]], *, norm: str, seed: int
) -> list[Met]:
    """Measure how a net meets the classes it was not shown, under several choices of the embedding.

    Args:
        net: in eval mode, on any device.
        jury: the items to judge by.
        layers: for each choice, the layers that are the embedding.
        norm: "l2" brings each layer to length one before they are joined, "none" leaves them.
        seed: of k-means.

    Returns:
        One entry a choice. Strangeness is the bundle's: the smallest score over the classes.
    """
    outputs = _outputs(net, jury.x, sorted({layer for chosen in layers for layer in chosen}))
    met = []
    for chosen in layers:
        z = joined([outputs[layer] for layer in chosen], norm=norm)
        z_unseen, y_unseen = z[jury.unseen], jury.y[jury.unseen]
        geometry = fit(z[jury.fit], jury.y[jury.fit], cluster_dim=jury.cluster_dim)
        slices = layer_slices(_embedding(net, chosen))
        gate = Gate.fit(
            default_gate(chosen, classes=len(geometry.counts)),
            slices,
            z_fit=z[jury.fit],
            y_fit=jury.y[jury.fit],
            z_cal=z[jury.fresh],
            y_cal=jury.y[jury.fresh],
        )
        told = auroc(gate(z[jury.fresh]).min(1), gate(z_unseen).min(1))
        apart = None
        if (classes := len(np.unique(y_unseen))) > 1:
            points = (z_unseen - geometry.cluster_mean) @ geometry.cluster_projection
            apart = cluster_accuracy(y_unseen, oracle_clusters(points, clusters=classes, seed=seed))
        met.append(Met(auroc=told, cluster_accuracy=apart))
    return met


def _embedding(net: Network, layers: Sequence[str]) -> EmbeddingSpec:
    return EmbeddingSpec(
        layers=tuple(LayerSpec(name=layer, dim=net.widths[layer]) for layer in layers), norm="l2"
    )


def joined(parts: Sequence[Float32s], *, norm: str) -> Float32s:
    """Join layers to an embedding: float32 (N, H_1), (N, H_2), ... -> float32 (N, H_1 + H_2 + ...)."""
    if norm == "none":
        return np.concatenate(parts, axis=1)
    lengths = [np.linalg.norm(part, axis=1, keepdims=True).clip(min=_SHORTEST) for part in parts]
    return np.concatenate([part / length for part, length in zip(parts, lengths, strict=True)], axis=1)


def jury_of(data: LabelledData, fold: Fold, *, cluster_dim: int) -> Jury:
    """Call up to 3000 items of each kind of a fold."""
    parts = [part[:_MOST_ITEMS] for part in (fold.split.fit, fold.split.fresh, fold.split.unseen)]
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return Jury(
        x=scale(data.x[np.concatenate(parts)], data.input),
        y=np.concatenate([known_classes(data, part)[1] for part in parts]),
        fit=slice(0, ends[0]),
        fresh=slice(ends[0], ends[1]),
        unseen=slice(ends[1], ends[2]),
        cluster_dim=cluster_dim,
    )


class _Part:
    """Progress of one training as a part of the choice's."""

    def __init__(self, progress: Progress, before: int, total: int, note: str) -> None:
        self._progress, self._before, self._total, self._note = progress, before, total, note

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:  # noqa: ARG002
        self._progress("choose", self._before + done, self._total, self._note)


def _simulate(
    run: TrainConfig, asked: Sequence[TrainConfig], data: LabelledData, fold: Fold, progress: Progress
) -> dict[TrainConfig, Met]:
    """Train on a fold and measure along the way, for every asked candidate as stopped there."""
    jury = jury_of(data, fold, cluster_dim=run.cluster_dim)
    at = {max(1, round(stop * run.epochs)): stop for stop in STOPS}  # of stops at one epoch the last is kept
    found: dict[TrainConfig, Met] = {}

    def watch(epoch: int, embedder: Embedder) -> None:
        if epoch not in at:
            return
        for norm in dict.fromkeys(candidate.norm for candidate in asked):
            alike = [candidate for candidate in asked if candidate.norm == norm]
            layers = [layers_of(candidate, embedder.net) for candidate in alike]
            measured = measure(embedder.net, jury, layers, norm=norm, seed=run.seed)
            found.update(
                (_stopped(candidate, at[epoch]), met) for candidate, met in zip(alike, measured, strict=True)
            )

    train(run, data, fold.split, progress, watch=watch)
    return found


def _run_of(candidate: TrainConfig) -> TrainConfig:
    """Return what of a candidate decides its training: the embedding is taken from the net afterwards."""
    return dataclasses.replace(candidate, layers=(), norm="l2", gate=())


def _stopped(candidate: TrainConfig, stop: float) -> TrainConfig:
    return dataclasses.replace(candidate, stop_at=stop)


def _outputs(net: Network, x: Float32s, layers: Sequence[str]) -> dict[str, Float32s]:
    """Run a net once and keep some layers: float32 (N, *shape) -> {layer: float32 (N, H)}."""
    device = next(net.parameters()).device
    kept: dict[str, list[Float32s]] = {layer: [] for layer in layers}
    with torch.inference_mode():
        for start in range(0, len(x), _BATCH):
            out = net.layers(torch.from_numpy(x[start : start + _BATCH]).to(device))
            for layer, rows in kept.items():
                rows.append(out[layer].cpu().numpy())
    return {layer: np.concatenate(rows) for layer, rows in kept.items()}


def _fold(data: LabelledData, of_class: Mapping[int, Int64s], left_out: Sequence[int], *, seed: int) -> Fold:
    """Divide the items of every class: all of a left-out one are unseen, a third of another is fresh."""
    parts: dict[str, list[Int64s]] = {"fit": [], "fresh": [], "unseen": []}
    for k, own in of_class.items():
        shuffled = np.random.default_rng([seed, k]).permutation(own)
        if k in left_out:
            parts["unseen"].append(shuffled)
        else:
            two_thirds = -(-2 * len(own) // 3)
            parts["fit"].append(shuffled[:two_thirds])
            parts["fresh"].append(shuffled[two_thirds:])
    rng = np.random.default_rng([seed, len(data.labels)])
    mixed = {name: rng.permutation(np.concatenate(lists)) for name, lists in parts.items()}
    return Fold(
        left_out=tuple(data.labels[k] for k in left_out),
        split=Split(calibrate=np.empty(0, dtype=np.int64), **mixed),
    )


def _too_few(first: TrainConfig) -> Choice:
    reason = (
        f"Fewer than {FEWEST_CLASSES} known classes have {_FEWEST_ITEMS} items or more to fit on, too few to "
        "leave any out and still learn a net like the final one. The first candidate is taken unmeasured: it "
        "is what was asked for, or what did best on other data."
    )
    return Choice(winner=first, tried=(), left_out=(), reasons=(reason,))
