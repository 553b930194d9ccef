"""Persistence: the same item over and over is one piece of evidence, not many.

A client that sends an item again under a new id, or a stuck sensor, fills a candidate in no time, and to a test that
counts hits it is a class. So a candidate remembers the latest distinct points that fell into it. An item within SAME of
one of these counts as a *repeat*, and as no hit, unless APART items of the stream have gone by: what keeps coming all
day is worth telling of, though later, and with its repeats beside its hits.

It can only lower the count of hits, and so the evidence.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from service.records import Float64s

SAME = 0.05
"""Distance in cluster space, where the median known class has an RMS radius of 1, within which two items are one."""

APART = 64
"""Items of the stream after which the same is news again."""

MOST_MOMENTS = 4
"""Points that a candidate remembers."""


class Moment(msgspec.Struct):
    """A point that counted: at which item, and float32 (C,) little-endian where. Owned by the candidate."""

    seq: int
    x: bytes


def is_repeat(moments: Sequence[Moment], x: Float64s, seq: int) -> bool:
    """Whether the item at `seq`, float64 (C,), is one of those over again."""
    recent = [np.frombuffer(moment.x, dtype="<f4") for moment in moments if seq - moment.seq < APART]
    if not recent:
        return False
    return bool((np.square(np.stack(recent) - x).sum(axis=1) < SAME**2).any())


def remember(moments: list[Moment], x: Float64s, seq: int) -> None:
    """It counted."""
    moments.append(Moment(seq=seq, x=x.astype("<f4").tobytes()))
    del moments[:-MOST_MOMENTS]
