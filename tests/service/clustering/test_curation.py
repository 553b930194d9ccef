"""What people decide about clusters: it holds from the next item on, whatever comes, and can be taken back."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import facts, snapshot
from service.clustering.engine import Engine
from service.clustering.promoted import MOST_LABELS, MOST_PROTOTYPES
from service.clustering.stream_gate import StreamFit
from service.clustering.trial import would_say
from service.decisions import MOST_NAMED, MOST_PARTS, Action, Decided, Decision
from service.errors import CannotDecide, DecisionRefused, InvalidDecision, UnknownCluster, UnknownDecision
from service.events import EventKind
from service.pipeline.recovery import replay_entry
from service.records import ANNOUNCED, NO_CLUSTER, SHOWN, ClusterState, Verdict, VerdictKind
from service.state.packing import pack_configure, pack_curate, unpack_entry
from tests.service.clustering.overlapping import (
    APART,
    FAR,
    HIDDEN,
    LABELS,
    PARAMS,
    Driven,
    K,
    engine,
    overlapping,
)
from tests.service.clustering.test_engine_stream_gate import joined, with_two_clusters
from tests.service.clustering.test_engine_whatever_happens import other_parameters, parted

_numbers = itertools.count()


def decision(action: Action, cluster: int, **changes: Any) -> Decision:
    """One that nobody has made yet."""
    given_ = {"key": f"key-{next(_numbers)}", "t": 1.0, "who": "me", **changes}
    return Decision(action=action, cluster=cluster, **given_)


def curate(driven: Driven, action: Action, cluster: int, **changes: Any) -> Decided:
    """Carry a decision out, by way of the log entry that it makes; what came of it."""
    one = driven.engine
    seq, payload = one.seq, pack_curate(one.prepared(decision(action, cluster, **changes)))
    entry = unpack_entry(payload, first_seq=seq)
    driven.results.append(one.carry_out(entry))  # type: ignore[arg-type]
    driven.log.append((seq, payload))
    return one.decisions[-1]


def split(driven: Driven, cluster: int) -> Decided:
    """Split a cluster as it is shown."""
    shown = driven.engine.splits(cluster)
    return curate(driven, Action.SPLIT, cluster, parts=tuple(part.members for part in shown.parts))


def items(driven: Driven, which: int, n: int = 60, seed: int = 5, **changes: Any) -> list[Verdict]:
    """Verdicts of items of one class."""
    z = overlapping().items(np.random.default_rng(seed), np.full(n, which))
    return [v for r in driven.feed(z, **changes) for v in r.verdicts]


def share(verdicts: list[Verdict], **wanted: Any) -> float:
    return sum(all(getattr(v, k) == w for k, w in wanted.items()) for v in verdicts) / len(verdicts)


def restored(driven: Driven) -> None:
    """Go on from a snapshot, which is the same to the bit."""
    blob = snapshot.dump(driven.engine)
    driven.engine = snapshot.load(blob, overlapping().known, LABELS)
    assert blob == snapshot.dump(driven.engine)


@pytest.fixture
def two() -> tuple[Driven, int, int]:
    """Two announced clusters: of APART, and of FAR."""
    return with_two_clusters()


# Name, promote, link


def test_a_name_stays_until_it_is_undone(two: tuple[Driven, int, int]) -> None:
    """The cluster is otherwise what it was."""
    driven, old, _ = two
    first = curate(driven, Action.NAME, old, label="first")
    second = curate(driven, Action.NAME, old, label="second")
    with pytest.raises(CannotDecide, match=f"before decision {second.seq}"):
        curate(driven, Action.UNDO, old, undoes=first.seq)
    restored(driven)

    assert "second" == driven.engine.lives[old].name
    curate(driven, Action.UNDO, old, undoes=second.seq)
    assert "first" == driven.engine.lives[old].name
    curate(driven, Action.UNDO, old, undoes=first.seq)
    assert driven.engine.lives[old].name is None


def test_a_promoted_cluster_is_a_known_class_from_the_next_item_on(two: tuple[Driven, int, int]) -> None:
    """Its items are known, others are not; it is not announced again; and after an undo all is as before."""
    driven, old, _ = two
    made = curate(driven, Action.PROMOTE, old, label="new")
    of_it, of_other, of_known = items(driven, APART), items(driven, FAR), items(driven, 0)
    restored(driven)
    later = items(driven, APART, seed=6)

    assert (*LABELS, "new") == driven.engine.labels
    assert "new" == driven.engine.clusters()[old - 1].label
    for own in (of_it, later):
        assert share(own, verdict=VerdictKind.KNOWN, label="new") > 0.95
    assert share(of_other, label="new") == 0.0
    assert share(of_known, verdict=VerdictKind.KNOWN, label=LABELS[0]) > 0.85
    assert driven.engine.known_counts.sum() == driven.engine.verdict_counts[VerdictKind.KNOWN]
    assert driven.engine.lives[old].last_seq >= driven.engine.seq - 2
    curate(driven, Action.UNDO, old, undoes=made.seq)
    assert share(items(driven, APART, seed=7), verdict=VerdictKind.CLUSTER, cluster_id=old) > 0.95
    assert (*LABELS, "new") == driven.engine.labels
    assert not [
        e for r in driven.results for e in r.events if e.kind is EventKind.EMERGED and e.seq > made.seq
    ]


def test_a_class_outlives_its_cluster(two: tuple[Driven, int, int]) -> None:
    """The cluster fades and goes, and is still listed; its items are of the class when they come again."""
    driven, old, _ = two
    driven.engine.configure(driven.engine.params.with_changes(fade_after_items=50, gone_after_items=100))
    curate(driven, Action.PROMOTE, old, label="new")
    items(driven, 1, 300)

    assert ClusterState.GONE is driven.engine.lives[old].state
    back = items(driven, APART)
    assert share(back, label="new") > 0.9
    assert {old} == {e.cluster.id for r in driven.results[-9:] for e in r.events} | {old}


def test_a_cluster_that_is_linked_is_part_of_a_class(two: tuple[Driven, int, int]) -> None:
    """Of one of the bundle, or of one that people made; the first is undone after what builds on it."""
    driven, old, young = two
    with pytest.raises(CannotDecide, match="no class 'new' to link"):
        curate(driven, Action.LINK, old, label="new")
    with pytest.raises(CannotDecide, match="There is a class"):
        curate(driven, Action.PROMOTE, old, label=LABELS[0])
    promoted = curate(driven, Action.PROMOTE, old, label="new")
    linked = curate(driven, Action.LINK, young, label="new")

    assert share(items(driven, FAR), label="new") > 0.9
    with pytest.raises(CannotDecide, match=f"before decision {linked.seq}"):
        curate(driven, Action.UNDO, old, undoes=promoted.seq)
    curate(driven, Action.UNDO, young, undoes=linked.seq)
    curate(driven, Action.LINK, young, label=LABELS[1])
    assert share(items(driven, FAR, seed=8), label=LABELS[1]) > 0.9
    curate(driven, Action.UNDO, old, undoes=promoted.seq)
    assert share(items(driven, APART), cluster_id=old) > 0.9
    curate(driven, Action.PROMOTE, old, label="new")
    assert (*LABELS, "new") == driven.engine.labels


def test_events_offer_to_read_older_verdicts_anew(two: tuple[Driven, int, int]) -> None:
    """Which cluster is of which class, and of none after an undo."""
    driven, old, _ = two
    made = curate(driven, Action.PROMOTE, old, label="new")
    curate(driven, Action.UNDO, old, undoes=made.seq)
    told = [(e.kind, e.label, e.cluster.label) for r in driven.results[-2:] for e in r.events]

    assert told == [
        (EventKind.PROMOTED, "new", "new"),
        (EventKind.RELABELLED, "new", "new"),
        (EventKind.UNDONE, "new", None),
        (EventKind.RELABELLED, None, None),
    ]


# Merge, split


def test_what_people_merge_stays_one(two: tuple[Driven, int, int]) -> None:
    """Whatever parts it: other parameters, a fit, a restart. The undo brings the old id back, with its items."""
    driven, old, young = two
    merged = curate(driven, Action.MERGE, young, into=old)
    births = driven.engine.clusterer.births(driven.engine.clusterer.rows_of(old)).tolist()
    driven.use(_parting(old, births[: len(births) // 2]))
    driven.engine.configure(driven.engine.params.with_changes(intersection_factor=0.9))
    restored(driven)

    assert share(items(driven, FAR), cluster_id=old) > 0.9
    assert share(items(driven, APART), cluster_id=old) > 0.9
    curate(driven, Action.UNDO, young, undoes=merged.seq)
    assert share(items(driven, FAR, seed=9), cluster_id=young) > 0.9
    assert share(items(driven, APART, seed=9), cluster_id=old) > 0.9
    assert driven.engine.lives[young].merged_into is None


def test_what_people_split_stays_apart(two: tuple[Driven, int, int]) -> None:
    """Whatever would join it: a fit, a chain, a restart. The undo makes it one again."""
    driven, old, young = two
    curate(driven, Action.MERGE, young, into=old)
    made = split(driven, old)
    (child,) = made.created
    driven.use(joined(child, old))
    driven.use(joined(old, child))
    driven.engine.configure(
        driven.engine.params.with_changes(clustering_threshold=6.0, intersection_factor=0.01)
    )
    restored(driven)
    for seed in range(3):
        items(driven, APART, seed=seed)
        items(driven, FAR, seed=seed)

    assert {old, child} <= {c.id for c in driven.engine.clusters() if c.state in ANNOUNCED}
    with pytest.raises(CannotDecide, match=f"were split.*decision {made.seq}"):
        curate(driven, Action.MERGE, child, into=old)
    curate(driven, Action.UNDO, old, undoes=made.seq)
    assert old == driven.engine.lives[child].merged_into
    assert [] == driven.engine.lives[old].apart


def test_what_leaves_a_part_stays_apart_from_the_other(two: tuple[Driven, int, int]) -> None:
    """A part that a fit finds to be two is kept from the rest in both, by fits and by chains; until an undo."""
    driven, old, young = two
    curate(driven, Action.MERGE, young, into=old)
    made = split(driven, old)
    (child,) = made.created
    births = driven.engine.clusterer.births(driven.engine.clusterer.rows_of(child)).tolist()
    assert len(births) > 1
    driven.use(_parting(child, births[:1]))
    grandchild = max(driven.engine.lives)
    assert driven.engine.lives[grandchild].parent_id == child
    driven.use(joined(grandchild, old))

    assert driven.engine.lives[grandchild].merged_into is None
    curate(driven, Action.UNDO, old, undoes=made.seq)
    assert [] == driven.engine.lives[old].apart == driven.engine.lives[grandchild].apart
    driven.use(joined(grandchild, old))
    assert old == driven.engine.lives[grandchild].merged_into


def test_a_split_that_is_out_of_date_is_refused(two: tuple[Driven, int, int]) -> None:
    """A part of nobody who is a member, one part alone, a member in two, or too many of anything."""
    driven, old, _ = two
    seqs = [member.seq for member in driven.engine.lives[old].members]
    for parts, error in (
        ((tuple(seqs), (10**9,)), CannotDecide),
        ((tuple(seqs),), InvalidDecision),
        (((seqs[0],), (seqs[0],)), InvalidDecision),
        (((seqs[0],), ()), InvalidDecision),
        ((), InvalidDecision),
        (tuple((n,) for n in range(MOST_PARTS + 1)), InvalidDecision),
        (((seqs[0],), tuple(range(10**6, 10**6 + MOST_NAMED))), InvalidDecision),
    ):
        with pytest.raises(error):
            curate(driven, Action.SPLIT, old, parts=parts)


def test_what_people_made_known_is_not_unexplained(two: tuple[Driven, int, int]) -> None:
    """Its share of the recent stream counts for the known classes, until it is undone."""
    driven, old, _ = two
    assert facts.explained(driven.engine) is None
    z, which = overlapping().stream(np.random.default_rng(7), 700, new=APART, at=0.3)
    driven.feed(z)
    before = facts.explained(driven.engine)
    made = curate(driven, Action.PROMOTE, old, label="new")
    promoted = facts.explained(driven.engine)
    curate(driven, Action.UNDO, old, undoes=made.seq)

    assert before is not None
    assert promoted is not None
    assert promoted - before > 0.7 * (which == APART).mean()
    assert before == facts.explained(driven.engine)


# Dismiss


def test_a_dismissed_cluster_is_heard_of_again_when_it_grows(two: tuple[Driven, int, int]) -> None:
    """Its items keep its id; ESCALATED once, at so many times its rate; or with an item at a date."""
    driven, old, young = two
    items(driven, 0, 1500)
    curate(driven, Action.DISMISS, old, until_rate=2.0)
    curate(driven, Action.DISMISS, young, until_t=float(driven.engine.seq + 100))
    restored(driven)

    assert share(items(driven, APART, 4), cluster_id=old) > 0.9
    assert driven.engine.clusters()[old - 1].dismissed
    items(driven, APART, 40)
    items(driven, FAR, 60)
    escalated = [e.cluster.id for r in driven.results for e in r.events if e.kind is EventKind.ESCALATED]
    assert sorted(escalated) == [old, young]
    assert not driven.engine.clusters()[old - 1].dismissed


# What is refused


def test_when_no_more_prototypes_fit_clusters_stay_what_they_are(two: tuple[Driven, int, int]) -> None:
    """Nobody can promote or link another until one is undone; the state is still one that can be stored."""
    driven, old, young = two
    one = driven.engine
    made = curate(driven, Action.PROMOTE, young, label="full")
    label, prototype = one.gates.promoted.prototypes[young]
    for cluster in range(10_000, 10_000 + MOST_PROTOTYPES - 1):
        one.gates.promoted.put(cluster, label, prototype)
    restored(driven)

    for action, label_of in ((Action.PROMOTE, "another"), (Action.LINK, "full")):
        with pytest.raises(CannotDecide, match=f"{MOST_PROTOTYPES} clusters are part of classes"):
            curate(driven, action, old, label=label_of)
    assert share(items(driven, APART), cluster_id=old) > 0.9
    curate(driven, Action.UNDO, young, undoes=made.seq)
    curate(driven, Action.PROMOTE, old, label="another")
    assert share(items(driven, APART), verdict="known", label="another") > 0.9


def test_when_no_more_labels_fit_clusters_can_be_linked_alone(two: tuple[Driven, int, int]) -> None:
    """Labels stay when their classes are undone, for stored verdicts hold their places: they count for ever."""
    driven, old, young = two
    for n in range(MOST_LABELS):
        driven.engine.class_of(f"class {n}")
    restored(driven)

    with pytest.raises(CannotDecide, match=f"{MOST_LABELS} classes were made in this stream"):
        curate(driven, Action.PROMOTE, old, label="one more")
    curate(driven, Action.LINK, old, label=LABELS[0])
    curate(driven, Action.PROMOTE, young, label="class 7")  # which there was
    restored(driven)
    assert share(items(driven, FAR), verdict="known", label="class 7") > 0.9
    assert MOST_LABELS + len(LABELS) == len(driven.engine.labels)


def test_what_cannot_be_decided_is_refused_and_changes_nothing(two: tuple[Driven, int, int]) -> None:
    """The state is the same to the bit, and the message says what to do."""
    driven, old, young = two
    curate(driven, Action.MERGE, young, into=old)
    before = snapshot.dump(driven.engine)
    for error, match, wanted in (
        (UnknownCluster, "no cluster 99", decision(Action.NAME, 99, label="x")),
        (CannotDecide, f"went into cluster {old}", decision(Action.NAME, young, label="x")),
        (InvalidDecision, "into itself", decision(Action.MERGE, old, into=old)),
        (InvalidDecision, "needs 'into'", decision(Action.MERGE, old)),
        (InvalidDecision, "not empty", decision(Action.PROMOTE, old, label=" ")),
        (InvalidDecision, "200 are the most", decision(Action.NAME, old, label="x" * 201)),
        (InvalidDecision, "more than 1", decision(Action.DISMISS, old, until_rate=1.0)),
        (InvalidDecision, "a time", decision(Action.DISMISS, old, until_t=float("nan"))),
        (InvalidDecision, "a key", decision(Action.NAME, old, label="x", key="")),
        (UnknownDecision, "number 12345", decision(Action.UNDO, old, undoes=12345)),
    ):
        with pytest.raises(error, match=match):
            driven.engine.curate(wanted)
    assert before == snapshot.dump(driven.engine)


def test_river_s_clusters_are_neither_merged_nor_split() -> None:
    """They can be named and promoted."""
    driven = Driven(engine(backend="river"))
    rng = np.random.default_rng(0)
    driven.feed(overlapping().items(rng, np.where(rng.random(300) < 0.5, FAR, rng.integers(0, K, 300))))
    (cluster,) = [c.id for c in driven.engine.clusters() if c.state in ANNOUNCED][:1]
    curate(driven, Action.PROMOTE, cluster, label="new")

    assert share(items(driven, FAR), label="new") > 0.9
    for wanted in (
        decision(Action.MERGE, cluster, into=cluster),
        decision(Action.SPLIT, cluster, parts=((1,), (2,))),
    ):
        with pytest.raises(CannotDecide, match="river"):
            driven.engine.curate(wanted)


# Whatever happens


def test_a_decision_and_its_undo_leave_nothing(two: tuple[Driven, int, int]) -> None:
    """But the audit: what is said of items, and what is known of clusters, is what it would have been."""
    driven, old, young = two
    blob = snapshot.dump(driven.engine)
    plain = snapshot.load(blob, overlapping().known, LABELS)
    for action, cluster, changes in (
        (Action.NAME, old, {"label": "x"}),
        (Action.PROMOTE, old, {"label": "x"}),
        (Action.LINK, old, {"label": LABELS[0]}),
        (Action.MERGE, young, {"into": old}),
        (Action.DISMISS, old, {}),
    ):
        one = Driven(snapshot.load(blob, overlapping().known, LABELS))
        made = curate(one, action, cluster, **changes)
        curate(one, Action.UNDO, cluster, undoes=made.seq)
        z = overlapping().items(np.random.default_rng(3), np.array([APART, FAR, HIDDEN, 0] * 20))
        ids = tuple(f"x{n}" for n in range(len(z)))
        again = would_say(one.engine, z, ids, np.zeros(len(z)))
        wanted = would_say(plain, z, ids, np.zeros(len(z)))

        assert [(v.verdict, v.label, v.cluster_id, v.novelty) for v in wanted] == [
            (v.verdict, v.label, v.cluster_id, v.novelty) for v in again
        ], action
        state, before = one.engine.clusterer.state(), plain.clusterer.state()
        assert all(state[name].tobytes() == before[name].tobytes() for name in before), action


def a_decision(one: Engine, rng: np.random.Generator) -> Decision | None:
    """One that comes to mind; it may be refused."""
    shown = [life.id for life in one.lives.values() if life.state in SHOWN]
    if not shown:
        return None
    cluster, action = int(rng.choice(shown)), list(Action)[int(rng.integers(len(Action)))]
    changes: dict[str, Any] = {}
    match action:
        case Action.NAME | Action.PROMOTE | Action.LINK:
            changes["label"] = str(rng.choice(["one", "two", LABELS[0]]))
        case Action.MERGE:
            changes["into"] = int(rng.choice(shown))
        case Action.SPLIT:
            seqs = rng.permutation([member.seq for member in one.lives[cluster].members]).tolist()
            changes["parts"] = (tuple(seqs[: len(seqs) // 3]), tuple(seqs[len(seqs) // 2 :]))
        case Action.DISMISS:
            changes["until_rate"] = 1.5
        case Action.UNDO:
            made = [d for d in one.decisions if d.undone_by is None]
            if not made:
                return None
            chosen = made[int(rng.integers(len(made)))]
            cluster, changes["undoes"] = chosen.decision.cluster, chosen.seq
    return decision(action, cluster, **changes)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whatever_is_decided_the_log_gives_the_same_state(seed: int) -> None:
    """Decisions between items, fits, joins, partings, other parameters and restarts: the replay is the same to the bit,
    as is a batch cut otherwise; what was split is apart, what was merged is one, and nothing is lost.
    """
    rng = np.random.default_rng(seed)
    driven = Driven(engine(**({"gates": "items"} if seed % 3 == 0 else {})), lag=int(rng.integers(0, 3)))
    for _ in range(25):
        if rng.random() < 0.1:
            driven.log.append((driven.engine.seq, pack_configure(params := other_parameters(rng))))
            driven.engine.configure(params)
            driven.forget_fit()
        which = np.where(rng.random(40) < 0.7, rng.choice([APART, FAR, HIDDEN]), rng.integers(0, K, 40))
        z = overlapping().items(rng, which)
        one = driven.engine
        said = would_say(one, z[:1], ("next",), np.array([float(one.seq)]))
        (result, *_) = driven.feed(z[:1], makes_fits=False)
        assert said[0].label == result.verdicts[0].label
        assert said[0].verdict is result.verdicts[0].verdict
        driven.feed(z[1:], batch=int(rng.integers(1, 40)))
        told = [life.id for life in one.lives.values() if life.state in ANNOUNCED]
        if len(told) > 1 and one.params.gates != "items" and rng.random() < 0.3:
            driven.use(joined(*(int(c) for c in rng.choice(told, 2, replace=False))))
        if told and one.params.gates != "items" and rng.random() < 0.3:
            driven.use(parted(int(rng.choice(told)), one, rng))
        for _ in range(3):
            wanted = a_decision(one, rng)
            if wanted is not None:
                before = snapshot.digest(one)
                try:
                    prepared = one.prepared(wanted)
                except DecisionRefused:
                    assert before == snapshot.digest(one)
                else:
                    driven.log.append((one.seq, pack_curate(prepared)))
                    driven.results.append(one.carry_out(prepared))
        if rng.random() < 0.3:
            restored(driven)
        _check(driven)
    again = Engine(
        overlapping().known, LABELS, PARAMS.with_changes(gates="items" if seed % 3 == 0 else "both")
    )
    for first_seq, payload in driven.log:
        replay_entry(again, unpack_entry(payload, first_seq=first_seq))

    assert snapshot.dump(driven.engine) == snapshot.dump(again)


def _check(driven: Driven) -> None:
    one = driven.engine
    db = one.clusterer
    assert sum(len(db.rows_of(cluster)) for cluster in [NO_CLUSTER, *one.lives]) == len(db)
    for life in one.lives.values():
        for other in life.apart:
            assert life.merged_into != other
            assert life.id in one.lives[other].apart
    for made in one.decisions:
        if made.undone_by is None and made.decision.action is Action.MERGE:
            assert one.lives[made.decision.cluster].merged_into is not None
        if made.undone_by is None and made.decision.action in (Action.PROMOTE, Action.LINK):
            assert made.decision.cluster in one.gates.promoted.prototypes
            assert made.label in one.labels


def _parting(cluster: int, births: list[int]) -> StreamFit:
    return replace(
        joined(cluster, cluster),
        joins=np.empty((0, 2), np.int64),
        partings=np.array([[cluster, birth] for birth in births]).reshape(-1, 2),
    )
