"""Which runs are tried when `firstseen train --choose` looks for the best one.

The run that was asked for, and those that differ from it in one or more of these fields, unless whoever asked
gave the field:

    objective   proxy-anchor, supcon, normalised-softmax, hinge, rbf
    auxiliary   none, two-views                           where items are augmented at all
    layers      all, penultimate, penultimate and output
    gate        the default, relative Mahalanobis distances; Mahalanobis distances, nearest neighbours or centre and
                radius on each layer; energy on the output; the default with Mahalanobis distances, or with energy

An asked value that is not listed comes on top; a gate that looks at a layer which a candidate has not is left out.
Candidates stand in the order of how many fields they change, so the asked run is first of all: it is what is taken
where the best is not clearly better (`model/choice.py`), and a tie goes to fewer changes.

**Time.** Layers and gates cost little: their candidates share trainings. There are ten of these, five with two views,
which take twice as long, in three folds, each of half the items and half the epochs: about a dozen times the training
that follows. Whoever gives an objective, or an auxiliary, saves the trainings of the others.
"""

import dataclasses
from collections.abc import Collection
from itertools import product
from typing import Any

from model.auxiliary import AUXILIARIES
from model.config import ConfigError, TrainConfig
from model.objectives import OBJECTIVES

_LAYERS = ((), ("penultimate",), ("penultimate", "output"))
_GATES = (
    (),
    ("mahalanobis",),
    ("nearest-neighbour",),
    ("centre-radius",),
    ("energy:output",),
    ("relative-mahalanobis", "mahalanobis"),
    ("relative-mahalanobis", "energy:output"),
)


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
        "objective": tuple(OBJECTIVES),
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
    named = [dict(zip(axes, chosen, strict=True)) for chosen in ordered]
    return tuple(
        dataclasses.replace(config, **one) for one in named if _are_there(one["gate"], one["layers"])
    )


def _are_there(gate: tuple[str, ...], layers: tuple[str, ...]) -> bool:
    """Whether the layers that a gate names are in the embedding; all are where it names none."""
    looked_at = {layer for part in gate if (layer := part.partition(":")[2])}
    return not layers or looked_at <= set(layers)
