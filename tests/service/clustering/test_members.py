"""The members that are remembered: few, drawn fairly, and the same however they came."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.members import MOST_MEMBERS, NEWEST, SAMPLE, Member, Members, member_of, rank
from service.records import ClusterState, Float32s
from tests.service.clustering.conftest import LABELS, MakeEngine, World
from tests.service.clustering.fed import feed

D = 3


def place(seq: int) -> Float32s:
    return np.array([seq, -seq, 0.5], dtype=np.float32)


def of(seqs: Iterable[int], *, keep_sample: bool = True) -> Members:
    """Items at these places, each in the micro-cluster of its last digit."""
    members = Members()
    for seq in seqs:
        members.add(member_of(f"i{seq}", seq, float(seq), seq % 10 + 1, place(seq)), keep_sample=keep_sample)
    return members


def literally(seqs: Iterable[int]) -> list[int]:
    """What is to be kept, by definition: the newest, and of the rest those of the lowest ranks."""
    ordered = sorted(seqs)
    older = [Member(id="", seq=seq, t=0.0, birth=1, z=b"") for seq in ordered[:-NEWEST]]
    return sorted(m.seq for m in sorted(older, key=rank)[:SAMPLE]) + ordered[-NEWEST:]


SEQS = st.sets(st.integers(0, 10**6), max_size=400)


@settings(max_examples=60, deadline=None)
@given(SEQS)
def test_what_is_kept_is_bounded_and_follows_from_the_places_alone(seqs: set[int]) -> None:
    """The newest, and the lowest ranks of the rest: as the definition says, in order of the stream."""
    members = of(sorted(seqs))

    assert literally(seqs) == [member.seq for member in members]
    assert len(members) == min(len(seqs), MOST_MEMBERS)


@settings(max_examples=60, deadline=None)
@given(SEQS, st.sets(st.integers(1, 10)))
def test_parts_that_come_together_again_are_the_whole(seqs: set[int], births: set[int]) -> None:
    """Every member goes with its micro-cluster, none is lost, and a part is in order by itself."""
    members = of(sorted(seqs))
    before = list(members)
    part = Members()
    part.take_in(members.part(births))

    assert all(member.birth in births for member in part)
    assert not set(members.births.tolist()) & births
    for some in (members, part):
        assert list(some) == sorted(some, key=lambda member: member.seq)
        assert len(some.newest) == min(NEWEST, len(some))
    members.take_in(part)
    assert before == list(members)


@settings(max_examples=60, deadline=None)
@given(SEQS, SEQS)
def test_two_that_become_one_keep_what_one_would_have_kept(ours: set[int], theirs: set[int]) -> None:
    """The sample of both together."""
    members = of(sorted(ours))
    members.take_in(of(sorted(theirs - ours)))

    assert literally(ours | theirs) == [member.seq for member in members]


def test_a_sample_is_drawn_fairly() -> None:
    """Of ten thousand items each tenth of the stream gives about as many."""
    seqs = np.array([member.seq for member in of(range(10_000)).sample])

    counts = np.histogram(seqs, bins=10, range=(0, 10_000))[0]
    assert SAMPLE == counts.sum()
    assert 2 <= counts.min() <= counts.max() <= 30  # 12 expected


def test_embeddings_are_kept_to_the_bit() -> None:
    """Rows, ids and births in one order; and of none, none."""
    members = of([1, 5, 12])

    assert ("i1", "i5", "i12") == members.ids
    assert np.array_equal(np.stack([place(1), place(5), place(12)]), members.z)
    assert members.z.dtype == np.float32
    assert [2, 6, 3] == members.births.tolist()
    assert (0, 0) == Members().z.shape


def test_a_candidate_keeps_the_newest_alone() -> None:
    """Many candidates are cheap."""
    assert list(range(92, 100)) == [member.seq for member in of(range(100), keep_sample=False)]


# In an engine


def drawn(world: World, n: int = 600) -> Float32s:
    return world.items(np.random.default_rng(5), n=n, share_new=0.4)


@pytest.mark.parametrize("backend", ["firstseen", "river"])
def test_batches_and_replays_keep_the_same(make_engine: MakeEngine, world: World, backend: str) -> None:
    """One by one, in batches, or from a snapshot on: the same members, to the bit."""
    z = drawn(world)
    one, other = make_engine(backend=backend), make_engine(backend=backend)
    feed(one, z)
    feed(other, z[:250], [1] * 250)
    other = snapshot.load(snapshot.dump(other), world.known, LABELS)
    feed(other, z[250:], [7] * 50)

    assert snapshot.dump(one) == snapshot.dump(other)
    assert any(len(life.members) > NEWEST for life in one.lives.values())


def test_members_are_items_that_no_known_class_took(make_engine: MakeEngine, world: World) -> None:
    """And with the embedding that they had; a cluster that is gone has none."""
    engine, z = make_engine(), drawn(world)
    verdicts = [verdict for result in feed(engine, z, [50] * 12) for verdict in result.verdicts]
    kept = [member for life in engine.lives.values() for member in life.members]

    assert kept
    for member in kept:
        assert verdicts[member.seq].verdict != "known"
        assert verdicts[member.seq].id == member.id
        assert member.z == z[member.seq].tobytes()
    assert len({member.seq for member in kept}) == len(kept)
    for life in engine.lives.values():
        assert len(life.members) <= (0 if life.state is ClusterState.GONE else MOST_MEMBERS)


def test_other_members_than_there_can_be_are_refused(make_engine: MakeEngine, world: World) -> None:
    """Cut, unordered, from the future, nowhere, or of a cluster that is gone."""
    engine = make_engine()
    feed(engine, drawn(world))
    life = max(engine.lives.values(), key=lambda life: len(life.members))
    whole = list(life.members.newest)
    last = whole[-1]
    for newest in (
        [*whole[:-1], Member(id=last.id, seq=last.seq, t=last.t, birth=last.birth, z=last.z[:-4])],
        [*whole[:-1], Member(id=last.id, seq=10**7, t=last.t, birth=last.birth, z=last.z)],
        [*whole[:-1], Member(id=last.id, seq=last.seq, t=last.t, birth=0, z=last.z)],
        [*whole[:-1], Member(id=last.id, seq=last.seq, t=np.nan, birth=last.birth, z=last.z)],
        [*whole[:-1], Member(id=last.id, seq=last.seq, t=last.t, birth=1, z=b"\xff" * len(last.z))],
        whole[::-1],
        whole[1:],
        [*whole, last],
    ):
        life.members.newest = newest
        with pytest.raises(snapshot.SnapshotUnreadable, match=f"the members of cluster {life.id}"):
            snapshot.load(snapshot.dump(engine), world.known, LABELS)
