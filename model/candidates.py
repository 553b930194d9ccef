"""Which runs are tried when `firstseen train --choose` looks for the best one.

The run that was asked for, and those that differ from it in one or more of these fields, unless whoever asked
gave the field:

    objective   proxy-anchor, supcon, normalised-softmax
    auxiliary   none, two-views                           where items are augmented at all
    layers      all, penultimate, penultimate and output  free: candidates share their trainings
    gate        the default, Mahalanobis distances or nearest neighbours on each layer            free, likewise

An asked value that is not listed comes on top. Candidates stand in the order of how many fields they change, so the
asked run is first of all: it is what is taken where the best is not clearly better (`model/choice.py`), and a tie goes
to fewer changes. The hinge and RBF heads are not tried unless asked for: they were behind in telling new classes from
each other wherever that was measured (docs/decisions/020-objectives.md), and each costs as much as another.
"""

import dataclasses
from collections.abc import Collection
from itertools import product
from typing import Any

from model.auxiliary import AUXILIARIES
from model.config import ConfigError, TrainConfig

_OBJECTIVES = ("proxy-anchor", "supcon", "normalised-softmax")
_LAYERS = ((), ("penultimate",), ("penultimate", "output"))
_GATES = ((), ("mahalanobis",), ("nearest-neighbour",))


def around(config: TrainConfig, given: Collection[str] = ()) -> tuple[TrainConfig, ...]:
    """Return the runs to try, the asked one first.

    Args:
        config: the run that was asked for.
        given: names of the fields that keep its value.

    Raises:
        ConfigError: it stops before the end of its schedule, which is part of what is to be found out.
    """
    if config.stop_at < 1:
        raise ConfigError("leaving classes out shows when to stop, too; leave stop_at away, or do not choose")
    can_augment = config.augment and not config.tune  # an encoder that is tuned trains on tokens
    axes: dict[str, tuple[Any, ...]] = {
        "objective": _OBJECTIVES,
        "auxiliary": AUXILIARIES if can_augment else (),
        "layers": () if any(":" in part for part in config.gate) else _LAYERS,  # which the gate then needs
        "gate": _GATES,
    }
    choices = [
        tuple(dict.fromkeys((getattr(config, name), *(() if name in given else values))))
        for name, values in axes.items()
    ]
    asked = tuple(getattr(config, name) for name in axes)
    ordered = sorted(
        product(*choices), key=lambda chosen: sum(a != b for a, b in zip(chosen, asked, strict=True))
    )
    return tuple(dataclasses.replace(config, **dict(zip(axes, chosen, strict=True))) for chosen in ordered)
