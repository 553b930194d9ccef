"""The compiled micro-clusters against the paper and against river; batches, storing, other processors: to the bit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import cluster

from service.clustering.kernels import state as at
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams
from service.records import NO_CLUSTER
from tests.service.clustering.driven import Driven, assert_equal, assert_same_state, driven, points
from tests.service.clustering.literal_dbstream import LiteralDBSTREAM
from tests.service.clustering.stream_strategies import Stream, event_times, streams


@settings(max_examples=100, deadline=None)
@given(streams(), st.data())
def test_it_is_the_papers_algorithm(stream: Stream, data: st.DataObject) -> None:
    """Centres, weights, densities, links, partition and assignments are the literal implementation's, throughout."""
    x, p = stream
    fast, slow = Driven(x.shape[1], ClustererParams(**p)), LiteralDBSTREAM(**p)
    step = data.draw(st.integers(1, 40))
    for start in range(0, len(x), step):
        batch = x[start : start + step]
        fast.learn(batch)
        for row in batch:
            slow.learn(row.tolist())

        assert_equal(fast, slow, x[::7].copy())


@settings(max_examples=100, deadline=None)
@given(streams(max_items=100), st.data())
def test_it_is_the_papers_algorithm_in_event_time(stream: Stream, data: st.DataObject) -> None:
    """With bursts, pauses of many clean-up intervals and late items, too."""
    x, p = stream
    times = data.draw(event_times(len(x), gap=p["cleanup_interval"]))
    fast, slow = Driven(x.shape[1], ClustererParams(**p)), LiteralDBSTREAM(**p)
    for n, (row, t) in enumerate(zip(x, times, strict=True)):
        fast.learn(row[None], [t])
        slow.learn(row.tolist(), t)
        if n % 10 == 9 or n == len(x) - 1:
            assert_equal(fast, slow, x[::7].copy())


# River's mode


@settings(max_examples=100, deadline=None)
@given(streams(max_dim=16))
def test_in_rivers_mode_the_online_phase_is_rivers_to_the_bit(stream: Stream) -> None:
    """Centres, weights, times and shared densities, after every item; but for what river keeps of the dead."""
    x, p = stream
    theirs = cluster.DBSTREAM(
        clustering_threshold=p["clustering_threshold"],
        fading_factor=p["fading_factor"],
        cleanup_interval=p["cleanup_interval"],
        intersection_factor=p["intersection_factor"],
        minimum_weight=p["minimum_weight"],
    )
    ours = Driven(
        x.shape[1],
        ClustererParams(**{**p, "river_online": True, "max_micro_clusters": 1000, "max_degree": 150}),
    )
    for row in x:
        ours.learn(row[None])
        theirs.learn_one(dict(enumerate(row.tolist())))
        rows = ours.micro.rows()
        state = ours.micro.state()
        ids = list(theirs.micro_clusters)

        assert [list(mc.center.values()) for mc in theirs.micro_clusters.values()] == ours.micro.centers(
            rows
        ).tolist()
        assert [mc.weight for mc in theirs.micro_clusters.values()] == state["weights"].tolist()
        assert [mc.last_update for mc in theirs.micro_clusters.values()] == state["updated"].tolist()
        kept = {
            (ids.index(i), ids.index(j)): (s, theirs.s_t[i][j])
            for i, near in theirs.s.items()
            for j, s in near.items()
            if s > 0 and i in theirs.micro_clusters and j in theirs.micro_clusters
        }
        pairs = zip(
            state["pair_rows"].T.tolist(),
            state["pair_shared"].tolist(),
            state["pair_since"].tolist(),
            strict=True,
        )

        assert kept == {(i, j): (s, since) for (i, j), s, since in pairs}


# Batches, storing, determinism


@st.composite
def timed(draw: st.DrawFn) -> tuple[Stream, list[float] | None]:
    """A stream, with event times or without."""
    stream = draw(streams(max_items=100, max_dim=16))
    gap = stream[1]["cleanup_interval"]
    return stream, draw(event_times(len(stream[0]), gap=gap)) if draw(st.booleans()) else None


def part_of(times: list[float] | None, part: slice) -> list[float] | None:
    return None if times is None else times[part]


@settings(max_examples=80, deadline=None)
@given(timed(), st.lists(st.integers(0, 99), max_size=4))
def test_a_batch_gives_what_its_items_give(drawn: tuple[Stream, list[float] | None], cuts: list[int]) -> None:
    """Bit for bit, verdicts and cluster ids included, wherever the stream is cut into batches."""
    (x, p), times = drawn
    single, batched = Driven(x.shape[1], ClustererParams(**p)), Driven(x.shape[1], ClustererParams(**p))
    for n in range(len(x)):
        single.learn(x[n : n + 1], part_of(times, slice(n, n + 1)))
    for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(x)], strict=True):
        batched.learn(x[a:b], part_of(times, slice(a, b)))

    assert_same_state(single.micro, batched.micro)
    assert (single.homes, single.removed, single.next_id) == (batched.homes, batched.removed, batched.next_id)


@settings(max_examples=80, deadline=None)
@given(timed(), st.integers(0, 99), st.booleans())
def test_restore_and_continue_is_bit_identical(
    drawn: tuple[Stream, list[float] | None], cut: int, river_online: bool
) -> None:
    """Micro-clusters that were stored and restored in mid-stream end in the same state, with the same ids."""
    (x, p), times = drawn
    params = ClustererParams(**{**p, "river_online": river_online and times is None})
    whole, part = Driven(x.shape[1], params), Driven(x.shape[1], params)
    whole.learn(x, times)
    part.learn(x[:cut], part_of(times, slice(cut)))
    part.micro = MicroClusters.from_state(part.micro.state(), params)
    part.learn(x[cut:], part_of(times, slice(cut, None)))

    assert_same_state(whole.micro, part.micro)
    assert (whole.homes, whole.next_id) == (part.homes, part.next_id)


def test_the_landmark_moves_by_exact_powers_of_two() -> None:
    """Over many moves, amounts are to the bit what the powers of two of the literal sums are."""
    fading, step = (
        0.25,
        64.0,
    )  # e(t) grows by 16 an item: every power of two is a whole one, every sum is exact
    db = driven(1, fading_factor=fading, cleanup_interval=4000.0, minimum_weight=0.5)
    times = np.arange(200) * step
    db.learn(np.zeros((200, 1)), times.tolist())
    expected = 0.0
    for t in times:
        expected += 2.0 ** (-fading * (times[-1] - t))

    assert 12 * at.REBASE_AT == db.micro.state()["clock"][2]
    assert [expected] == db.micro.weights(db.micro.rows()).tolist()


def test_a_pause_of_any_length_is_outlived() -> None:
    """After aeons all is forgotten, nothing overflows, and learning goes on."""
    db = driven(fading_factor=0.5, cleanup_interval=10).learn(
        points((0, 0), (0, 0), (0.5, 0)), [0.0, 1.0, 2.0]
    )
    db.learn(points((5, 5), (5, 5), (5, 5)), [1e9, 1e9, 1e9])

    assert [3] == db.micro.counts(db.micro.rows()).tolist()
    assert db.micro.predict(points((5, 5)))[0] != NO_CLUSTER
    assert [(1, 3)] == db.removed


_DIGEST = """
import hashlib, json
import numpy as np
import pytest
from service.clustering.dbstream import DBSTREAM

rng = np.random.default_rng(0)
x = rng.integers(0, 40, (3000, 1)) * 0.7 + rng.normal(size=(3000, 20)) * rng.choice([0.05, 0.2, 1.0], (3000, 1))
db = DBSTREAM(clustering_threshold=1.0, fading_factor=0.01, cleanup_interval=100, intersection_factor=0.1)
db.learn_many(x, t=np.sort(rng.exponential(1.0, 3000)).cumsum() / 1000)
print(json.dumps([db.n_micro_clusters, db.n_clusters, hashlib.sha256(db.to_bytes()).hexdigest()]))
"""


@pytest.mark.slow
def test_the_state_is_the_same_on_every_processor(tmp_path: Path) -> None:
    """Compiled for a processor without any vector extension that not all have, the kernels give the same bits."""

    def state(**environment: str) -> list[Any]:
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _DIGEST],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return list(json.loads(run.stdout))

    plain = state(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", NUMBA_CACHE_DIR=str(tmp_path))

    assert plain[0] > 10
    assert state() == plain
