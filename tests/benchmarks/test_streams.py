"""The streams of the benchmarks have the shape they promise."""

import itertools

import numpy as np
import pytest

from benchmarks.streams import (
    DIGITS_D,
    EMBEDDING_CLASSES,
    EMBEDDING_D,
    blobs,
    digits,
    drifting,
    embeddings,
    filaments,
    moons_and_circles,
    topics,
)


@pytest.mark.parametrize("d", [2, 16])
def test_filaments_lie_far_apart_and_have_the_class_they_came_from(d: int) -> None:
    """No two items of different chains are within ten radii of each other, less the noise."""
    stream = filaments(d=d, micro_clusters=40, items=200, seed=3)

    assert stream.x.shape == (200, d)
    apart = np.linalg.norm(stream.x[:, None, :] - stream.x[None, :, :], axis=-1)
    assert apart[stream.y[:, None] != stream.y[None, :]].min() > 4.0
    assert set(range(4)) == set(stream.y.tolist())


def test_fewer_items_than_balls_is_a_short_stream() -> None:
    """The first visit is cut, not filled up."""
    assert len(filaments(d=2, micro_clusters=100, items=7, seed=0).x) == 7
    assert len(blobs(d=2, micro_clusters=100, items=7, seed=0).x) == 7


@pytest.mark.parametrize(
    "make",
    [
        lambda s: filaments(d=3, micro_clusters=20, items=50, seed=s),
        lambda s: blobs(d=3, micro_clusters=20, items=50, seed=s),
        lambda s: moons_and_circles(items=50, seed=s),
        lambda s: drifting(items=50, seed=s),
        lambda s: embeddings(items=50, seed=s),
        lambda s: topics(items=50, seed=s),
        lambda s: digits(items=50, seed=s),
    ],
)
def test_the_seed_decides(make) -> None:  # noqa: ANN001 - a stream maker
    """Same seed, same items; another seed, others."""
    np.testing.assert_array_equal(make(1).x, make(1).x)
    np.testing.assert_array_equal(make(1).y, make(1).y)

    assert not np.array_equal(make(1).x, make(2).x)
    assert len(make(1).x) == len(make(1).y) == 50


@pytest.mark.parametrize(("d", "M"), [(2, 300), (16, 300), (64, 300), (384, 100)])
def test_balls_of_blobs_nearly_touch_and_an_item_is_in_its_own_and_often_in_others(d: int, M: int) -> None:
    """The first items are the centres: none within a radius of another, and items are between them."""
    stream = blobs(d=d, micro_clusters=M, items=2 * M, seed=0)
    centers, rest = stream.x[:M], stream.x[M:]
    apart = np.linalg.norm(centers[:, None, :] - centers, axis=-1)[~np.eye(M, dtype=bool)]
    held = np.linalg.norm(rest[:, None, :] - centers, axis=-1) < 1.0

    assert list(range(M)) == stream.y[:M].tolist()
    assert apart.min() > 1.0
    assert held[np.arange(M), stream.y[M:]].mean() > 0.97
    assert held.sum(axis=1).mean() > 1.15


def test_no_few_dimensions_decide_among_blobs() -> None:
    """An eighth of them leaves nearly all pairs within reach of each other; in filaments two tell any two apart."""
    near, far = (
        np.linalg.norm(x[:200, None, :k] - x[:200, :k], axis=-1)[~np.eye(200, dtype=bool)]
        for x, k in (
            (blobs(d=64, micro_clusters=200, items=200, seed=0).x, 8),
            (filaments(d=64, micro_clusters=200, items=200, seed=0).x, 2),
        )
    )

    assert (near < 1.0).mean() > 0.9
    assert (far < 1.0).mean() < 0.1


def test_moons_and_circles_has_four_classes_of_equal_size() -> None:
    """Two moons, two rings."""
    stream = moons_and_circles(items=400, seed=0)

    assert [100, 100, 100, 100] == np.bincount(stream.y).tolist()
    assert stream.classes == 4


def test_drifting_gaussians_go_far_and_never_meet() -> None:
    """In the last tenth a class is several spreads from where it was in the first, and nearest to its own centre."""
    stream = drifting(items=4000, seed=2)
    first, last = slice(0, 400), slice(3600, 4000)

    def centers(part: slice) -> np.ndarray:
        return np.array([stream.x[part][stream.y[part] == k].mean(axis=0) for k in range(8)])

    went = np.linalg.norm(centers(last) - centers(first), axis=1)
    assert went.min() > 9.0
    for part in (first, last):
        to_centers = np.linalg.norm(stream.x[part][:, None, :] - centers(part), axis=-1)
        assert (to_centers.argmin(axis=1) == stream.y[part]).mean() > 0.98


def test_embeddings_are_unit_vectors_of_forty_classes() -> None:
    """Every class is there, and an item is nearest to the mean of its own; related classes are nearer than others."""
    stream = embeddings(items=6000, seed=0)
    means = np.array([stream.x[stream.y == k].mean(axis=0) for k in range(EMBEDDING_CLASSES)])
    cosine = means @ means.T / np.linalg.norm(means, axis=1) / np.linalg.norm(means, axis=1)[:, None]

    assert stream.x.shape == (6000, EMBEDDING_D)
    np.testing.assert_allclose(np.linalg.norm(stream.x, axis=1), 1.0)
    assert stream.classes == EMBEDDING_CLASSES
    assert ((stream.x @ means.T).argmax(axis=1) == stream.y).mean() > 0.95
    assert cosine[0, 10] > cosine[0, 1] + 0.2


def test_topics_come_and_go_and_about_a_dozen_are_there() -> None:
    """No item is outside its topic's life; the first are there from the beginning, the last to the end."""
    stream = topics(items=4000, seed=0)
    lives = stream.lives[stream.y]
    there = [int(((stream.lives[:, 0] <= n) & (n < stream.lives[:, 1])).sum()) for n in range(0, 4000, 50)]

    assert (lives[:, 0] <= np.arange(4000)).all()
    assert (np.arange(4000) < lives[:, 1]).all()
    assert stream.classes == EMBEDDING_CLASSES
    assert min(there) >= 8
    assert max(there) <= 14
    assert stream.lives.min() == 0
    assert stream.lives.max() == 4000


def test_probes_are_further_items_of_the_topics() -> None:
    """Five of each, none of them in the stream, nearest to their own topic's mean."""
    stream = topics(items=4000, seed=0)
    means = np.array([stream.x[stream.y == k].mean(axis=0) for k in range(EMBEDDING_CLASSES)])

    assert np.repeat(np.arange(EMBEDDING_CLASSES), 5).tolist() == stream.probes_y.tolist()
    assert not set(map(tuple, stream.probes.tolist())) & set(map(tuple, stream.x.tolist()))
    assert ((stream.probes @ means.T).argmax(axis=1) == stream.probes_y).mean() > 0.95


def test_digits_go_round_in_another_order() -> None:
    """Every digit once before any comes again; the largest axis first."""
    stream = digits(items=2 * 1797, seed=0)
    once, again = ([tuple(row) for row in part.tolist()] for part in np.split(stream.x, 2))
    spread = stream.x[:1797].std(axis=0)

    assert stream.x.shape == (2 * 1797, DIGITS_D)
    assert sorted(once) == sorted(again)
    assert once != again
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(spread))
    assert np.square(stream.x).sum(axis=1).mean() == pytest.approx(1.0)
    assert stream.classes == 10
