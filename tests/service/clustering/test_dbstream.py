"""DBSTREAM as people use it: from river, from scikit-learn, with arrays, and with what they should not send."""

import copy
import doctest
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import sklearn.base
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import base, checks, cluster, evaluate, metrics, preprocessing
from river.checks import common
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from service.clustering import dbstream
from service.clustering.dbstream import DBSTREAM, NOISE
from service.clustering.kernels import entries
from service.clustering.kernels import state as at
from service.clustering.kernels.warm_up import ENTRIES
from service.clustering.micro_clusters import MicroClusters
from tests.service.clustering.stream_strategies import event_times, streams
from tests.service.clustering.test_rows import Frame

Floats = NDArray[np.float64]
Timed = tuple[Floats, dict[str, Any], list[float] | None]

ROOT = Path(__file__).parents[3]
PLACES = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 1.0], [0.0, 9.0, 2.0]])


def blobs(n: int = 400, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Items of three clusters far apart, and which one each is of."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    return PLACES[truth] + rng.normal(0.0, 0.4, (n, 3)), truth


def items(n: int = 400, seed: int = 0) -> list[tuple[dict[Any, float], int]]:
    """The same as river has it."""
    x, truth = blobs(n, seed)
    return [(dict(zip("abc", row, strict=True)), int(y)) for row, y in zip(x.tolist(), truth, strict=True)]


def taught(n: int = 400, **parameters: Any) -> DBSTREAM:
    db = DBSTREAM(**{"clustering_threshold": 1.5, "intersection_factor": 0.1, **parameters})
    db.learn_many(blobs(n)[0])
    return db


# river


def test_it_is_a_clusterer_of_rivers_kind() -> None:
    """And so river's tools take it."""
    assert isinstance(DBSTREAM(), base.Clusterer)


def test_rivers_own_checks_pass() -> None:
    """Those river makes of a clusterer, with defaults and with other parameters."""
    checks.check_estimator(DBSTREAM())
    checks.check_estimator(taught(clustering_threshold=0.7, river_online=True, minimum_age=3))


@pytest.mark.parametrize(
    "check",
    [
        common.check_learn_one,
        common.check_pickling,
        common.check_shuffle_features_no_impact,
        common.check_predict_one_pure,
        common.check_predict_one_before_any_learn,
        common.check_no_state_aliasing_with_input,
        common.check_clone_is_independent,
        common.check_seeding_is_idempotent,
        common.check_bounded_memory_growth,
    ],
)
def test_rivers_checks_with_data_pass(check: Callable[[Any, Any], None]) -> None:
    """River has no data set for clusterers, and so leaves these out."""
    check(taught(1).clone(), items())


@pytest.mark.parametrize("name", sorted(DBSTREAM()._unit_test_skips()))
def test_features_that_come_and_go_are_refused(name: str) -> None:
    """These checks of river's ask for the contrary; a missing feature is no zero."""
    more = [({**x, "d": 0.0, "e": 0.0}, y) for x, y in items()]
    with pytest.raises(ValueError, match=r"Every item must have the . features of the first one"):
        getattr(common, name)(DBSTREAM(), more)


def test_what_it_was_given_is_left_as_it_was() -> None:
    """An item that was learnt or asked for can be changed and used again."""
    (x, _), *_ = items(1)
    db, own = DBSTREAM(), x.copy()
    db.learn_one(x)
    db.predict_one(x)

    assert own == x
    before = db.to_bytes()
    x["a"] = 5.0
    assert before == db.to_bytes()


def test_it_works_in_a_pipeline_with_rivers_metrics() -> None:
    """Progressively: predict, score, learn."""
    model = preprocessing.StandardScaler() | DBSTREAM(clustering_threshold=0.8, intersection_factor=0.1)
    scores = metrics.AdjustedRand(), metrics.VBeta(), metrics.Homogeneity(), metrics.Silhouette()
    for n, (x, y) in enumerate(items(600)):
        label = model.predict_one(x)
        if n >= 100:
            for score in scores[:3]:
                score.update(y, label)
            scaled = model["StandardScaler"].transform_one(x)
            scores[3].update(scaled, label, model["DBSTREAM"].centers)
        model.learn_one(x)

    assert all(score.get() > 0.9 for score in scores[:3]), scores
    assert 0 < scores[3].get() < 1


def test_river_evaluates_it() -> None:
    """By its own loop, whose metric reads our `centers`: for well separated clusters a small silhouette."""
    score = evaluate.progressive_val_score(items(), DBSTREAM(clustering_threshold=1.5), metrics.Silhouette())

    assert score.get() < 0.3


def test_a_pipeline_of_rivers_hands_no_time_on() -> None:
    """It leaves out what a clusterer at its end is given beside the item, so there items are counted."""
    model = preprocessing.StandardScaler() | DBSTREAM()
    for n, (x, _) in enumerate(items(20)):
        model.learn_one(x, t=1000.0 + n)

    assert 20.0 == model["DBSTREAM"].micro_clusters.now


class Interrupted:
    """Micro-clusters whose user presses Ctrl-C while a kernel runs: Python heeds it when that comes back."""

    def __init__(self, micro: MicroClusters) -> None:
        self._micro = micro

    def __getattr__(self, name: str) -> Any:
        return getattr(self._micro, name)

    def learn(self, *what: Any) -> None:
        entries.learn_items(*self._micro._arrays, what[0], np.empty(0), *what[2:])
        raise KeyboardInterrupt


@pytest.mark.parametrize("parameters", [{}, {"minimum_age": 20.0}, {"max_micro_clusters": 3}])
@pytest.mark.parametrize(
    "then",
    [
        lambda db: db.to_bytes(),
        lambda db: db.predict_many(PLACES).tolist(),
        lambda db: [db.predict_one(dict(enumerate(place))) for place in PLACES.tolist()],
        lambda db: (db.clusters, db.n_clusters),
        lambda db: db.events,
    ],
)
def test_it_goes_on_after_an_interruption(
    parameters: dict[str, Any], then: Callable[[DBSTREAM], object]
) -> None:
    """Ctrl-C as the kernel comes back, before what follows of it is done: the next call makes up for it."""
    x, _ = blobs()
    p = {"clustering_threshold": 1.0, "minimum_weight": 2.0, "cleanup_interval": 50, **parameters}
    whole, broken = DBSTREAM(**p), DBSTREAM(**p)
    whole.learn_many(x[:1])
    broken.learn_many(x[:1])
    start, pending = 1, 0
    while start < len(x):
        micro = broken.micro_clusters
        assert micro is not None
        broken._micro = cast("MicroClusters", Interrupted(micro))
        with pytest.raises(KeyboardInterrupt):
            broken.learn_many(x[start:])
        broken._micro = micro
        pending |= int(micro._whole[at.STATUS])
        found = int(micro.now)
        if found > start:
            whole.learn_many(x[start:found])

            assert then(whole) == then(broken)
        part = slice(found, found + 1)
        if found < len(x):
            whole.learn_many(x[part])
            broken.learn_many(x[part])
        start = part.stop

    assert pending & at.STALE
    assert whole.to_bytes() == broken.to_bytes()


def test_views_are_rivers() -> None:
    """`n_clusters`, `clusters` with centre and weight, `centers`, by the ids that predictions give."""
    db = DBSTREAM(clustering_threshold=1.5, intersection_factor=0.1)

    assert (0, {}, {}) == (db.n_clusters, db.clusters, db.centers)
    for x, _ in items():
        db.learn_one(x)
    views = db.clusters

    assert 3 == db.n_clusters == len(views)
    assert {cluster: view.center for cluster, view in views.items()} == db.centers
    for place in PLACES:
        label = db.predict_one(dict(zip("abc", place.tolist(), strict=True)))
        np.testing.assert_allclose([views[label].center[name] for name in "abc"], place, atol=0.4)
    assert sum(view.items for view in views.values()) <= 400
    assert all(view.weight > 50 and view.micro_clusters > 0 and view.born > 0 for view in views.values())


def test_the_example_runs() -> None:
    """That of the class's documentation."""
    assert (0, 3) == doctest.testmod(dbstream)


# scikit-learn


def test_it_fits_and_predicts_as_in_scikit_learn() -> None:
    """Batch by batch; labels are ints, and -1 is noise as in scikit-learn's own clusterers."""
    x, truth = blobs(600)
    db = DBSTREAM(clustering_threshold=1.5, intersection_factor=0.1)
    for start in range(0, 600, 100):
        assert db is db.partial_fit(x[start : start + 100], truth[start : start + 100])
    labels = db.predict(x)

    assert (np.int64, (600,)) == (labels.dtype, labels.shape)
    assert 0.97 < adjusted_rand_score(truth, labels)
    assert [NOISE] == db.predict([[500.0, 500.0, 500.0]]).tolist()


def test_what_of_scikit_learn_does_not_work_is_refused_at_once() -> None:
    """Its pipelines need `fit`, and its `clone` needs `get_params`; of a scaler, what it gives is learnt."""
    x, truth = blobs(600)
    with pytest.raises(TypeError, match="should implement fit"):
        make_pipeline(StandardScaler(), DBSTREAM()).fit(x)
    with pytest.raises(TypeError, match="get_params"):
        sklearn.base.clone(DBSTREAM())
    scaled = StandardScaler().fit_transform(x)
    labels = DBSTREAM(0.8, intersection_factor=0.1).partial_fit(scaled).predict(scaled)

    assert 0.97 < adjusted_rand_score(truth, labels)


def test_a_data_frame_names_the_features() -> None:
    """Its columns are the features of river's items, in whatever order they come."""
    x, _ = blobs()
    framed, single = DBSTREAM(clustering_threshold=1.5), DBSTREAM(clustering_threshold=1.5)
    framed.partial_fit(Frame(["a", "b", "c"], x[:200].tolist()))
    framed.partial_fit(Frame(["c", "a", "b"], x[200:, [2, 0, 1]].tolist()))
    for item, _ in items():
        single.learn_one(item)

    assert single.to_bytes() == framed.to_bytes()
    assert ["a", "b", "c"] == list(next(iter(framed.centers.values())))


@pytest.mark.parametrize(
    "made",
    [
        lambda x: x.astype(np.float32),
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.tolist(),
        lambda x: x.astype(object),
        lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    ],
)
def test_layout_and_type_of_a_batch_do_not_matter(made: Callable[[Floats], Any]) -> None:
    """Only the numbers do; and nothing is compiled anew, which would take seconds."""
    x = np.rint(blobs()[0] * 8)
    one, other = DBSTREAM(clustering_threshold=12), DBSTREAM(clustering_threshold=12)
    labels = one.predict_learn_many(x).tolist()
    compiled = [len(entry.signatures) for entry in ENTRIES]  # type: ignore[attr-defined]

    assert labels == other.predict_learn_many(made(x)).tolist()
    assert one.predict(x).tolist() == other.predict(made(x)).tolist()
    assert one.to_bytes() == other.to_bytes()
    assert compiled == [len(entry.signatures) for entry in ENTRIES]  # type: ignore[attr-defined]


# Batches


@st.composite
def timed_streams(draw: st.DrawFn, **sizes: int) -> Timed:
    """Items, parameters, and times or none; in river's mode or with a minimum age."""
    x, p = draw(streams(**{"max_items": 100, "max_dim": 16, **sizes}))
    p = {**p, "minimum_age": draw(st.sampled_from([0.0, 3.0, 20.0]))}
    kind = draw(st.sampled_from(["counted", "timed", "river"]))
    times = draw(event_times(len(x), gap=p["cleanup_interval"])) if kind == "timed" else None
    return x, {**p, "river_online": kind == "river"}, times


def some(times: list[float] | None, part: slice) -> list[float] | None:
    return None if times is None else times[part]


@settings(max_examples=100, deadline=None)
@given(timed_streams(), st.lists(st.integers(0, 99), max_size=4))
def test_a_batch_gives_what_its_items_give(drawn: Timed, cuts: list[int]) -> None:
    """Bit for bit, labels and events included, wherever the stream is cut into batches."""
    x, p, times = drawn
    single, batched = DBSTREAM(**p), DBSTREAM(**p)
    labels: list[int] = []
    for n, row in enumerate(x):
        item = dict(enumerate(row.tolist()))
        if times is None:
            labels.append(single.predict_one(item))
            single.learn_one(item)
        else:
            labels += single.predict_learn_many(row[None], t=[times[n]]).tolist()
    found: list[int] = []
    for part in np.split(np.arange(len(x)), sorted(cut for cut in cuts if 0 < cut < len(x))):
        if len(part):
            inside = slice(part[0], part[-1] + 1)
            found += batched.predict_learn_many(x[inside], t=some(times, inside)).tolist()

    assert labels == found
    assert single.to_bytes() == batched.to_bytes()


@settings(max_examples=50, deadline=None)
@given(timed_streams())
def test_predictions_of_many_are_those_of_each(drawn: Timed) -> None:
    """And change nothing."""
    x, p, times = drawn
    db = DBSTREAM(**p)
    db.learn_many(x, t=times)
    before = db.to_bytes()

    assert [db.predict_one(dict(enumerate(row))) for row in x.tolist()] == db.predict_many(x).tolist()
    assert before == db.to_bytes()


# Labels


def turnover(seed: int, alive: int = 6, life: int = 300, n: int = 6000) -> tuple[Floats, Floats]:
    """Items of topics, each at a place of its own: every `life` items the oldest of six goes and another comes."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(6), np.arange(6)), axis=-1).reshape(-1, 2)
    places = rng.permutation(grid)[: alive + n // life] * 10.0
    topic = np.arange(n) // life + rng.integers(0, alive, n)
    return places[topic] + rng.normal(0.0, 1.0, (n, 2)), places


def churn(db: base.Clusterer, seed: int) -> tuple[int, int]:
    """(changes, checks): labels of topics' middles that differ from 50 items before, though the topic goes on."""
    x, places = turnover(seed)
    before: dict[int, int] = {}
    changed = checked = 0
    for start in range(0, len(x), 50):
        for row in x[start : start + 50].tolist():
            db.learn_one(dict(enumerate(row)))
        oldest = (start + 49) // 300
        middles = {topic: dict(enumerate(places[topic].tolist())) for topic in range(oldest, oldest + 6)}
        labels = {topic: db.predict_one(middle) for topic, middle in middles.items()}
        both = [topic for topic in labels if before.get(topic, NOISE) != NOISE]
        checked += len(both)
        changed += sum(before[topic] != labels[topic] for topic in both)
        before = labels
    return changed, checked


def test_labels_stay_with_their_topics() -> None:
    """While topics come and go less than 1 % of labels change between two looks; of river's more than 5 %."""
    p = {"fading_factor": 0.005, "cleanup_interval": 100, "clustering_threshold": 2.0}
    p |= {"intersection_factor": 0.1, "minimum_weight": 2.0}
    ours = np.sum([churn(DBSTREAM(**p), seed) for seed in range(3)], axis=0)
    rivers = np.sum([churn(cluster.DBSTREAM(**p), seed) for seed in range(3)], axis=0)

    assert ours[1] > 2000
    assert ours[0] / ours[1] < 0.01
    assert rivers[0] / rivers[1] > 0.05


# Durability


@settings(max_examples=100, deadline=None)
@given(timed_streams(), st.integers(0, 100))
def test_restore_and_continue_is_bit_identical(drawn: Timed, cut: int) -> None:
    """Stored and restored in mid-stream, what follows is as if nothing had happened: labels, events, bytes."""
    x, p, times = drawn
    whole, part = DBSTREAM(**p), DBSTREAM(**p)
    labels = whole.predict_learn_many(x, t=times).tolist()
    found: list[int] = []
    for inside in (slice(cut), slice(cut, None)):
        if len(x[inside]):
            found += part.predict_learn_many(x[inside], t=some(times, inside)).tolist()
        blob = part.to_bytes()
        part = DBSTREAM.from_bytes(blob)

        assert blob == part.to_bytes()
    assert labels == found
    assert whole.to_bytes() == part.to_bytes()
    assert (whole.events, whole.clusters) == (part.events, part.clusters)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda db: pickle.loads(pickle.dumps(db))])  # noqa: S301 - our own
def test_a_copy_goes_its_own_way(copied: Callable[[DBSTREAM], DBSTREAM]) -> None:
    """It learns what the original would have learnt, and the original learns nothing by that."""
    x, _ = blobs()
    db, whole = taught(200), taught(400)
    before = db.to_bytes()
    other = copied(db)
    other.learn_many(x[200:])

    assert before == db.to_bytes()
    assert whole.to_bytes() != before
    db.learn_many(x[200:])
    assert db.to_bytes() == other.to_bytes()


def test_the_same_input_gives_the_same_bytes_in_any_process() -> None:
    """Whatever order that process gives to hashes."""
    code = (
        "import hashlib, json, sys\n"
        "from service.clustering.dbstream import DBSTREAM\n"
        "db = DBSTREAM(clustering_threshold=0.4, minimum_weight=1.5, cleanup_interval=50, minimum_age=2)\n"
        "for x in json.load(sys.stdin): db.learn_one(x)\n"
        "print(hashlib.sha256(db.to_bytes()).hexdigest())"
    )
    sent = json.dumps([x for x, _ in items()]).encode()
    digests = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, input=sent, capture_output=True, check=True
        )
        digests.add(done.stdout.decode().strip())
    db = DBSTREAM(clustering_threshold=0.4, minimum_weight=1.5, cleanup_interval=50, minimum_age=2)
    for x, _ in items():
        db.learn_one(x)

    assert {hashlib.sha256(db.to_bytes()).hexdigest()} == digests


def test_one_that_learnt_nothing_is_stored_as_well() -> None:
    """With its parameters."""
    db = DBSTREAM.from_bytes(DBSTREAM(clustering_threshold=7, minimum_age=2).to_bytes())

    assert (7.0, 2.0, None) == (db.clustering_threshold, db.minimum_age, db.micro_clusters)


# Extremes


def test_the_smallest_caps_work() -> None:
    """One micro-cluster, and no more than one pair each."""
    x, _ = blobs()
    one = DBSTREAM(max_micro_clusters=1, minimum_weight=1.5)
    one.learn_many(x)
    two = taught(clustering_threshold=0.5, max_degree=1)

    assert 1 == one.n_micro_clusters
    assert two.micro_clusters is not None
    pairs, _, _ = two.micro_clusters.pairs(two.micro_clusters.rows())
    assert 0 < len(pairs.T) == len(set(pairs.reshape(-1).tolist())) / 2


def test_the_largest_numbers_do_no_harm() -> None:
    """Their squares overflow, but neither does a number become NaN, nor are others misplaced for it."""
    x, truth = blobs()
    wild = np.array([[1.7e308] * 3, [-1.7e308] * 3, [5e-324] * 3, [1e154, 0.0, 0.0]])
    db = DBSTREAM(clustering_threshold=1.5, intersection_factor=0.1)
    db.learn_many(np.concatenate([wild, x[:200], wild, wild, wild, x[200:]]))

    assert 0.97 < adjusted_rand_score(truth, db.predict(x))
    assert [NOISE] == db.predict([[1e300, -1e300, 0.0]]).tolist()
    assert db.predict(wild[:1]).item() != NOISE
    assert all(np.isfinite(list(center.values())).all() for center in db.centers.values())
    assert db.to_bytes() == DBSTREAM.from_bytes(db.to_bytes()).to_bytes()


def test_many_dimensions_are_dimensions() -> None:
    """384 of them: the clusters of as many sentences' topics are found."""
    rng = np.random.default_rng(0)
    places, truth = rng.normal(0.0, 1.0, (5, 384)), rng.integers(0, 5, 300)
    x = (places[truth] + rng.normal(0.0, 0.3, (300, 384))).astype(np.float32)
    db = DBSTREAM(clustering_threshold=12.0, minimum_weight=2)
    db.learn_many(x)

    assert 1.0 == adjusted_rand_score(truth, db.predict(x))
    assert db.predict(x).tolist() == [db.predict_one(dict(enumerate(row))) for row in x.tolist()]
