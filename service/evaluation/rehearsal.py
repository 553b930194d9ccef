"""A rehearsal's folds as streams through the engine: what is to be expected of the bundle, for its card.

    fold (model/rehearse.py) ─► standard streams of its fresh and left-out items ─► Engine ─► measures ─► mean

Both the classes that appear and those that are known are known to whoever trains; new are they only to the fold's
net. The trainer cannot run the engine, which is the service's; so it is handed this function.

**Small sets.** A tenth of a short stream is hardly more items than it takes to announce a class, and in which order
they come is luck. So a fold that cannot fill a long stream is run as several short ones, of other items in another
order, in which half of the items are new in the end. The streams share items, so their mean is steadier but rests on
no more; the note says how many streams and items there were. Below `SHORTEST` nothing is said but that.
"""

import math

import numpy as np

from model.rehearse import Expected, Rehearsal, Rehearsed
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate.held_out import widened
from service.evaluation.fewest_scores import fewest_scores
from service.evaluation.labelled_stream import draw, fitted
from service.evaluation.replay import answered
from service.evaluation.schedule import Schedule, standard
from service.records import Float32s
from service.scoring.measures import Measures, measure

SHORTEST = 300
"""Items of a stream that tells anything."""
LONG = 1_000
"""Items of a stream that is run once, and with the shares of the standard one."""
STREAMS = 4
"""Shorter ones that a fold is run as."""
_NEW = 0.5  # share of all new classes in the end of a short stream


def simulate(rehearsal: Rehearsal, known_error_rate: float) -> Expected:
    """The figures to expect, means over the streams of all folds.

    Args:
        rehearsal: Its folds, at least one, and the radius.
        known_error_rate: At which the bundle will call known items new.

    Returns:
        By name: expected/found, share of new classes that are announced; expected/delay, items of such a class until
        then, the median (None where none was); expected/false_per_10000, false clusters in so many items;
        expected/caught, share of new items not taken for known; expected/known_called_new; expected/items, of the
        streams. None at all where a fold's stream would be shorter than SHORTEST, or a fold has too few items to
        calibrate with for any to be called new; the note says so.
    """
    planned = [_planned(fold) for fold in rehearsal.folds]
    shortest = min(schedule.length for schedule, _ in planned)
    if shortest < SHORTEST:
        return _none(f"a fold's stream would have {shortest:,} items, and {SHORTEST:,} are needed")
    scores = min(fewest_scores(fold.known) for fold in rehearsal.folds)
    if 1 / (scores + 1) > known_error_rate:
        needed = math.ceil(1 / known_error_rate) - 1
        return _none(f"a fold has {scores:,} items to calibrate with, and {needed:,} are needed")
    measured: list[Measures] = []
    for fold, (schedule, count) in zip(rehearsal.folds, planned, strict=True):
        params = EngineParams(
            clustering_threshold=widened(rehearsal.radius, fold.known), known_error_rate=known_error_rate
        )
        measured += _streams(fold, schedule, count, params)
    delays = [one.delay_median for one in measured if one.delay_median is not None]
    items = sum(one.items for one in measured)
    figures = {
        "expected/found": sum(one.classes_found for one in measured)
        / max(sum(one.classes_unseen for one in measured), 1),
        "expected/delay": float(np.median(delays)) if delays else None,
        "expected/false_per_10000": 10_000 * sum(one.false_clusters for one in measured) / max(items, 1),
        "expected/caught": _mean([_caught(one) for one in measured]),
        "expected/known_called_new": _mean([one.fnew for one in measured]),
        "expected/items": float(items),
    }
    note = f"rehearsed on {len(measured)} stream{'s' * (len(measured) > 1)}, {items:,} items in all"
    if any(count > 1 for _, count in planned):
        note += f"; short ones, from {shortest:,} items on, with more new items than usual"
    return Expected(figures=figures, note=note)


def _none(reason: str) -> Expected:
    return Expected(figures={}, note=f"not rehearsed: {reason}")


def _planned(fold: Rehearsed) -> tuple[Schedule, int]:
    """A fold's stream and how often it is run: the standard one once if that is long, else one with more new items."""
    usual = fitted(standard(fold.left_out), len(fold.z_fresh))
    if usual.length >= LONG:
        return usual, 1
    richer = standard(fold.left_out, length=LONG, share=_NEW / max(2, len(fold.left_out)))
    return fitted(richer, len(fold.z_fresh)), STREAMS


def _streams(fold: Rehearsed, schedule: Schedule, count: int, params: EngineParams) -> list[Measures]:
    """What so many streams came to."""
    z = np.concatenate([fold.z_fresh, fold.z_new])
    labels = [fold.labels[k] for k in fold.y_fresh.tolist()] + [fold.left_out[k] for k in fold.y_new.tolist()]
    return [_measured(fold, z, labels, schedule, params, seed=seed) for seed in range(count)]


def _measured(
    fold: Rehearsed, z: Float32s, labels: list[str], schedule: Schedule, params: EngineParams, *, seed: int
) -> Measures:
    stream = draw(schedule, labels, known=fold.labels, seed=seed)
    engine = Engine(fold.known, fold.labels, params)
    return measure(answered(engine, stream, z[stream.rows], unseen=fold.left_out)).measures


def _caught(one: Measures) -> float | None:
    return None if one.mnew_flag is None else 1.0 - one.mnew_flag


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
