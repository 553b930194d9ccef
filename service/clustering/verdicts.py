"""What was said of a batch: as verdicts, and counted."""

from collections.abc import Mapping, Sequence
from itertools import count, repeat

import numpy as np

from service.clustering.chronicle import Chronicle
from service.clustering.gates import Said
from service.records import Int64s, Observed, Verdict, VerdictKind

Named = Mapping[int, int]
"""Items of a batch that are of a known class by their cluster, by place; and that class, which is not their nearest."""

_NONE: Named = {}


def verdicts_of(
    batch: Observed,
    said: Sequence[Said],
    labels: Sequence[str],
    *,
    named: Named = _NONE,
    is_one_place: bool = False,
) -> tuple[Verdict, ...]:
    """A verdict for each item of the batch, in order.

    Args:
        batch: Its items.
        said: What was said of each.
        labels: Of the known classes.
        named: Known classes of items, where that is not the nearest.
        is_one_place: Whether each stands for itself at the first one's place in the stream.
    """
    rows = zip(batch.ids, said, batch.nearest.tolist(), batch.distance.tolist(), strict=True)
    return tuple(
        Verdict(
            id=id,
            seq=seq,
            verdict=kind,
            label=labels[named.get(n, nearest)] if kind is VerdictKind.KNOWN else None,
            cluster_id=cluster or None,
            novelty=novelty,
            nearest=labels[nearest],
            distance=distance,
        )
        for n, seq, (id, (kind, cluster, novelty), nearest, distance) in zip(
            count(), repeat(batch.first_seq) if is_one_place else count(batch.first_seq), rows, strict=False
        )
    )


def tally(
    batch: Observed,
    said: Sequence[Said],
    kinds: dict[VerdictKind, int],
    known_counts: Int64s,
    chronicle: Chronicle,
    named: Named = _NONE,
) -> None:
    """Count a batch.

    Args:
        batch: Its items.
        said: What was said of each.
        kinds: Items of each kind; counted on.
        known_counts: int64 (K,) items given each known class; counted on.
        chronicle: The history of the stream; counted on.
        named: Known classes of items, where that is not the nearest.
    """
    found = [kind for kind, _, _ in said]
    for kind in VerdictKind:
        kinds[kind] += found.count(kind)
    chronicle.count(batch.first_seq, batch.t, found)
    is_known = np.array([kind is VerdictKind.KNOWN for kind in found], dtype=np.bool_)
    nearest = batch.nearest
    if named:
        nearest = nearest.copy()
        nearest[list(named)] = list(named.values())
    known_counts += np.bincount(nearest[is_known], minlength=len(known_counts))
