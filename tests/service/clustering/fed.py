"""Feeding an engine."""

import numpy as np

from service.clustering.engine import Engine, StepResult
from service.records import Float32s


def feed(engine: Engine, z: Float32s, sizes: list[int] | None = None) -> list[StepResult]:
    """Step through z in batches of these sizes; ids and times follow from the place in the stream."""
    results: list[StepResult] = []
    start = 0
    for size in sizes or [len(z)]:
        part = z[start : start + size]
        at = range(engine.seq, engine.seq + len(part))
        results.append(engine.step(part, tuple(f"i{n}" for n in at), np.array(at, dtype=np.float64)))
        start += size
    return results
