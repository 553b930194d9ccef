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
final one stops. The whole schedule is preferred, by the rule of `model/choice.py` with two standard errors
instead of one: a learning rate that was not let down to 0 leaves a net where its last steps threw it. Along the way
only the first candidate of each training is measured: what is a better embedding of a net is one question, when the
net is trained enough another.

**Too few classes.** With fewer than five that have 12 fitting items or more there are no folds: one would learn from
three classes at most, and what it shows is about other nets than the final one. With five a fold leaves a single class
out, which shows how new classes are told from known ones, but not whether they come apart from each other; chosen by
the former alone, a run was clearly worse at the latter (docs/decisions/020-objectives.md). So below six nothing is
chosen: the first candidate is taken, which is what was asked for, or what did best on other data. The choice says so.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.calibrate import clustered_numbers, fit, in_proportion, wanted_gate
from model.choice import Choice, Met, Tried, explain, named, preferred
from model.config import TrainConfig
from model.datasets import LabelledData
from model.datasets.split import Split
from model.evaluate import auroc, cluster_accuracy, oracle_clusters
from model.inputs import Payloads, scale
from model.manifest import EmbeddingSpec, LayerSpec
from model.networks import Embedder, Network, Rows
from model.scores import Gate, LayerSlice, layer_slices
from model.train import Progress, known_classes, layers_of, train

FEWEST_CLASSES = 5
STOPS = (0.4, 0.6, 0.8, 1.0)
"""Shares of the schedule at which a fold's net is measured."""
_LEFT_OUT_SHARE = 0.25
_FEWEST_LEFT_OUT = 2  # to choose by: one class alone does not show whether new ones come apart
_CLEAR_STOP = 2.0  # standard errors: on the mean of a hundred trainings the whole schedule was best
_FEWEST_ITEMS = 12  # of which two thirds, 8, are fitted on: as many as training asks for
_MOST_ITEMS = 3000  # of each kind that a fold's net is judged by
_BATCH = 512
_SHORTEST = 1e-12

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
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
        items: N payloads: fitted items, then fresh ones, then those of left-out classes.
        y: int64 (N,): classes 0..K-1 of the former two, from 0 again of the latter.
        fit, fresh, unseen: which are which.
    """

    items: Payloads
    y: Int64s
    fit: slice
    fresh: slice
    unseen: slice


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

    Candidates that differ only in what is made of the net (layers, norm, gate) share their trainings.

    Args:
        candidates: at least one, the asked one first, with one seed, `stop_at` at 1.
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
    if not made or len(made[0].left_out) < _FEWEST_LEFT_OUT:
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
            report = _Part(progress, done, total, f"fold {number + 1} of {len(made)}, {named(run, runs)}")
            for config, met in _simulate(seeded, asked, data, fold, report).items():
                found.setdefault(config, []).append(met)
            done += seeded.epochs
    tried = {config: Tried(config=config, met=tuple(met)) for config, met in found.items()}
    full = [tried[candidate] for candidate in candidates]
    taken = full[preferred(full)].config
    leader = next(candidate for candidate in candidates if _run_of(candidate) == _run_of(taken))
    stops = [tried[key] for stop in reversed(STOPS) if (key := _stopped(leader, stop)) in tried]
    winner = _stopped(taken, stops[preferred(stops, errors=_CLEAR_STOP)].config.stop_at)
    progress("choose", total, total, f"took {named(taken, candidates)}")
    left_out = tuple(fold.left_out for fold in made)
    return Choice(
        winner=winner,
        tried=tuple(full),
        stops=tuple(stops),
        expected=tried.get(winner, tried[taken]),
        left_out=left_out,
        reasons=explain(full, stops, taken=taken, winner=winner, left_out=left_out),
    )


def measure(
    net: Network, jury: Jury, candidates: Sequence[TrainConfig], *, rows: Rows | None = None
) -> list[Met]:
    """Measure how a net meets the classes it was not shown, as each candidate would use it.

    Args:
        net: in eval mode, on any device.
        jury: the items to judge by.
        candidates: give layers, norm, gate and the dimension of the cluster space; their seed is that of k-means.
        rows: the jury's items as the net holds them (`Network.rows`), where they are at hand already.

    Returns:
        One entry a candidate. Strangeness is the bundle's: the smallest score of the gate over the classes.
    """
    outputs = _outputs(net, jury, rows)
    spaces: dict[tuple[tuple[str, ...], str], float | None] = {}
    parts: dict[tuple[str, str, str], Float64s] = {}
    met = []
    fresh = jury.fresh.stop - jury.fresh.start
    for candidate in candidates:
        layers, norm = layers_of(candidate, net), candidate.norm
        if (layers, norm) not in spaces:
            z = joined([outputs[layer] for layer in layers], norm=norm)
            seen = clustered_numbers(layer_slices(_embedding(net, layers)))
            spaces[layers, norm] = _apart(z, jury, candidate, seen)
        wanted = wanted_gate(candidate.gate, layers)
        for score, layer in wanted:
            if (score, layer, norm) not in parts:
                parts[score, layer, norm] = _part(score, layer, joined([outputs[layer]], norm=norm), jury)
        # A gate is the mean of its parts, each on its own layer: parts are shared by all candidates that have them.
        strange = np.mean([parts[score, layer, norm] for score, layer in wanted], axis=0).min(1)
        told = auroc(strange[:fresh], strange[fresh:])
        met.append(Met(auroc=told, cluster_accuracy=spaces[layers, norm]))
    return met


def _part(score: str, layer: str, z: Float32s, jury: Jury) -> Float64s:
    """What a part of a gate says of fresh and unseen items: float32 (N, H) to float64 (N - fitted, K)."""
    gate = Gate.fit(
        [(score, layer)],
        [LayerSlice(name=layer, start=0, stop=z.shape[1])],
        z_fit=z[jury.fit],
        y_fit=jury.y[jury.fit],
        z_cal=z[jury.fresh],
        y_cal=jury.y[jury.fresh],
    )
    return gate(z[jury.fit.stop :])


def _apart(z: Float32s, jury: Jury, candidate: TrainConfig, seen: NDArray[np.bool_]) -> float | None:
    """Return the k-means accuracy of left-out classes in the cluster space; None for a single one."""
    y = jury.y[jury.unseen]
    classes = int(y.max()) + 1
    if classes == 1:
        return None
    geometry = fit(z[jury.fit], jury.y[jury.fit], cluster_dim=candidate.cluster_dim, clustered=seen)
    points = (z[jury.unseen] - geometry.cluster_mean) @ geometry.cluster_projection
    return cluster_accuracy(y, oracle_clusters(points, clusters=classes, seed=candidate.seed))


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


def jury_of(data: LabelledData, fold: Fold) -> Jury:
    """Call about 3000 items of each kind of a fold at most, every class in proportion and none left away."""
    kinds = (fold.split.fit, fold.split.fresh, fold.split.unseen)
    parts = [kind[in_proportion(data.y[kind], _MOST_ITEMS)] for kind in kinds]
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return Jury(
        items=scale(data.x[np.concatenate(parts)], data.input),
        y=np.concatenate([known_classes(data, part)[1] for part in parts]),
        fit=slice(0, ends[0]),
        fresh=slice(ends[0], ends[1]),
        unseen=slice(ends[1], ends[2]),
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
    """Train on a fold; measure the first of the asked candidates along the way, and all of them at the end."""
    jury = jury_of(data, fold)
    at = {max(1, round(stop * run.epochs)): stop for stop in STOPS}  # of stops at one epoch the last is kept
    found: dict[TrainConfig, Met] = {}
    rows: list[Rows] = []

    def watch(epoch: int, embedder: Embedder) -> None:
        if epoch not in at:
            return
        if not rows:
            rows.append(embedder.net.rows(jury.items, next(embedder.parameters()).device))
        stop = at[epoch]
        judged = asked if stop == STOPS[-1] else asked[:1]
        measured = measure(embedder.net, jury, judged, rows=rows[0])
        found.update((_stopped(one, stop), met) for one, met in zip(judged, measured, strict=True))

    train(run, data, fold.split, progress, watch=watch)
    return found


def _run_of(candidate: TrainConfig) -> TrainConfig:
    """Return what of a candidate decides its training: the embedding is taken from the net afterwards."""
    return dataclasses.replace(candidate, layers=(), norm="l2", gate=())


def _stopped(candidate: TrainConfig, stop: float) -> TrainConfig:
    return dataclasses.replace(candidate, stop_at=stop)


def _outputs(net: Network, jury: Jury, rows: Rows | None) -> dict[str, Float32s]:
    """Run a net over the jury and keep its layers: {layer: float32 (N, H)}."""
    device = next(net.parameters()).device
    held = net.rows(jury.items, device) if rows is None else rows
    kept: dict[str, list[Float32s]] = {layer: [] for layer in net.widths}
    with torch.inference_mode():
        for places in torch.split(torch.arange(len(jury.y), device=device), _BATCH):
            out = net.layers(held[places])
            for layer, parts in kept.items():
                parts.append(out[layer].float().cpu().numpy())
    return {layer: np.concatenate(parts) for layer, parts in kept.items()}


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
        f"Fewer than {FEWEST_CLASSES + 1} known classes have {_FEWEST_ITEMS} items or more to fit on, too few to "
        "leave two out and still learn a net like the final one. The first candidate is taken unmeasured: it is what "
        "was asked for, or what did best on other data."
    )
    return Choice(winner=first, tried=(), stops=(), expected=None, left_out=(), reasons=(reason,))
