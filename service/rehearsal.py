"""A rehearsal's folds as streams through the engine: what is to be expected of the bundle, for its card.

    fold (model/rehearse.py) ─► the standard stream of its fresh and left-out items ─► Engine ─► measures ─► mean

Both the classes that appear and those that are known are known to whoever trains; new are they only to the fold's
net. The trainer cannot run the engine, which is the service's; so it is handed this function.
"""

from collections.abc import Mapping

import numpy as np

from model.rehearse import Rehearsal, Rehearsed
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.labelled_stream import draw, fitted
from service.replay import answered
from service.schedule import standard
from service.scoring.measures import Measures, measure

SHORTEST = 1_000
"""Items of a stream that tells anything."""


def simulate(rehearsal: Rehearsal, known_error_rate: float) -> Mapping[str, float | None]:
    """The figures to expect, means over the folds.

    Args:
        rehearsal: Its folds, at least one, and the radius.
        known_error_rate: At which the bundle will call known items new.

    Returns:
        By name: expected/found, share of new classes that are announced; expected/delay, items of such a class until
        then, the median (None where none was); expected/false_per_10000, false clusters in so many items;
        expected/caught, share of new items not taken for known; expected/known_called_new. Nothing where a fold's
        stream would be shorter than SHORTEST: with so few items no class could be found, whatever the bundle is worth.
    """
    if any(fitted(standard(fold.left_out), len(fold.z_fresh)).length < SHORTEST for fold in rehearsal.folds):
        return {}
    measured = [_measured(fold, rehearsal.radius, known_error_rate) for fold in rehearsal.folds]
    delays = [one.delay_median for one in measured if one.delay_median is not None]
    items = sum(one.items for one in measured)
    return {
        "expected/found": sum(one.classes_found for one in measured)
        / max(sum(one.classes_unseen for one in measured), 1),
        "expected/delay": float(np.median(delays)) if delays else None,
        "expected/false_per_10000": 10_000 * sum(one.false_clusters for one in measured) / max(items, 1),
        "expected/caught": _mean([_caught(one) for one in measured]),
        "expected/known_called_new": _mean([one.fnew for one in measured]),
    }


def _measured(fold: Rehearsed, radius: float, known_error_rate: float) -> Measures:
    z = np.concatenate([fold.z_fresh, fold.z_new])
    labels = [fold.labels[k] for k in fold.y_fresh.tolist()] + [fold.left_out[k] for k in fold.y_new.tolist()]
    schedule = fitted(standard(fold.left_out), len(fold.z_fresh))
    stream = draw(schedule, labels, known=fold.labels, seed=0)
    params = EngineParams(clustering_threshold=radius, known_error_rate=known_error_rate)
    engine = Engine(fold.known, fold.labels, params)
    return measure(answered(engine, stream, z[stream.rows], unseen=fold.left_out)).measures


def _caught(one: Measures) -> float | None:
    return None if one.mnew_flag is None else 1.0 - one.mnew_flag


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
