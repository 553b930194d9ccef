"""Rehearsal: meet known classes that were left out, and set by them what nobody should have to set by hand.

    fold: a net trained without some known classes ─► their items in cluster space ─► how wide is a new class?
                                                    └► a stream in which they appear ─► what is to be expected?

**The radius** of a micro-cluster must exceed the typical distance of two items of one class, or a class comes apart,
and stay below the distance of two classes, or they run together. Known classes cannot tell: a net draws the classes it
was trained on together, and not those to come. On digits two items of an unseen class are twice as far apart as two of
a known one, on MNIST 1.3 times. So a fold's left-out classes are measured,

    r = min(WIDTH x median distance of two items of a left-out class,
            GAP x median distance of two known classes' prototypes)

both medians over classes, then over folds, in the cluster space of the fold, where known classes have radius 1.

**What to expect.** The trainer hands the folds to whoever asked (`Simulate`): the service runs them as streams, through
the engine that will serve, and its figures go into the bundle's card. The nets of the folds have seen fewer classes and
fewer items for a shorter time, and had fewer to calibrate with, so they are no better than the final one will be.

**Small sets.** A fold of digits has ninety fresh items, and nothing can appear in a stream of a hundred. The items that
calibrate the bundle are as new to a fold's net as those it left out, so they make its streams longer, up to
`ENOUGH_FRESH`. They take part in nothing else: neither the radius nor anything that is served depends on them here.

**Too few classes.** With fewer than five (`model/leave_out.py`) none is left out, and the radius is
`model.calibrate.CLUSTER_RADIUS`, which did well on other data.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.bundle import KnownArrays
from model.calibrate import CLUSTER_RADIUS, calibrated, in_proportion, ranked
from model.config import TrainConfig
from model.datasets import LabelledData
from model.inputs import scale
from model.leave_out import FEWEST_CLASSES, Fold, folds
from model.networks import embed_items
from model.train import Progress, known_classes, repeatable, train

WIDTH = 1.0
"""The best radius was .85 to 1 times the distance measured in the final net, and folds see a little less than that."""
GAP = 0.58
FOLDS = 2
EFFORT = 0.75
"""Epochs of a fold's training as a share of the final one's. Half of them drew known classes together too little."""
ENOUGH_FRESH = 1_000
"""Items that a fold's streams are drawn from, beyond which no spare ones are added."""
_MOST_FITTED = 12_000  # items that the folds divide: the fitting items come shuffled
_MOST_ITEMS = 6000  # of each kind
_MOST_PAIRED = 400  # items of a class whose distances are measured
_FEWEST_PAIRED = 8

Float32s = NDArray[np.float32]
Int64s = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rehearsed:
    """One fold, calibrated and ready to be run as a stream.

    Attributes:
        known: arrays of the classes that the fold's net was trained on.
        labels: their names.
        z_fresh, y_fresh: float32 (N, D) and int64 (N,) items of theirs that neither fitted nor calibrated.
        left_out: the names of the classes left out.
        z_new, y_new: float32 (U, D) and int64 (U,) their items, each class at least once.
    """

    known: KnownArrays
    labels: tuple[str, ...]
    z_fresh: Float32s
    y_fresh: Int64s
    left_out: tuple[str, ...]
    z_new: Float32s
    y_new: Int64s


@dataclass(frozen=True, kw_only=True, eq=False)
class Rehearsal:
    """What rehearsing gave.

    Attributes:
        radius: of a micro-cluster, for the final bundle.
        reason: where it comes from, in a sentence.
        folds: to be run as streams; none where no class could be left out.
    """

    radius: float
    reason: str
    folds: tuple[Rehearsed, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """What is to be expected of the bundle.

    Attributes:
        figures: by name; none where the folds could not be run.
        note: on what they rest, or why there are none, without a full stop.
    """

    figures: Mapping[str, float | None]
    note: str


Simulate = Callable[[Rehearsal, float], Expected]
"""Runs the folds as streams at a known error rate."""


def rehearse(
    config: TrainConfig,
    data: LabelledData,
    items: Int64s,
    progress: Progress,
    *,
    spare: Int64s | None = None,
) -> Rehearsal:
    """Train without some classes, and meet them.

    Args:
        config: the final run.
        data: the whole data set, raw values.
        items: int64, positions of the fitting items of the known classes; nothing else of `data` decides anything.
        progress: told of the stage "rehearse", once an epoch.
        spare: int64, positions of items of the known classes that only lengthen the streams of small folds; None: none.

    Raises:
        ConfigError, DataError, TrainingError: as `model.train.train`.
    """
    made = folds(data, items[:_MOST_FITTED], count=FOLDS, seed=config.seed)
    if not made:
        return Rehearsal(
            radius=CLUSTER_RADIUS,
            reason=f"Fewer than {FEWEST_CLASSES} known classes have enough items to leave any out, so the radius "
            f"is {CLUSTER_RADIUS:g}, which did well on other data.",
            folds=(),
        )
    epochs = max(1, round(EFFORT * config.epochs))
    short = dataclasses.replace(config, epochs=epochs)
    rehearsed: list[Rehearsed] = []
    radii: list[float] = []
    for number, fold in enumerate(made):
        without = f"without {', '.join(fold.left_out)}"

        def report(  # of a Progress it passes on what is done
            stage: str,  # noqa: ARG001
            done: int,
            total: int,
            note: str,  # noqa: ARG001
            number: int = number,
            without: str = without,
        ) -> None:
            progress("rehearse", number * total + done, len(made) * total, without)

        seeded = dataclasses.replace(short, seed=config.seed + number)
        more = np.empty(0, dtype=np.int64) if spare is None else spare
        one, lengthened = _met(seeded, data, fold, report, spare=more)
        rehearsed.append(lengthened)
        radii.append(radius_of(one))
    radius = round(float(np.median(radii)), 2)
    sets = "; ".join(", ".join(fold.left_out) for fold in made)
    return Rehearsal(
        radius=radius,
        reason=f"The radius, {radius:g}, comes from how wide classes are that a net was not trained on: {sets}.",
        folds=tuple(rehearsed),
    )


def _met(
    config: TrainConfig, data: LabelledData, fold: Fold, progress: Progress, *, spare: Int64s
) -> tuple[Rehearsed, Rehearsed]:
    """Train on a fold, calibrate with half of what it has fresh, and embed the rest: without and with spare items."""
    trained = train(config, data, fold.split, progress)
    cal, fresh = _halves(fold.split.fresh, data.y[fold.split.fresh])
    kinds = {"fit": fold.split.fit, "cal": cal, "fresh": fresh, "new": fold.split.unseen}
    parts = {name: own[in_proportion(data.y[own], _MOST_ITEMS)] for name, own in kinds.items()}
    parts |= _sorted_out(spare[: max(0, ENOUGH_FRESH - len(parts["fresh"]))], data, fold)
    with repeatable(config.seed, config.threads, device="cpu"):
        z = {
            name: embed_items(trained.embedder, scale(data.x[own], data.input)) for name, own in parts.items()
        }
    order = {label: k for k, label in enumerate(trained.labels)}
    y = {
        name: np.array([order.get(data.labels[k], -1) for k in data.y[own].tolist()], dtype=np.int64)
        for name, own in parts.items()
    }
    among = ranked(len(y["cal"]), len(trained.labels))
    found = calibrated(
        config,
        trained.embedder,
        z_fit=z["fit"],
        y_fit=y["fit"],
        z_cal=z["cal"],
        y_cal=y["cal"],
        known_error_rate=max(config.known_error_rate, 1.5 / (len(y["cal"]) + 1), 1 / (among + 1)),
    )
    left_out, y_new = known_classes(data, parts["new"])
    place = {label: k for k, label in enumerate(left_out)}
    y_more = np.array([place[data.labels[k]] for k in data.y[parts["more new"]].tolist()], dtype=np.int64)
    one = Rehearsed(
        known=found.known,
        labels=trained.labels,
        z_fresh=z["fresh"],
        y_fresh=y["fresh"],
        left_out=left_out,
        z_new=z["new"],
        y_new=y_new,
    )
    lengthened = dataclasses.replace(
        one,
        z_fresh=np.concatenate([z["fresh"], z["more fresh"]]),
        y_fresh=np.concatenate([y["fresh"], y["more fresh"]]),
        z_new=np.concatenate([z["new"], z["more new"]]),
        y_new=np.concatenate([y_new, y_more]),
    )
    return one, lengthened


def _sorted_out(spare: Int64s, data: LabelledData, fold: Fold) -> dict[str, Int64s]:
    """Spare items of the classes that a fold's net knows, and of those it has not met; of others none."""
    known = np.unique(data.y[fold.split.fit])
    left_out = np.unique(data.y[fold.split.unseen])
    return {
        "more fresh": spare[np.isin(data.y[spare], known)],
        "more new": spare[np.isin(data.y[spare], left_out)],
    }


def _halves(items: Int64s, y: Int64s) -> tuple[Int64s, Int64s]:
    """Divide items, int64 (N,), in two, every class by itself; the odd one goes to the first half, which calibrates."""
    is_first = np.zeros(len(items), dtype=np.bool_)
    for k in np.unique(y).tolist():
        is_first[np.flatnonzero(y == k)[::2]] = True
    return items[is_first], items[~is_first]


def radius_of(one: Rehearsed) -> float:
    """The radius that one fold asks for, in its cluster space; see the top of this file."""
    known = one.known

    def placed(z: Float32s) -> NDArray[np.float64]:
        return np.asarray((z - known.cluster_mean) @ known.cluster_projection, dtype=np.float64)

    widths = [
        _median_distance(placed(own[:_MOST_PAIRED]))
        for k in range(len(one.left_out))
        if len(own := one.z_new[one.y_new == k]) >= _FEWEST_PAIRED
    ]
    apart = _median_distance(placed(known.prototypes))
    return min(WIDTH * float(np.median(widths)), GAP * apart)


def _median_distance(points: NDArray[np.float64]) -> float:
    """Median over all pairs: (n, C), n at least 2 -> above 0."""
    squares = np.square(points).sum(1)
    between = squares[:, None] + squares - 2.0 * points @ points.T
    upper = np.triu_indices(len(points), 1)
    return float(np.median(np.sqrt(np.maximum(between[upper], 1e-12))))
