"""An engine in another space: what people know goes on, told by the members of clusters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.moving import Moved, moved
from service.decisions import Action, Decision
from service.errors import CannotDecide
from service.records import ANNOUNCED, ClusterState, Float32s, VerdictKind
from tests.service.clustering.overlapping import APART, FAR, LABELS, PARAMS, D, Driven, K, overlapping
from tests.service.known_of import known_of

TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(D, D)))[0].astype(np.float32)
"""Another embedding: the same world, turned."""


def turned_known() -> Any:
    world, rng = overlapping(), np.random.default_rng(7)
    y_fit, y_cal = np.repeat(np.arange(K), 200), np.arange(2000) % K
    return known_of(world.items(rng, y_fit) @ TURN, y_fit, world.items(rng, y_cal) @ TURN, y_cal)


KNOWN = turned_known()


def items(seed: int, n: int, new: float = 0.15) -> tuple[Float32s, np.ndarray]:
    rng = np.random.default_rng(seed)
    which = np.where(rng.random(n) < new, APART, np.where(rng.random(n) < new, FAR, rng.integers(0, K, n)))
    return overlapping().items(rng, which), which


def lived(n: int = 900, **params: Any) -> tuple[Driven, Mapping[str, Float32s]]:
    """A stream with clusters, and what each of its items is in the other space."""
    driven = Driven(Engine(overlapping().known, LABELS, PARAMS.with_changes(**params)))
    z, _ = items(1, n)
    driven.feed(z, makes_fits=False)
    return driven, dict(zip((f"i{k}" for k in range(n)), (z @ TURN).astype(np.float32), strict=True))


def move(driven: Driven, embedded: Mapping[str, Float32s], labels: tuple[str, ...] = LABELS) -> Moved:
    """A copy of it, so that the stream can go on."""
    return moved(snapshot.copy_of(driven.engine), KNOWN, labels, driven.engine.params, embedded)


def test_clusters_keep_ids_states_and_items() -> None:
    """All that people see of a cluster but where it lies."""
    driven, embedded = lived()
    after = move(driven, embedded).engine
    shown = [c for c in driven.engine.clusters() if c.state in ANNOUNCED]

    assert len(shown) >= 2
    for cluster in shown:
        again = next(c for c in after.clusters() if c.id == cluster.id)
        assert (cluster.state, cluster.items, cluster.born_seq, cluster.emerged_seq, cluster.last_seq) == (
            again.state,
            again.items,
            again.born_seq,
            again.emerged_seq,
            again.last_seq,
        )
        assert cluster.exemplars == again.exemplars
        assert cluster.weight == pytest.approx(again.weight)


def test_the_stream_goes_on_where_it_was() -> None:
    """Places and ids are given on from where they were, never again."""
    driven, embedded = lived()
    after = move(driven, embedded).engine

    assert (driven.engine.seq, driven.engine.next_cluster_id) == (after.seq, after.next_cluster_id)
    assert driven.engine.verdict_counts == after.verdict_counts
    assert driven.engine.known_counts.tolist() == after.known_counts.tolist()


def test_the_state_is_one_that_can_be_stored() -> None:
    """It passes every check of a snapshot, and comes back the same."""
    driven, embedded = lived()
    after = move(driven, embedded).engine
    blob = snapshot.dump(after)

    assert blob == snapshot.dump(snapshot.load(blob, KNOWN, LABELS))


def test_new_items_of_a_cluster_go_to_it() -> None:
    """As they would have without the move, nearly all of them."""
    driven, embedded = lived()
    after = move(driven, embedded).engine
    z, which = items(2, 300)
    before = [v.cluster_id for v in driven.step(z).verdicts]
    ids, t = tuple(f"n{k}" for k in range(len(z))), np.arange(len(z), dtype=np.float64)
    now = [v.cluster_id for v in after.step((z @ TURN).astype(np.float32), ids, t).verdicts]
    is_new = np.isin(which, (APART, FAR))
    clusters = {c for c, new in zip(before, is_new, strict=True) if new and c is not None}

    assert len(clusters) >= 2
    assert clusters >= {c for c in now if c is not None}
    same = np.array([a == b for a, b in zip(before, now, strict=True)])
    assert same[is_new].mean() > 0.8


def test_a_cluster_of_which_nothing_is_at_hand_ends() -> None:
    """Its id stays listed; the others go on, and it is told."""
    driven, embedded = lived()
    first, *others = [c.id for c in driven.engine.clusters() if c.state in ANNOUNCED]
    own = set(driven.engine.lives[first].members.ids)
    result = move(driven, {id: z for id, z in embedded.items() if id not in own})
    fates = {fate.cluster: fate for fate in result.fates}

    assert ClusterState.GONE is result.engine.lives[first].state
    assert (False, 0) == (fates[first].is_kept, fates[first].embedded)
    assert all(fates[other].is_kept for other in others)
    assert driven.engine.clusters()[0].items == result.engine.clusters()[0].items


def test_a_cluster_of_which_something_is_at_hand_goes_on_by_that() -> None:
    """Fewer members, the same weight."""
    driven, embedded = lived()
    first = next(c.id for c in driven.engine.clusters() if c.state in ANNOUNCED)
    members = driven.engine.lives[first].members.ids
    result = move(driven, {id: embedded[id] for id in members[:3]})

    assert set(members[:3]) == set(result.engine.lives[first].members.ids)
    assert snapshot.dump(result.engine)
    before, after = driven.engine.clusters()[0], result.engine.clusters()[0]
    assert (before.id, before.items) == (after.id, after.items)


def test_candidates_go_and_are_counted() -> None:
    """Nobody has seen them; they form again."""
    driven, embedded = lived(60)
    candidates = [c for c in driven.engine.clusters() if c.state is ClusterState.CANDIDATE]
    result = move(driven, embedded)

    assert len(candidates) == result.dropped
    assert all(c.state is not ClusterState.CANDIDATE for c in result.engine.clusters())


def test_counts_go_by_the_names_of_classes() -> None:
    """Whatever their order; of a class that is no more, nothing is counted."""
    driven, embedded = lived()
    labels = ("dog", "cow", "elk", "ant")
    after = move(driven, embedded, labels).engine
    before = dict(zip(LABELS, driven.engine.known_counts.tolist(), strict=True))

    assert [before.get(label, 0) for label in labels] == after.known_counts.tolist()
    assert after.verdict_counts[VerdictKind.KNOWN] == sum(before.get(label, 0) for label in labels)
    assert snapshot.load(snapshot.dump(after), KNOWN, labels)


def test_what_the_new_bundle_takes_for_known_is_told() -> None:
    """A cluster that is a class of it now: the share of members, and which."""
    driven, embedded = lived()
    first = next(c.id for c in driven.engine.clusters() if c.state in ANNOUNCED)
    members = driven.engine.lives[first].members.ids
    centre = (overlapping().centers[1] @ TURN).astype(np.float32)
    result = move(driven, embedded | dict.fromkeys(members, centre))
    fate = next(fate for fate in result.fates if fate.cluster == first)

    assert ("bee", 1.0) == (fate.becomes, fate.share)


def test_a_stream_of_nothing_can_be_moved() -> None:
    """One that was begun and no more."""
    fresh = Engine(overlapping().known, LABELS, PARAMS)
    fresh.configure(PARAMS)
    after = moved(fresh, KNOWN, LABELS, PARAMS, {}).engine

    assert 1 == snapshot.load(snapshot.dump(after), KNOWN, LABELS).seq


# What people decided


def decide(engine: Engine, action: Action, cluster: int, **said: Any) -> int:
    """The number of the decision."""
    seq = engine.seq
    engine.curate(Decision(key=f"d{seq}", action=action, cluster=cluster, t=0.0, who="ann", **said))
    return seq


def of(driven: Driven, new_class: int) -> int:
    """The cluster of one of the new classes."""
    centre = overlapping().centers[new_class]
    lives = [life for life in driven.engine.lives.values() if life.state in ANNOUNCED]
    return min(lives, key=lambda life: float(np.linalg.norm(life.members.z.mean(axis=0) - centre))).id


def said_of(engine: Engine, new_class: int) -> list[str | None]:
    """What an engine in the other space says of fresh items of a class."""
    z = overlapping().items(np.random.default_rng(3), np.full(60, new_class)) @ TURN
    ids, t = tuple(f"f{k}" for k in range(60)), np.zeros(60)
    return [v.label for v in engine.step(z.astype(np.float32), ids, t).verdicts]


def test_a_class_that_people_made_goes_on() -> None:
    """Its items are known by its label, as before; names and decisions are listed."""
    driven, embedded = lived()
    elk = of(driven, APART)
    decide(driven.engine, Action.NAME, elk, label="antlers")
    decide(driven.engine, Action.PROMOTE, elk, label="elk")
    after = move(driven, embedded).engine
    life = after.lives[elk]

    assert (*LABELS, "elk") == after.labels
    assert ("antlers", "elk") == (life.name, after.labels[life.label or 0])
    assert driven.engine.decisions == after.decisions
    assert said_of(after, APART).count("elk") > 40
    assert snapshot.load(snapshot.dump(after), KNOWN, LABELS)


def test_it_is_the_new_bundles_class_where_that_has_one() -> None:
    """There is one class of the name, and not two."""
    driven, embedded = lived()
    elk = of(driven, APART)
    decide(driven.engine, Action.PROMOTE, elk, label="elk")
    labels = ("ant", "bee", "elk", "dog")
    result = move(driven, embedded, labels)

    assert labels == result.engine.labels
    assert labels.index("elk") == result.engine.lives[elk].label
    assert "elk" == next(fate.label for fate in result.fates if fate.cluster == elk)
    assert snapshot.load(snapshot.dump(result.engine), KNOWN, labels)


def test_a_promotion_can_be_undone_after_a_move() -> None:
    """What it found still means something."""
    driven, embedded = lived()
    elk = of(driven, APART)
    seq = decide(driven.engine, Action.PROMOTE, elk, label="elk")
    after = move(driven, embedded).engine
    decide(after, Action.UNDO, elk, undoes=seq)

    assert after.lives[elk].label is None
    assert "elk" not in said_of(after, APART)


def test_a_merge_cannot_be_undone_after_a_move() -> None:
    """It goes by micro-clusters of before; the heir stays one, and is told so."""
    driven, embedded = lived()
    one, other = of(driven, APART), of(driven, FAR)
    seq = decide(driven.engine, Action.MERGE, other, into=one)
    after = move(driven, embedded).engine

    assert one == after.lives[other].merged_into
    with pytest.raises(CannotDecide, match="too long ago"):
        decide(after, Action.UNDO, other, undoes=seq)
    assert snapshot.load(snapshot.dump(after), KNOWN, LABELS)


@pytest.mark.parametrize("is_parted", [False, True], ids=["merged", "split"])
def test_what_people_merged_or_split_stays_so(is_parted: bool) -> None:
    """Must-link and cannot-link outlive the move, other parameters that would part or join, a snapshot, and items."""
    driven, embedded = lived()
    one, other = of(driven, APART), of(driven, FAR)
    decide(driven.engine, Action.MERGE, other, into=one)
    child, seq = 0, 0
    if is_parted:
        parts = driven.engine.splits(one).parts
        seq = decide(driven.engine, Action.SPLIT, one, parts=tuple(part.members for part in parts))
        (child, *_) = driven.engine.decisions[-1].created
    after = move(driven, embedded).engine
    loose = {"clustering_threshold": 6.0, "intersection_factor": 0.01}
    after.configure(after.params.with_changes(**(loose if is_parted else {"intersection_factor": 0.9})))
    after = snapshot.load(snapshot.dump(after), KNOWN, LABELS)
    for new_class in (APART, FAR, APART):
        said_of(after, new_class)
    shown = {life.id for life in after.lives.values() if life.state in ANNOUNCED}

    assert {one, child} - {0} <= shown
    assert other not in shown
    if is_parted:
        decide(after, Action.UNDO, one, undoes=seq)
        assert one == after.lives[child].merged_into
    else:
        z = overlapping().items(np.random.default_rng(8), np.array([APART, FAR] * 30)) @ TURN
        said = after.step(z.astype(np.float32), tuple(f"g{k}" for k in range(60)), np.zeros(60)).verdicts
        assert [v.cluster_id for v in said].count(one) > 45
    assert snapshot.load(snapshot.dump(after), KNOWN, LABELS)


def test_a_class_of_which_nothing_is_at_hand_ends_with_its_cluster() -> None:
    """Its decision stays listed, and the state is sound."""
    driven, embedded = lived()
    elk = of(driven, APART)
    seq = decide(driven.engine, Action.PROMOTE, elk, label="elk")
    own = set(driven.engine.lives[elk].members.ids)
    result = move(driven, {id: z for id, z in embedded.items() if id not in own})

    assert driven.engine.decisions == result.engine.decisions
    assert "elk" not in said_of(result.engine, APART)
    with pytest.raises(CannotDecide):
        decide(result.engine, Action.UNDO, elk, undoes=seq)
    assert snapshot.load(snapshot.dump(result.engine), KNOWN, LABELS)
