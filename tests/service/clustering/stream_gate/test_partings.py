"""A cluster that is two classes is found to be two; one that is one class never, however it is divided."""

import numpy as np
import pytest

from service.clustering.stream_gate.joins import within_classes
from service.clustering.stream_gate.partings import find_partings, two_sides, usual_distance, whitened
from service.clustering.stream_gate.records import FitJob
from service.records import Float32s, Float64s, Int64s

F = 24
USUAL = 36.0


def within(seed: int = 0) -> tuple[Float64s, bool]:
    """Of known classes that are round with unit variance."""
    rng = np.random.default_rng(seed)
    return within_classes(rng.normal(size=(2000, F)).astype(np.float32), np.zeros(2000, dtype=np.int64))


def heaps(seed: int, *sizes: int, apart: float = 8.0, spread: float = 1.2) -> Float32s:
    """Heaps at 0, `apart`, 2 `apart` along the diagonal, mixed."""
    rng = np.random.default_rng(seed)
    diagonal = np.full(F, 1.0 / np.sqrt(F))
    which = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return (which[:, None] * apart * diagonal + spread * rng.normal(size=(len(which), F))).astype(np.float32)


def job(window: Float32s, births: Int64s, clusters: Int64s, refreshed: tuple[int, ...] = (3,)) -> FitJob:
    return FitJob(
        features=window.astype(np.float16),
        cores=np.full(len(window), -1, dtype=np.int32),
        births=births,
        clusters=clusters,
        refused=births != 0,
        refreshed=refreshed,
        weights=None,
        earlier={},
    )


@pytest.mark.parametrize("sizes", [(150, 150), (250, 120), (120, 250)])
@pytest.mark.parametrize("seed", range(4))
def test_two_heaps_are_two(seed: int, sizes: tuple[int, int]) -> None:
    """Nearly every item lies on the side of its heap."""
    x = heaps(seed, *sizes)
    side = two_sides(x.astype(np.float64), within(), USUAL)
    truth = x.sum(axis=1) > 4.0 * np.sqrt(F)

    assert side is not None
    agree = float((side == truth).mean())
    assert max(agree, 1.0 - agree) > 0.98


@pytest.mark.parametrize("n", [60, 120, 300, 800])
@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0, 4.0])
def test_one_heap_is_one(n: int, spread: float) -> None:
    """Also where there are few items for so many dimensions, and 2-means sees a valley in what it has fitted."""
    for seed in range(25):
        assert two_sides(heaps(seed, n, spread=spread).astype(np.float64), within(), USUAL) is None


def test_heaps_nearer_than_known_classes_are_kinds_of_one() -> None:
    x = heaps(0, 200, 200).astype(np.float64)

    assert two_sides(x, within(), 50.0) is not None
    assert two_sides(x, within(), 80.0) is None


def test_a_class_that_is_long_is_one() -> None:
    """A class along a line, as densely everywhere."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, F))
    x[:, 0] += rng.uniform(0, 12, 400)

    assert two_sides(x, within(), USUAL) is None


def test_too_few_to_tell_or_all_in_one_place() -> None:
    assert two_sides(heaps(0, 20, 20).astype(np.float64), within(), USUAL) is None
    assert two_sides(np.zeros((500, F)), within(), USUAL) is None
    assert two_sides(np.repeat(np.eye(F)[:1] * 3, 500, axis=0), within(), 0.0) is None


def test_the_lighter_side_leaves_by_its_micro_clusters() -> None:
    """Births of the smaller heap, of that cluster alone; what went to no micro-cluster has no say."""
    x = heaps(1, 220, 140)
    is_second = x.sum(axis=1) > 4.0 * np.sqrt(F)
    births = np.where(is_second, 70, 50) + np.arange(len(x)) % 3
    clusters = np.full(len(x), 3)
    births[:20], clusters[:20] = 0, 0
    found = find_partings(job(x, births, clusters), x, within(), USUAL)

    assert [[3, 70], [3, 71], [3, 72]] == found.tolist()


def test_what_is_not_refreshed_is_not_looked_at() -> None:
    x = heaps(1, 220, 140)
    births = np.where(x.sum(axis=1) > 4.0 * np.sqrt(F), 70, 50)
    found = find_partings(job(x, births, np.full(len(x), 3), refreshed=()), x, within(), USUAL)

    assert (0, 2) == found.shape
    assert found.dtype == np.int64


def test_a_micro_cluster_over_both_sides_does_not_come_apart() -> None:
    """One ball is one ball: there is nothing that could leave."""
    x = heaps(1, 220, 140)
    found = find_partings(job(x, np.full(len(x), 9), np.full(len(x), 3)), x, within(), USUAL)

    assert (0, 2) == found.shape


def test_whitening_makes_known_classes_round() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(F, F))
    x = (rng.normal(size=(5000, F)) @ mix).astype(np.float32)
    y = whitened(x.astype(np.float64), within_classes(x, np.zeros(5000, dtype=np.int64)))

    assert np.median(np.linalg.eigvalsh(np.cov(y.T))) == pytest.approx(1.0, abs=0.3)


def test_how_far_known_classes_are_apart() -> None:
    """Squared, to the nearest, the median over classes; of one class alone, nothing is far enough."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 3000)
    centers = np.zeros((3, F))
    centers[1, 0], centers[2, 0] = 6.0, 16.0
    x = (centers[labels] + rng.normal(size=(9000, F))).astype(np.float32)
    tight = within_classes(x, labels)

    assert usual_distance(x, labels, tight) == pytest.approx(36.0, rel=0.15)
    assert usual_distance(x[:3000], labels[:3000], tight) == np.inf
