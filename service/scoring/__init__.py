"""How well was a labelled stream discovered? Pure functions of what was emitted, as it was emitted.

    answers      the labelled stream as it was answered: what all the others read
    gate         AUROC and FPR95 of an item's novelty
    clusters     what a cluster stands for; right or false; found, and after how many items
    rates        accuracy, Fnew, Mnew, Err
    matching     macro-F1 with a cluster for each unseen class, one to one
    partition    NMI, ARI and accuracy on the unseen items; switches of ids
    ceiling      k-means that is told k, on the same embedding
    measures     all of it in one value
    stream       the few figures of the demo

"Outlier" counts neither as right nor as found, so nothing is won by flagging everything; why these definitions and
no others is in docs/decisions/015-what-counts.md.
"""

from service.scoring.clusters import ClassScore
from service.scoring.stream import StreamScore, score

__all__ = ["ClassScore", "StreamScore", "score"]
