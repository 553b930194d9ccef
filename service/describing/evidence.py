"""All that speaks for a cluster, and shows what it is, in one record: what `GET /clusters/{id}/evidence` says.

    look       what the engine knows, copied between two steps: quick, and consistent
    describe   the same with payloads: exemplars, what sets it apart, a name; slow, and beside the stream

Lengths are in cluster space, where the median known class has an RMS radius of 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pydantic

from model.bundle import Bundle
from model.inputs import ImageInput, NumericInput, Payload, TableInput, TextInput, decode_item
from service.clustering.arrivals import SPAN, growth, rate
from service.clustering.emergence import log_threshold
from service.clustering.engine import Engine
from service.clustering.kinship import Life
from service.clustering.lifecycle import JUDGED
from service.clustering.members import Member
from service.clustering.variants import Answer, judged
from service.describing.exemplars import Exemplar, exemplars
from service.describing.features import Feature, apart, usual_of
from service.describing.naming import suggested
from service.describing.pictures import average_of, png_of
from service.describing.terms import Term, distinguishing
from service.records import SHOWN, Cluster, Float32s

MOST_OTHERS: Final = 400
"""Members of other clusters that are compared with."""

_BUDGET_SHARE: Final = 6.0 / math.pi**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """New, or a known class that drifted.

    Attributes:
        answer: "new" or "drift".
        of: The known class that drifted, or None.
        nearest: The known class that lies nearest.
        distance: How far it is from the cluster's centre.
        reason: For people.
    """

    answer: str
    of: str | None
    nearest: str | None
    distance: float | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The false-alarm budget, which is the operator's for the whole life of the stream.

    Attributes:
        alpha: The budget.
        own: What testing this cluster may have cost of it.
        spent: What testing all so far may have cost.
        tested: How many were tested.
    """

    alpha: float
    own: float
    spent: float
    tested: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """Where it comes from and went.

    Attributes:
        parent_id: What it split from, or None.
        merged_into: What took it in, or None.
        children: What split from it.
        took_in: What merged into it.
    """

    parent_id: int | None
    merged_into: int | None
    children: tuple[int, ...]
    took_in: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A member that is shown.

    Attributes:
        role: Why: medoid, newest, diverse or boundary.
        id, seq, t: Of the item.
        distance: To the medoid.
        kept: Whether its payload is there.
        payload: As a client would send it; None where it is not there, and for a picture.
        picture: PNG in base64 of an image, else None.
    """

    role: str
    id: str
    seq: int
    t: float
    distance: float
    kept: bool
    payload: pydantic.JsonValue
    picture: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterEvidence:
    """See the top of this file.

    Attributes:
        seq: Where the stream stands.
        cluster: As `GET /clusters/{id}` shows it, with its e-value.
        suggested_name: For people to take or leave.
        verdict: New or drift.
        budget: Of false alarms.
        lineage: What became of what.
        members: How many are remembered; payloads: of how many the payload is there.
        rate: Items per 1,000 items of the stream, of late.
        growth: Items in the newer half of `arrivals` over those in the older, or None.
        arrivals: Items in each of the latest spans of `span` items of the stream, oldest first.
        exemplars: Members to look at.
        terms: What sets texts apart. features: what sets rows or vectors apart.
        average: PNG in base64 of the mean of the pictures, or None.
    """

    seq: int
    cluster: Cluster
    suggested_name: str
    verdict: Verdict
    budget: Budget
    lineage: Lineage
    members: int
    payloads: int
    rate: float
    growth: float | None
    span: int
    arrivals: tuple[int, ...]
    exemplars: tuple[Shown, ...]
    terms: tuple[Term, ...]
    features: tuple[Feature, ...]
    average: str | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Looked:
    """What `look` has seen.

    Attributes:
        seq: Where the stream stands.
        cluster: The cluster.
        members: In order of the stream; chosen: those to show.
        others: Ids of members of other clusters that people are shown.
    """

    seq: int
    cluster: Cluster
    members: tuple[Member, ...]
    chosen: tuple[Exemplar, ...]
    others: tuple[str, ...]
    verdict: Verdict
    budget: Budget
    lineage: Lineage
    arrivals: tuple[int, ...]

    @property
    def wanted(self) -> list[str]:
        """Ids of all payloads that `describe` can use, each once."""
        return list(dict.fromkeys([*(member.id for member in self.members), *self.others]))


def look(engine: Engine, cluster: int, bundle: Bundle) -> Looked | None:
    """What an engine at rest knows of a cluster; None where it knows of none of this id."""
    life = engine.lives.get(cluster)
    view = next((view for view in engine.clusters() if view.id == cluster), None)
    if life is None or view is None:
        return None
    members = tuple(life.members)
    chosen: tuple[Exemplar, ...] = ()
    if members:
        x, known = (engine.space.project(z) for z in (life.members.z, bundle.known.prototypes))
        chosen = exemplars(x, known)
    return Looked(
        seq=engine.seq,
        cluster=view,
        members=members,
        chosen=chosen,
        others=_others(engine, cluster),
        verdict=_verdict(engine, life, view),
        budget=_budget(engine, life),
        lineage=Lineage(
            parent_id=life.parent_id,
            merged_into=life.merged_into,
            children=tuple(other.id for other in engine.lives.values() if other.parent_id == cluster),
            took_in=tuple(other.id for other in engine.lives.values() if other.merged_into == cluster),
        ),
        arrivals=tuple(life.arrivals.until(engine.seq, since=life.born_seq)),
    )


def describe(
    seen: Looked, payloads: Mapping[str, Payload], bundle: Bundle, fitted: Mapping[str, float]
) -> ClusterEvidence:
    """The evidence.

    Args:
        seen: What `look` gave.
        payloads: Those that are there, by id.
        bundle: What the stream is decided with.
        fitted: What `terms.fitted_shares` says of it.
    """
    spec = bundle.manifest.input
    own = [payloads[member.id] for member in seen.members if member.id in payloads]
    mine = {member.id for member in seen.members}
    others = [payloads[id] for id in seen.others if id in payloads and id not in mine]
    terms: tuple[Term, ...] = ()
    features: tuple[Feature, ...] = ()
    average: str | None = None
    if isinstance(spec, TextInput):
        golden = [str(item) for item in bundle.golden.items]
        terms = distinguishing(_texts(own), [*_texts(others), *golden], fitted) if own else ()
    elif isinstance(spec, ImageInput):
        mean = average_of(_arrays(own, spec.shape))
        average = None if mean is None else png_of(mean)
    elif own_rows := _arrays(own, None):
        golden_rows = [decode_item(item, spec) for item in bundle.golden.items]
        rows = _arrays([*golden_rows, *others], own_rows[0].shape)
        features = apart(np.stack(own_rows), usual_of(bundle, np.stack(rows)), spec)
    counts = list(seen.arrivals)
    return ClusterEvidence(
        seq=seen.seq,
        cluster=seen.cluster,
        suggested_name=suggested(
            seen.cluster.id,
            drift_of=seen.verdict.of,
            nearest=seen.verdict.nearest,
            terms=terms,
            features=features,
        ),
        verdict=seen.verdict,
        budget=seen.budget,
        lineage=seen.lineage,
        members=len(seen.members),
        payloads=len(own),
        rate=rate(counts, seen.seq, since=seen.cluster.born_seq),
        growth=growth(counts),
        span=SPAN,
        arrivals=seen.arrivals,
        exemplars=tuple(shown(one, seen.members[one.row], payloads, bundle) for one in seen.chosen),
        terms=terms,
        features=features,
        average=average,
    )


def _others(engine: Engine, cluster: int) -> tuple[str, ...]:
    """As many of each cluster that people are shown, the latest."""
    lives = [
        life for life in engine.lives.values() if life.id != cluster and life.state in SHOWN and life.members
    ]
    each = max(1, MOST_OTHERS // max(1, len(lives)))
    ids = [member.id for life in lives[-MOST_OTHERS:] for member in list(life.members)[-each:]]
    return tuple(ids)


def _verdict(engine: Engine, life: Life, view: Cluster) -> Verdict:
    judgement = None
    if life.variant_of is None and life.state in JUDGED and life.cores:
        judgement = judged(life.usual, engine.cores.since(life.cores), view.items)
    of, missing = view.variant_of, view.missing
    if judgement is not None and judgement.answer is Answer.DRIFT and judgement.drifted is not None:
        of, missing = engine.labels[judgement.drifted], judgement.missing
    if of is not None and missing is not None:
        reason = (
            f"Since it came, {of!r} had {missing.seen} items where it was wont to be, and {missing.expected:.0f} were "
            "expected there: it may have drifted."
        )
    elif view.nearest is None or view.nearest_distance is None:
        reason = "Nothing of it is left to compare with known classes."
    else:
        reason = (
            f"No known class is missing items since it came; the nearest, {view.nearest!r}, lies "
            f"{view.nearest_distance:.1f} class radii away."
        )
    answer = Answer.NEW if of is None else Answer.DRIFT
    return Verdict(
        answer=answer.value, of=of, nearest=view.nearest, distance=view.nearest_distance, reason=reason
    )


def _budget(engine: Engine, life: Life) -> Budget:
    alpha = engine.params.false_alarm_rate
    spent = math.fsum(_BUDGET_SHARE * alpha / j**2 for j in range(1, engine.candidates_tested + 1))
    own = math.exp(-log_threshold(life.ordinal, alpha))
    return Budget(alpha=alpha, own=own, spent=round(spent, 12), tested=engine.candidates_tested)


def shown(one: Exemplar, member: Member, payloads: Mapping[str, Payload], bundle: Bundle) -> Shown:
    """A member as it is shown, with its payload where that is there."""
    x, spec = payloads.get(member.id), bundle.manifest.input
    payload: pydantic.JsonValue = None
    picture: str | None = None
    if isinstance(spec, ImageInput) and isinstance(x, np.ndarray):
        picture = png_of(x)
    elif isinstance(spec, NumericInput) and isinstance(x, np.ndarray):
        payload = [_digits(spec.minimum + float(v) * (spec.maximum - spec.minimum)) for v in x.ravel()]
    elif isinstance(spec, TableInput | TextInput) and x is not None:
        payload = spec.raw_item(x)
    return Shown(
        role=one.role.value,
        id=member.id,
        seq=member.seq,
        t=member.t,
        distance=round(one.distance, 6),
        kept=x is not None,
        payload=payload,
        picture=picture,
    )


def _texts(payloads: Sequence[Payload]) -> list[str]:
    return [x for x in payloads if isinstance(x, str)]


def _arrays(payloads: Sequence[Any], shape: tuple[int, ...] | None) -> list[Float32s]:
    """Those that are numbers, of this shape if any: a payload of another kind of input is left out."""
    return [x for x in payloads if isinstance(x, np.ndarray) and (shape is None or x.shape == shape)]


def _digits(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
