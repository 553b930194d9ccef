"""What the figures of a run show, as numbers.

Answers are of six kinds, two of them right:

    right      a known item that got its own class
    confused   a known item that got another known class
    missed     an unseen item that was taken for a known class
    outlier    an item that got neither class nor cluster
    false      an item that got a false cluster
    found      an item that got a right cluster

Novelty is shown by its nines, since that is where known and new part: bins are even in -log10(1 - novelty).
"""

import numpy as np
from numpy.typing import NDArray

from service.records import NO_CLUSTER, Bools, Float64s, Int64s
from service.report.records import Confusion, Histogram, Pictures, Plane, Timeline
from service.scoring.answers import Answers
from service.scoring.clusters import ClusterScore
from service.scoring.gate import roc
from service.scoring.rates import in_right_cluster

KINDS = ("right", "confused", "missed", "outlier", "false", "found")

_BINS = 80
_LEAST_BIN = 5
_NOVELTY_BINS = 40
_MOST_NINES = 6.0
_MOST_CLUSTERS = 24
_MOST_KNOWN = 12
_MOST_DOTS = 1200


def pictures(answers: Answers, clusters: tuple[ClusterScore, ...], z: NDArray[np.float32]) -> Pictures:
    """All of a run; z: float32 (N, D) the items' embeddings."""
    unseen = answers.is_unseen
    return Pictures(
        timeline=timeline(answers, clusters),
        roc=roc(answers.novelty[~unseen], answers.novelty[unseen]),
        histogram=histogram(answers.novelty, unseen),
        confusion=confusion(answers, clusters),
        plane=plane(answers, z),
    )


def kinds(answers: Answers, clusters: tuple[ClusterScore, ...]) -> Int64s:
    """The kind of each answer, an index into KINDS: int64 (N,)."""
    unseen, in_cluster = answers.is_unseen, answers.cluster != NO_CLUSTER
    tests = (
        answers.is_right,
        ~unseen & answers.is_taken,
        unseen & answers.is_taken,
        ~in_cluster,
        ~in_right_cluster(answers, clusters),
    )
    return np.select(list(tests), list(range(len(tests))), default=KINDS.index("found"))


def timeline(answers: Answers, clusters: tuple[ClusterScore, ...]) -> Timeline:
    """At most 80 bins of 5 items or more."""
    count = max(1, min(_BINS, len(answers) // _LEAST_BIN))
    edges = np.linspace(0, len(answers), count + 1).round().astype(np.int64)
    bins = np.searchsorted(edges, np.arange(len(answers)), side="right") - 1

    def per_bin(chosen: Bools) -> tuple[int, ...]:
        return tuple(np.bincount(bins[chosen], minlength=count).tolist())

    kind = kinds(answers, clusters)
    return Timeline(
        edges=tuple(edges.tolist()),
        answers={name: per_bin(kind == n) for n, name in enumerate(KINDS)},
        unseen={label: per_bin(answers.of(label)) for label in answers.unseen},
    )


def histogram(novelty: Float64s, unseen: Bools) -> Histogram:
    """Forty bins, even in the nines of novelty; even in novelty itself where that is not within 0..1."""
    low, high = (float(novelty.min()), float(novelty.max())) if len(novelty) else (0.0, 1.0)
    if low >= 0.0 and high <= 1.0:
        least = 10.0**-_MOST_NINES
        nines = max(1.0, float(np.ceil(-np.log10(max(least, 1.0 - high)))))
        edges = 1.0 - 10.0 ** -np.linspace(0.0, nines, _NOVELTY_BINS + 1)
    else:
        edges = np.linspace(low, high, _NOVELTY_BINS + 1)
    bins = np.clip(np.searchsorted(edges, novelty, side="right") - 1, 0, _NOVELTY_BINS - 1)
    return Histogram(
        edges=tuple(edges.tolist()),
        known=tuple(np.bincount(bins[~unseen], minlength=_NOVELTY_BINS).tolist()),
        unseen=tuple(np.bincount(bins[unseen], minlength=_NOVELTY_BINS).tolist()),
    )


def confusion(answers: Answers, clusters: tuple[ClusterScore, ...]) -> Confusion:
    """The 24 largest clusters by the class they stand for, then the rest, outliers, and what was taken for known."""
    ids = [c.cluster for c in clusters]
    sizes = {id: int((answers.cluster == id).sum()) for id in ids}
    shown = set(sorted(ids, key=lambda c: (-sizes[c], c))[:_MOST_CLUSTERS])
    order = {label: n for n, label in enumerate((*answers.unseen, *answers.known))}
    listed = sorted(
        (c for c in clusters if c.cluster in shown),
        key=lambda c: (len(order) if c.stands_for is None else order[c.stands_for], c.announced_at),
    )
    others = [id for id in ids if id not in shown]
    rows = [(f"cluster {c.cluster}", answers.cluster == c.cluster) for c in listed]
    if others:
        rows.append(("other clusters", np.isin(answers.cluster, others)))
    rows.append(("outlier", ~answers.is_taken & (answers.cluster == NO_CLUSTER)))
    rows.append(("known class", answers.is_taken))
    columns = [(label, answers.of(label)) for label in answers.unseen]
    if len(answers.known) > _MOST_KNOWN:
        columns.append((f"all {len(answers.known)} known", ~answers.is_unseen))
    else:
        columns += [(label, answers.of(label)) for label in answers.known]
    return Confusion(
        rows=tuple(name for name, _ in rows),
        columns=tuple(name for name, _ in columns),
        counts=tuple(tuple(int((row & column).sum()) for _, column in columns) for _, row in rows),
    )


def plane(answers: Answers, z: NDArray[np.float32]) -> Plane | None:
    """At most 1,200 unseen items, evenly taken from the stream; None with fewer than three."""
    places = np.flatnonzero(answers.is_unseen)
    if len(places) < 3:
        return None
    if len(places) > _MOST_DOTS:
        places = places[np.linspace(0, len(places) - 1, _MOST_DOTS).round().astype(int)]
    centred = z[places].astype(np.float64)
    centred -= centred.mean(axis=0)
    if centred.shape[1] < 2:
        centred = np.hstack([centred, np.zeros((len(centred), 1))])
    _, scales, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2, np.abs(axes[:2]).argmax(axis=1)].diagonal())[:, None]
    total = max(float(np.square(scales).sum()), 1e-300)
    across, up = (np.square(scales[:2]) / total).tolist()
    xy = centred @ axes.T
    answer = np.where(answers.is_taken[places], -1, answers.cluster[places])
    return Plane(
        x=tuple(xy[:, 0].round(4).tolist()),
        y=tuple(xy[:, 1].round(4).tolist()),
        label=tuple((answers.y[places] - len(answers.known)).tolist()),
        answer=tuple(answer.tolist()),
        explained=(across, up),
    )
