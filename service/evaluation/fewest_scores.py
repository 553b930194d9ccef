"""How few scores a p-value of the service can rest on: what decides which rates it can call new at.

An item passes two rankings, each of which gives at least 1 / (n + 1) for n scores (`model/calibrate.py`):

    its class       among the class's calibration scores, or the pooled ones
    all together    among the held-out items that no fit of the stream gate sees (`stream_gate/held_out.py`): all that
                    the bundle keeps, or every other one where there is a stream gate

A rate below the larger of the two bounds calls nothing new, ever.
"""

import numpy as np

from model.bundle import KnownArrays
from service.clustering.stream_gate import held_out


def fewest_scores(known: KnownArrays) -> int:
    """The smallest n that an item's p-values rest on, at least 1."""
    kept = len(known.calibration_labels)
    judged = kept // 2 if held_out.are_enough(known) else kept
    return min(int(np.diff(known.calibration_offsets).min()), judged)
