"""The map has what is durable, and nothing else; after a restart, what the log still has."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from service.clustering.engine import Engine, StepResult
from service.clustering.params import EngineParams
from service.decisions import Action, Decision
from service.overview.landmarks import Landmarks
from service.overview.ring import CLUSTER, KNOWN, OUTLIER
from service.pipeline.plotting import Plotted, Plotter
from service.records import NO_CLUSTER, Float32s, Observed, VerdictKind
from service.state.packing import pack_items, unpack_entry
from tests.service import digits
from tests.service.fake_store import FakeStore, Shared
from tests.service.pipeline_rig import Rig, known, novel

CODES = {VerdictKind.KNOWN: KNOWN, VerdictKind.CLUSTER: CLUSTER, VerdictKind.OUTLIER: OUTLIER}


@pytest.fixture(scope="module")
def landmarks() -> Landmarks:
    return Landmarks(digits.bundle().known)


class Stream:
    """An engine, and the map it is shown on."""

    def __init__(self, landmarks: Landmarks, room: int = 1000, *, gates: str = "items") -> None:
        bundle = digits.bundle()
        self.engine = Engine(bundle.known, bundle.manifest.labels, EngineParams(gates=gates))
        self.engine.configure(self.engine.params)
        self.plotter = Plotter(landmarks, room)
        self.plotter.begin(1, next_seq=1)

    def see(self, z: Float32s) -> tuple[Observed, StepResult]:
        ids = tuple(f"i{self.engine.seq + n}" for n in range(len(z)))
        observed = self.engine.decide(z, ids, np.full(len(z), 5.0))
        result = self.engine.apply(observed)
        self.plotter.see(observed, z, result.verdicts, self.engine.labels)
        return observed, result

    def learn(self, z: Float32s) -> tuple[Observed, StepResult]:
        found = self.see(z)
        self.plotter.committed(self.engine.seq)
        return found


def some(n: int, at: int = 0) -> Float32s:
    z = digits.bundle().known.calibration_embeddings
    return np.asarray(z[(at + np.arange(n)) % len(z)], dtype=np.float32)


def strange(n: int) -> Float32s:
    """Items that no known class takes."""
    z = -some(n)
    return np.asarray(z + np.random.default_rng(0).normal(size=z.shape) * 0.05, dtype=np.float32)


def same(one: Plotted, other: Plotted) -> bool:
    return one.points.tobytes() == other.points.tobytes()


def test_it_has_each_item_with_its_verdict_and_its_place(landmarks: Landmarks) -> None:
    """In order of the stream, whatever the batches were."""
    stream = Stream(landmarks)
    z = np.concatenate([some(40), strange(30)])
    verdicts = [v for part in np.split(z, [1, 2, 40]) for v in stream.learn(part)[1].verdicts]
    points = stream.plotter.read().points

    assert [v.seq for v in verdicts] == points["seq"].tolist()
    assert [CODES[v.verdict] for v in verdicts] == points["kind"].tolist()
    labels = stream.engine.labels
    assert [labels.index(v.label) if v.label else v.cluster_id or 0 for v in verdicts] == points[
        "of"
    ].tolist()
    assert {KNOWN, OUTLIER} <= set(points["kind"].tolist())
    expected = landmarks.place(landmarks.features(z))
    assert expected.tobytes() == np.stack([points["x"], points["y"]], axis=1).tobytes()


@pytest.mark.parametrize("sizes", [[700], [1] * 700, [300, 1, 300, 99]])
def test_batches_leave_no_trace(landmarks: Landmarks, sizes: Sequence[int]) -> None:
    """Places and rows are the same to the bit."""
    at, one, parts = 0, Stream(landmarks), Stream(landmarks)
    one.learn(some(700))
    for size in sizes:
        parts.learn(some(size, at))
        at += size

    assert same(one.plotter.read(), parts.plotter.read())


def test_what_is_not_durable_is_not_shown(landmarks: Landmarks) -> None:
    """A batch that was stepped and dropped, and stepped again, is there once."""
    stream = Stream(landmarks)
    stream.learn(some(5))
    stream.see(some(7))
    assert 5 == len(stream.plotter.read().points)
    stream.plotter.begin(1, next_seq=6)
    stream.plotter.committed(stream.engine.seq)

    assert 5 == len(stream.plotter.read().points)


def test_a_commit_of_something_else_shows_no_batch(landmarks: Landmarks) -> None:
    """A fit takes a place as well, and has no points."""
    stream = Stream(landmarks)
    stream.see(some(3))
    stream.plotter.committed(2)

    assert 0 == len(stream.plotter.read().points)


def test_a_replay_gives_the_places_that_it_had_live(landmarks: Landmarks) -> None:
    """Of the items that were fed; of the others the log has no embedding, and their verdicts are there."""
    stream = Stream(landmarks)
    seen = [stream.learn(z) for z in (some(60), strange(60))]
    again = Plotter(landmarks, 1000)
    again.begin(2, next_seq=stream.engine.seq)
    for observed, result in seen:
        again.replayed(observed, np.array([v.cluster_id or NO_CLUSTER for v in result.verdicts]))
    live, replayed = stream.plotter.read().points, again.read().points

    for column in ("seq", "t", "kind", "of", "near", "distance"):
        assert live[column].tobytes() == replayed[column].tobytes()
    has_place = ~np.isnan(replayed["x"])
    assert [fed for observed, _ in seen for fed in observed.fed] == has_place.tolist()
    assert live[has_place].tobytes() == replayed[has_place].tobytes()


def test_what_a_cluster_made_known_is_known_again(landmarks: Landmarks) -> None:
    """A replay gives it the class that it was known as, also where the gates took it for none."""
    stream = Stream(landmarks)
    stream.learn(strange(150))
    cluster = max(stream.engine.clusters(), key=lambda c: c.items).id
    stream.engine.curate(
        Decision(key="k", action=Action.PROMOTE, cluster=cluster, t=1.0, who="me", label="strange")
    )
    observed, result = stream.learn(strange(60))
    refused = replace(observed, accepted=np.zeros(60, dtype=np.bool_))
    payload = pack_items(refused, result.verdicts, stream.engine.labels)
    entry = unpack_entry(payload, first_seq=observed.first_seq)
    again = Plotter(landmarks, 1000)
    again.begin(2, next_seq=stream.engine.seq)
    assert isinstance(entry, tuple)
    again.replayed(*entry)
    live, replayed = stream.plotter.read().points[-60:], again.read().points

    assert "strange" in {verdict.label for verdict in result.verdicts}
    for column in ("kind", "of"):
        assert live[column].tolist() == replayed[column].tolist()


def test_one_that_goes_on_goes_on(landmarks: Landmarks) -> None:
    """Read again from where it stands: the rows stay, and their era. From before that: they go."""
    stream = Stream(landmarks)
    stream.learn(some(9))
    stream.plotter.begin(2, next_seq=10)
    assert (1, 9) == (stream.plotter.read().era, len(stream.plotter.read().points))
    stream.plotter.begin(2, next_seq=4)

    assert (2, 0) == (stream.plotter.read().era, len(stream.plotter.read().points))


def test_the_era_grows_whatever_the_owner_counts(landmarks: Landmarks) -> None:
    """A store that forgot may have forgotten its epoch, too."""
    stream = Stream(landmarks)
    stream.learn(some(2))
    stream.plotter.begin(1, next_seq=0)

    assert 2 == stream.plotter.read().era


def test_without_room_nothing_is_kept(landmarks: Landmarks) -> None:
    """And nobody reads a log for it."""
    stream = Stream(landmarks, room=0)
    stream.learn(some(4))

    assert not stream.plotter.is_empty()
    assert 0 == len(stream.plotter.read().points)
    assert 0 == stream.plotter.read().room


def test_what_waits_is_bounded(landmarks: Landmarks) -> None:
    """Nobody reads, and it is placed all the same, some hundred items together."""
    stream = Stream(landmarks)
    for n in range(1200):
        stream.learn(some(1, n))

    assert len(stream.plotter._waiting) <= 512


def test_a_map_that_fails_harms_no_item(landmarks: Landmarks, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and the stream goes on."""
    stream = Stream(landmarks)

    def fails(_: object) -> None:
        raise RuntimeError("no map today")

    monkeypatch.setattr(Landmarks, "place", fails)
    for n in range(600):
        stream.learn(some(1, n))
    monkeypatch.undo()

    assert stream.plotter.read().next_seq > 512


async def test_after_a_restart_the_log_is_read_behind_the_snapshot(landmarks: Landmarks) -> None:
    """A clean end saves all, so that there is nothing to replay: the map is refilled all the same."""
    shared = Shared()
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        await rig.ask(*[known(f"a{n}", n) for n in range(20)])
        await rig.ask(*[novel(f"b{n}", n) for n in range(20)])
        live = await asyncio.to_thread(rig.pipeline.plotter.read)
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        again = await asyncio.to_thread(rig.pipeline.plotter.read)

    assert 40 == len(live.points)
    assert live.points["seq"].tolist() == again.points["seq"].tolist()
    assert live.points["of"].tolist() == again.points["of"].tolist()
    assert again.era > live.era


async def test_a_promoted_class_has_its_items(landmarks: Landmarks) -> None:
    """From the next item on they are known, by the place of their class among the labels; a restart changes nothing."""
    shared = Shared()
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        verdicts = await rig.ask(*[novel(f"b{n}", n) for n in range(40)])
        cluster = verdicts[-1].cluster_id
        await rig.pipeline.curate(
            Decision(key="k", action=Action.PROMOTE, cluster=cluster, t=1.0, who="me", label="three")
        )
        (after,) = await rig.ask(novel("after", 50))
        labels = list((await rig.pipeline.view()).known_counts)
        live = await asyncio.to_thread(rig.pipeline.plotter.read)
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        again = await asyncio.to_thread(rig.pipeline.plotter.read)

    assert "three" == after.label
    for kept in (live, again):
        assert (KNOWN, labels.index("three")) == (kept.points["kind"][-1], kept.points["of"][-1])


async def test_clusters_lie_where_they_did_though_the_log_has_none_of_them(landmarks: Landmarks) -> None:
    """The state remembers members of each, and they are near to where all of its items were."""
    shared = Shared()
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        verdicts = await rig.ask(*[novel(f"b{n}", n) for n in range(40)])
        live = await asyncio.to_thread(rig.pipeline.plotter.read)
    shared.log.clear()
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        again = await asyncio.to_thread(rig.pipeline.plotter.read)

    cluster = verdicts[-1].cluster_id
    own = live.points[live.points["of"] == cluster]
    assert 0 == len(again.points)
    assert [cluster] == list(again.lay)
    assert (
        np.hypot(again.lay[cluster][0] - np.median(own["x"]), again.lay[cluster][1] - np.median(own["y"]))
        < 0.1
    )


async def test_a_log_that_cannot_be_read_back_stops_no_stream(landmarks: Landmarks) -> None:
    """What is behind the snapshot is not needed to serve."""
    shared = Shared()
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        await rig.ask(*[known(f"a{n}", n) for n in range(4)])
    shared.log[-1] = type(shared.log[-1])(
        first_seq=shared.log[-1].first_seq, count=shared.log[-1].count, payload=b"\xc1", verdicts=()
    )
    async with Rig(FakeStore(shared), plotter=Plotter(landmarks, 100)).open() as rig:
        await rig.ask(known("later", 3))

        assert 1 == len((await asyncio.to_thread(rig.pipeline.plotter.read)).points)
