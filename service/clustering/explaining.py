"""Explanations of items, many at once.

    z ─┬► known gate ──► scores, classes      ┐  the same for the whole batch: nothing that is learnt changes them,
       ├► reference items                     │  only a fit does, and there is none within a batch
       ├► gates ───────► reasons, p           ┘   = `Seen`
       └► clusterer ───► clusters, home          as of one place in the stream

So what is costly is done once a batch (`look`), and what depends on the items learnt before is done for each place
(`explain`). Nothing changes the engine, and each row is by itself: an item's explanation is the same in any batch.

The units: distances to classes and reference items are in standard deviations (whitened by the known classes' shared
covariance), those to clusters in cluster space, where a known class has radius 1.
"""

import math
from dataclasses import dataclass

import numpy as np

from model.bundle import KnownArrays
from service.clustering import clusterer
from service.clustering.cluster_view import items_of
from service.clustering.engine import Engine
from service.clustering.explanation import (
    Explanation,
    NearClass,
    NearCluster,
    NearReference,
    Reason,
    ScorePart,
    sentence_of,
)
from service.clustering.near_classes import made_near, merged
from service.clustering.stream_gate.records import Looked
from service.clustering.trial import as_at_next, homes, one_of, say
from service.records import NO_CLUSTER, ClusterState, Float32s, Float64s, Int64s, Observed, VerdictKind

MOST_NEAR = 5
"""Classes, reference items and clusters that are told of."""

_ROWS_AT_ONCE = 32
"""Bounds the memory of distances, not the result."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Seen:
    """What is said of a batch whatever is learnt meanwhile.

    Attributes:
        batch: What the gates observe.
        x: float64 (B, C) in cluster space.
        p: float64 (B,) of all reasons.
        looked: These.
        score: float64 (B, K) of each class; `class_p` likewise.
        order: int64 (B, K) classes, nearest first.
        parts: float64 (P, B) scores of the nearest class.
        distances: float64 (B, n) to the n nearest classes.
        references: int64 (B, m) the nearest reference items; `away` their distances.
        made: B times the nearest of the classes that people made, which change with decisions alone.
    """

    batch: Observed
    x: Float64s
    p: Float64s
    looked: Looked
    score: Float64s
    class_p: Float64s
    order: Int64s
    parts: Float64s
    distances: Float64s
    references: Int64s
    away: Float64s
    made: list[list[NearClass]]


class Explainer:
    """What explanations need of a bundle beside the engine; never changed once it is made.

    Args:
        known: The bundle's arrays; its held-out items are scored here, which takes some milliseconds.
        engine: Any engine of the bundle.
    """

    def __init__(self, known: KnownArrays, engine: Engine) -> None:
        self._specs = known.gate.specs
        self._gate = known.gate
        parts = known.gate.parts(known.calibration_embeddings)
        labels = known.calibration_labels
        own = parts[:, np.arange(len(labels)), labels]
        self._held_out = [np.sort(own[:, labels == k], axis=1) for k in range(known.gate.classes)]
        self._references = engine.gate.whitened(known.reference_embeddings)
        self._reference_labels = known.reference_labels

    def explain(self, engine: Engine, z: Float32s, ids: tuple[str, ...], t: Float64s) -> list[Explanation]:
        """Explain items as they would be, each by itself, the next item. Changes nothing.

        Args:
            engine: Of the same bundle.
            z: float32 (B, D) embeddings, finite.
            ids: B ids.
            t: float64 (B,) seconds since 1970 (UTC).
        """
        ready = as_at_next(engine, float(t.max()) if len(t) else 0.0)
        return self._of(ready, self.look(ready, z, ids, t), np.arange(len(ids)))

    def explain_one(self, engine: Engine, seen: Seen, n: int) -> Explanation:
        """Explain item n of what was looked at, as the next item of the engine as it is now."""
        return self._of(as_at_next(engine, float(seen.batch.t[n])), seen, np.array([n]))[0]

    def look(self, engine: Engine, z: Float32s, ids: tuple[str, ...], t: Float64s) -> Seen:
        """What does not change while items are learnt; arguments as for `explain`."""
        batch, gates = engine.decide(z, ids, t), engine.gates
        known = gates.known.look(z)
        p_item = np.take_along_axis(known.p, known.order[:, :1], axis=1)[:, 0]
        near = known.order[:, :MOST_NEAR]
        distances = np.stack([gates.known.distances(z, column) for column in near.T], axis=1)
        references, away = self._nearest_references(gates.known.whitened(z))
        return Seen(
            batch=batch,
            x=engine.space.project(z),
            p=gates.stream.judge(p_item, batch.features).p,
            looked=gates.stream.look(p_item, batch.features),
            score=known.score,
            class_p=known.p,
            order=known.order,
            parts=self._gate.parts(z)[:, np.arange(len(z)), known.order[:, 0]],
            distances=distances,
            references=references,
            away=away,
            made=made_near(gates.promoted, z, engine.labels, MOST_NEAR),
        )

    def _nearest_references(self, white: Float64s) -> tuple[Int64s, Float64s]:
        most = min(MOST_NEAR, len(self._references))
        places = np.empty((len(white), most), dtype=np.int64)
        away = np.empty((len(white), most))
        for n, row in enumerate(white):  # one at a time: all at once would take B x R x D numbers
            squares = np.square(self._references - row).sum(axis=1)
            places[n] = np.argsort(squares, kind="stable")[:most]
            away[n] = np.sqrt(squares[places[n]])
        return places, away

    # At one place in the stream

    def _of(self, ready: Engine, seen: Seen, rows: Int64s) -> list[Explanation]:
        """Of some items, `ready` being as at the next item."""
        whole, is_all = seen.batch, len(rows) == len(seen.batch)
        batch = whole if is_all else one_of(whole, int(rows[0]))
        at = homes(ready, batch)
        said, named = say(ready, batch, at)
        clusters = _near_clusters(ready, seen.x[rows])
        found = []
        for m, (n, cluster, (kind, of, novelty), near) in enumerate(
            zip(rows.tolist(), at.tolist(), said, clusters, strict=True)
        ):
            p, threshold = ready.gates.weighed(float(seen.p[n]), cluster)
            by = cluster if m in named else int(batch.taken[m])
            if by != NO_CLUSTER and m not in named:  # a class that people made has the word
                p, threshold = 1.0 - float(batch.novelty[m]), ready.params.known_error_rate
            by_cluster = (by or None) if kind is VerdictKind.KNOWN else None
            reasons = _reasons(
                seen.looked, n, float(seen.score[n, seen.order[n, 0]]), whole, ready.gates.limit(cluster)
            )
            nearest = ready.labels[named.get(m, int(batch.nearest[m]))]
            found.append(
                Explanation(
                    as_of=ready.seq,
                    verdict=kind,
                    label=nearest if kind is VerdictKind.KNOWN else None,
                    cluster_id=of or None,
                    by_cluster=by_cluster,
                    novelty=novelty,
                    p=p,
                    threshold=threshold,
                    margin=p - threshold,
                    reasons=reasons,
                    scores=self._scores(seen, n, ready.gates.limit(cluster)),
                    classes=merged(
                        _near_classes(seen, n, ready.labels), seen.made[n], int(batch.taken[m]), MOST_NEAR
                    ),
                    references=tuple(
                        NearReference(
                            label=ready.labels[int(self._reference_labels[place])], place=place, distance=away
                        )
                        for place, away in zip(
                            seen.references[n].tolist(), seen.away[n].tolist(), strict=True
                        )
                    ),
                    clusters=near,
                    sentence=sentence_of(
                        kind,
                        of,
                        p=p,
                        threshold=threshold,
                        reasons=reasons,
                        nearest=nearest,
                        clusters=near,
                        by_cluster=by_cluster,
                        taken=int(batch.taken[m]),
                    ),
                )
            )
        return found

    def _scores(self, seen: Seen, n: int, limit: float) -> tuple[ScorePart, ...]:
        held_out = self._held_out[int(seen.order[n, 0])]
        found = []
        for spec, own, value in zip(self._specs, held_out, seen.parts[:, n].tolist(), strict=True):
            as_large = len(own) - int(np.searchsorted(own, value, side="left"))
            # Of n + 1 items, itself among them, so many may be as large before p is at the limit.
            allowed = math.ceil(limit * (len(own) + 1)) - 2
            threshold = float(own[-1 - allowed]) if 0 <= allowed < len(own) else None
            found.append(
                ScorePart(
                    score=spec.score,
                    layer=spec.layer,
                    value=value,
                    p=(1 + as_large) / (len(own) + 1),
                    threshold=threshold,
                    margin=None if threshold is None else threshold - value,
                )
            )
        return tuple(found)


def _reasons(looked: Looked, n: int, score: float, batch: Observed, limit: float) -> tuple[Reason, ...]:
    found = []
    if looked.item is not None:
        p = float(looked.item[n])
        found.append(Reason(by="item", value=score, p=p, threshold=limit, margin=p - limit, cluster_id=None))
    if looked.stream is not None:
        value, p = float(looked.stream.value[n]), float(looked.stream.p[n])
        found.append(
            Reason(by="stream", value=value, p=p, threshold=limit, margin=p - limit, cluster_id=None)
        )
    if looked.claim is not None:
        value, p = float(looked.claim.value[n]), float(looked.claim.p[n])
        claimed = int(batch.claimed[n]) or None
        found.append(
            Reason(by="claim", value=value, p=p, threshold=limit, margin=p - limit, cluster_id=claimed)
        )
    return tuple(found)


def _near_classes(seen: Seen, n: int, labels: tuple[str, ...]) -> tuple[NearClass, ...]:
    near = seen.order[n, :MOST_NEAR].tolist()
    return tuple(
        NearClass(
            label=labels[k], p=float(seen.class_p[n, k]), score=float(seen.score[n, k]), distance=distance
        )
        for k, distance in zip(near, seen.distances[n].tolist(), strict=True)
    )


def _near_clusters(ready: Engine, x: Float64s) -> list[tuple[NearCluster, ...]]:
    """The nearest clusters that have a strong micro-cluster, for each row of float64 (B, C)."""
    db, reach = ready.clusterer, clusterer.reach(ready.params)
    alive = [life for life in ready.lives.values() if life.state is not ClusterState.GONE]
    away = np.full((len(x), len(alive)), np.inf)
    for place, life in enumerate(alive):
        rows = db.rows_of(life.id)
        centers = db.centers(rows[db.strong(rows)])
        for start in range(0, len(x) if len(centers) else 0, _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            squares = np.square(x[part, None, :] - centers).sum(axis=-1)
            away[part, place] = np.sqrt(squares.min(axis=1))
    found = []
    for row in away:
        nearest = [n for n in np.argsort(row, kind="stable")[:MOST_NEAR].tolist() if math.isfinite(row[n])]
        found.append(
            tuple(
                NearCluster(
                    id=alive[n].id,
                    state=alive[n].state,
                    name=alive[n].name,
                    items=items_of(alive[n], db),
                    distance=float(row[n]),
                    radius=reach if math.isfinite(reach) else None,
                    exemplars=tuple(alive[n].exemplars),
                )
                for n in nearest
            )
        )
    return found
