"""Ours and river's answer to the same verbs, and river can be made to stand where ours has come to."""

import dataclasses

import numpy as np
import pytest

from benchmarks.clusterers import Learnt, Ours, Parameters, River
from benchmarks.streams import Float64s, blobs, filaments, moons_and_circles

SHORT = Parameters(fading_factor=1e-3, cleanup_interval=150)
"""So that micro-clusters and densities fade and are forgotten within a test."""

STREAMS = [
    pytest.param(moons_and_circles(items=900, seed=3).x, id="moons and circles"),
    pytest.param(filaments(d=5, micro_clusters=40, items=900, seed=3).x, id="filaments"),
    pytest.param(blobs(d=8, micro_clusters=60, items=900, seed=3).x, id="blobs"),
]


def test_batches_give_what_items_one_by_one_give() -> None:
    """In every way in: many rows, a row, a dictionary."""
    x = filaments(d=3, micro_clusters=20, items=300, seed=0).x
    many, one, named = (Ours(Parameters()) for _ in range(3))

    from_many = many.predict_learn_many(x).tolist()
    from_one = [int(one.predict_learn_many(row[None, :])[0]) for row in x]
    from_named = []
    for item in River.prepare(x):
        from_named.append(named.predict_one(item))
        named.learn_one(item)

    assert from_many == from_one == from_named
    np.testing.assert_array_equal(many.learnt().centers, one.learnt().centers)


def test_ours_tells_chains_apart_and_calls_a_far_point_noise() -> None:
    """Two chains never get one cluster; river has no answer but the nearest cluster."""
    stream = filaments(d=2, micro_clusters=20, items=600, seed=0)
    ours = Ours(Parameters())
    ours.learn_many(stream.x)

    found = ours.predict_many(stream.x)
    first, second = (set(found[stream.y == chain].tolist()) - {-1} for chain in (0, 1))
    assert first
    assert second
    assert not first & second
    assert [-1] == ours.predict_many(stream.x[:1] + 1000.0).tolist()


@pytest.mark.parametrize("x", STREAMS)
def test_a_copied_river_goes_on_as_one_that_learnt_the_stream_itself(x: Float64s) -> None:
    """Same micro-clusters, weights and densities to the bit, also over clean-ups; same answers."""
    head, tail = x[:700], x[700:]
    itself = River(SHORT)
    for item in River.prepare(head):
        itself.learn_one(item)
    copied = River.holding(read(itself), SHORT)

    answers: list[tuple[int, int]] = []
    for item in River.prepare(tail):
        answers.append((itself.predict_one(item), copied.predict_one(item)))
        itself.learn_one(item)
        copied.learn_one(item)
    assert len(itself) > 5
    _assert_same(read(itself), read(copied), rtol=0.0)
    assert [one for one, _ in answers] == [other for _, other in answers]


@pytest.mark.parametrize("x", STREAMS)
def test_what_ours_learnt_is_what_river_would_have_learnt(x: Float64s) -> None:
    """So a river model that is handed ours stands where it would have come to by itself, and goes on from there."""
    itself, ours = River(SHORT), Ours(SHORT)
    for item in River.prepare(x[:700]):
        itself.learn_one(item)
    ours.learn_many(x[:700])
    copied = River.holding(ours.learnt(), SHORT)

    assert len(read(itself).pairs) > 5
    _assert_same(faded(read(itself)), faded(ours.learnt()), rtol=1e-9)
    for item in River.prepare(x[700:]):
        itself.learn_one(item)
        copied.learn_one(item)
    _assert_same(faded(read(itself)), faded(read(copied)), rtol=1e-9)


def test_nothing_is_lost_on_the_way_into_river() -> None:
    """What a copy holds is what was put in, to the bit."""
    ours = Ours(Parameters())
    ours.learn_many(blobs(d=4, micro_clusters=30, items=400, seed=1).x)
    given = ours.learnt()
    held = read(River.holding(given, Parameters()))

    assert given.t == held.t
    assert len(given.pairs) > 5
    for field in ("centers", "weights", "updated"):
        np.testing.assert_array_equal(getattr(given, field), getattr(held, field))
    order = np.lexsort(given.pairs.T[::-1])
    for field in ("pairs", "shared", "shared_at"):
        np.testing.assert_array_equal(getattr(given, field)[order], getattr(held, field))


def test_bytes_grow_with_what_is_known() -> None:
    """At least the centres' own eight bytes a number, for both; river's numbers are objects."""
    x = filaments(d=16, micro_clusters=50, items=300, seed=0).x
    ours = Ours(Parameters())
    ours.learn_many(x)
    river = River.holding(ours.learnt(), Parameters())
    numbers = 8 * 16 * len(ours)

    assert ours.live_bytes() >= numbers
    assert ours.stored_bytes() >= numbers
    assert river.live_bytes() > 3 * numbers


def read(river: River) -> Learnt:
    """What a river model knows; rows are micro-clusters in order of birth."""
    clusters = river.db.micro_clusters
    row = {number: n for n, number in enumerate(sorted(clusters))}
    dense = [clusters[number] for number in row]
    pairs = [(i, j) for i in sorted(river.db.s) for j in sorted(river.db.s[i]) if river.db.s[i][j] > 0]
    return Learnt(
        t=river.db._time_stamp,
        centers=np.array([list(c.center.values()) for c in dense]),
        weights=np.array([c.weight for c in dense]),
        updated=np.array([c.last_update for c in dense], dtype=np.float64),
        pairs=np.array([(row[i], row[j]) for i, j in pairs], dtype=np.int64).reshape(-1, 2),
        shared=np.array([river.db.s[i][j] for i, j in pairs]),
        shared_at=np.array([river.db.s_t[i][j] for i, j in pairs], dtype=np.float64),
    )


def faded(learnt: Learnt) -> Learnt:
    """The same, weights and densities as they are at t."""
    fade = SHORT.fading_factor
    return dataclasses.replace(
        learnt,
        weights=learnt.weights * 2.0 ** (-fade * (learnt.t - learnt.updated)),
        updated=np.full(len(learnt.weights), float(learnt.t)),
        shared=learnt.shared * 2.0 ** (-fade * (learnt.t - learnt.shared_at)),
        shared_at=np.full(len(learnt.shared), float(learnt.t)),
    )


def _assert_same(one: Learnt, other: Learnt, *, rtol: float) -> None:
    """Two implementations may round an exponential differently in its last digit."""
    for field in dataclasses.fields(Learnt):
        np.testing.assert_allclose(
            getattr(one, field.name), getattr(other, field.name), rtol=rtol, err_msg=field.name
        )
