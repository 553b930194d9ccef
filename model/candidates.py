"""Which runs are tried when `firstseen train --choose` looks for the best one.

The run that was asked for, and those that differ from it in one or more of these fields, unless whoever asked
gave the field:

    layer       the asked one, penultimate, output       free: candidates share their trainings
    objective   the asked one, proxy-anchor, supcon, normalised-softmax
    auxiliary   the asked one, none, two-views           where items are augmented at all

The asked value comes first in each, and so the asked run first of all: it is what is taken where no other is
clearly better (`model/choice.py`). Objectives that came last wherever they were measured are not tried
(docs/decisions/014-objectives.md); each costs as much as another.
"""

import dataclasses
from collections.abc import Collection
from itertools import product

from model.auxiliary import AUXILIARIES
from model.config import ConfigError, TrainConfig

_LAYERS = ("penultimate", "output")
_OBJECTIVES = ("proxy-anchor", "supcon", "normalised-softmax")


def around(config: TrainConfig, given: Collection[str] = ()) -> tuple[TrainConfig, ...]:
    """Return the runs to try, in the order of preference.

    Args:
        config: the run that was asked for.
        given: names of the fields that keep its value.

    Raises:
        ConfigError: it stops before the end of its schedule, which is part of what is to be found out.
    """
    if config.stop_at < 1:
        raise ConfigError("leaving classes out shows when to stop, too; leave stop_at away, or do not choose")
    axes = {
        "layer": _LAYERS,
        "objective": _OBJECTIVES,
        "auxiliary": AUXILIARIES if config.augment else ("none",),
    }
    choices = [
        dict.fromkeys((getattr(config, name), *(() if name in given else values)))
        for name, values in axes.items()
    ]
    return tuple(
        dataclasses.replace(config, **dict(zip(axes, values, strict=True))) for values in product(*choices)
    )
