"""What the engine knows of one cluster now: the facts that decide over its life (lifecycle.py), and the evidence."""

import math
from typing import TYPE_CHECKING

import numpy as np

from service.clustering import clusterer
from service.clustering.evidence import evidence_of
from service.clustering.kinship import Life
from service.clustering.lifecycle import JUDGED, Facts
from service.clustering.shape import is_too_wide
from service.clustering.variants import Answer, Judgement, judged
from service.records import Bools, ClusterState, Evidence

if TYPE_CHECKING:
    from service.clustering.engine import Engine


def inside(engine: "Engine", cluster: int) -> Bools:
    """Which held-out items lie in a cluster's strong micro-clusters."""
    db = engine.clusterer
    rows = db.rows_of(cluster)
    return engine.gates.background.inside(
        cluster, db.centers(rows[db.strong(rows)]), clusterer.reach(engine.params)
    )


def p0_of(engine: "Engine", life: Life) -> float:
    """Upper bound on the rate at which known items fall into it."""
    seen = [engine.cores.usual(), engine.cores.since(life.cores)]
    return engine.gates.background.p0(
        inside(engine, life.id), *(np.array(counts[:-1], dtype=np.float64) for counts in seen if counts)
    )


def evidence(engine: "Engine", life: Life) -> Evidence:
    """Why it is, or is not, announced."""
    return _evidence(engine, life, explained(engine))


def _evidence(engine: "Engine", life: Life, explained: float | None) -> Evidence:
    return evidence_of(
        life,
        engine.seq,
        budget=engine.params.false_alarm_rate,
        prototypes=engine.prototypes,
        usual=engine.usual,
        explained=explained,
    )


def explained(engine: "Engine") -> float | None:
    """Share of the recent stream that known classes explain, those that people made of clusters among them."""
    shares, db = engine.stream.shares, engine.clusterer
    if shares is None:
        return None
    births = [db.births(db.rows_of(cluster)) for cluster in engine.gates.promoted.classes]
    made = engine.stream.share_of(np.concatenate(births)) if births else 0.0
    return math.fsum(shares.tolist()) + made


def facts(engine: "Engine", life: Life, *, had_item: bool) -> Facts:
    """What decides over its next state."""
    is_asked = had_item and life.state is ClusterState.CANDIDATE
    found = _evidence(engine, life, None) if is_asked else None  # what is explained decides nothing
    in_micro_clusters = engine.clusterer.items_of(life.id)
    # What people made part of a class does not turn out to be a drift of another.
    is_judged = had_item and life.state in JUDGED and life.label is None
    return Facts(
        items=life.residual + in_micro_clusters,
        repeats=life.repeats,
        idle=engine.seq - life.last_seq,
        is_proven=found is not None and found.log10_e >= found.log10_threshold,
        is_too_wide=found is not None and is_too_wide(found.cohesion, engine.usual),
        has_micro_clusters=in_micro_clusters > 0,
        answer=judgement(engine, life).answer if is_judged else Answer.NEW,
    )


def judgement(engine: "Engine", life: Life) -> Judgement:
    """Variant or new, by what came since its birth; one that was past the question and came back is new."""
    if not life.cores:
        return Judgement(answer=Answer.NEW)
    return judged(life.usual, engine.cores.since(life.cores), engine.items(life))
