"""Engines at places where it matters what they would say, and items to ask them about."""

import functools
from collections.abc import Callable

import numpy as np

from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.records import Float32s
from tests.service.clustering.conftest import LABELS, World
from tests.service.clustering.fed import feed
from tests.service.clustering.overlapping import APART, HIDDEN, Driven, engine, overlapping


def small(world: World, seed: int, n: int, **changes: float | str) -> Engine:
    """An engine without a stream gate that has seen n items, a third of them of a new class; old ones go fast."""
    params = EngineParams(
        clustering_threshold=1.9,
        cleanup_interval=40,
        fading_factor=0.01,
        fade_after_items=30,
        gone_after_items=90,
    ).with_changes(**changes)
    made = Engine(world.known, LABELS, params)
    feed(made, world.items(np.random.default_rng(seed), n=n, share_new=0.3))
    return made


@functools.cache
def large() -> Engine:
    """An engine whose stream gate has been fitted, with a cluster that claims items. Only to be read."""
    driven = Driven(engine())
    driven.feed(overlapping().stream(np.random.default_rng(1), 1500, new=APART, at=0.15)[0])
    driven.feed(overlapping().stream(np.random.default_rng(2), 500, new=HIDDEN, at=0.15)[0])
    return driven.engine


def asked_of_large(seed: int, n: int) -> Float32s:
    """Items that it knows, and some of each of two new classes."""
    rng = np.random.default_rng(seed)
    which = rng.choice([0, 1, 2, 3, HIDDEN, APART], n)
    return overlapping().items(rng, which)


def cases(world: World) -> list[tuple[Engine, Callable[[int, int], Float32s]]]:
    """Engines with and without a stream gate, of both clusterers, and what to ask of each: of a seed, so many."""

    def asked(seed: int, n: int) -> Float32s:
        return world.items(np.random.default_rng(seed), n=n, share_new=0.4)

    return [
        (small(world, 1, 0), asked),
        (small(world, 2, 260), asked),
        (small(world, 3, 200, feeding_rate=0.5), asked),
        (small(world, 4, 200, backend="river"), asked),
        (large(), asked_of_large),
    ]
