"""A fit finds what is new in a window and nothing else, and comes to numbers whatever it is given."""

import math
from dataclasses import replace

import numpy as np
import pytest

from model.bundle import KnownArrays
from service.clustering.known import KnownGate
from service.clustering.logistic import log_odds
from service.clustering.stream_gate import FitJob, StreamFit, constants, cores
from service.clustering.stream_gate.features import FeatureSpace
from service.clustering.stream_gate.fitting import Fitter
from service.clustering.stream_gate.held_out import halves
from service.records import NO_CLUSTER, Float64s
from tests.service.clustering.overlapping import EVEN, HIDDEN, SHIFTED, overlapping


def fitter(known: KnownArrays | None = None) -> Fitter:
    known = known or overlapping().known
    return Fitter(known, halves(known, FeatureSpace(known))[0])


def job_of(
    *, shares: tuple[float, ...] = EVEN, at: float = 0.0, known: KnownArrays | None = None, n: int = 2000
) -> FitJob:
    """A window in which a share `at` is of the hidden class, all of it in cluster 3."""
    known = known or overlapping().known
    z, which = overlapping().stream(np.random.default_rng(5), n, shares=shares, new=HIDDEN, at=at)
    said = KnownGate(overlapping().known).decide(z)
    clusters = np.where(which == HIDDEN, 3, NO_CLUSTER).astype(np.int64)
    return FitJob(
        features=FeatureSpace(known).project(z),
        cores=cores(np.minimum(said.nearest, known.calibration_p.shape[1] - 1), said.p),
        births=clusters,
        clusters=clusters,
        refused=clusters != NO_CLUSTER,
        refreshed=(3,) if at else (),
        weights=None,
        earlier={},
    )


def log_r(fit: StreamFit, which: int) -> Float64s:
    """Of fresh items of a class."""
    z = overlapping().items(np.random.default_rng(6), np.full(1000, which))
    return log_odds(FeatureSpace(overlapping().known).project(z), fit.weights[None])[:, 0]


@pytest.mark.parametrize("shares", [EVEN, SHIFTED])
def test_where_nothing_is_new_the_ratio_is_about_one(shares: tuple[float, ...]) -> None:
    """Also where the shares are others than in the held-out items."""
    fit = fitter().solve(job_of(shares=shares))

    for k in range(4):
        assert np.mean(log_r(fit, k) > np.log(constants.LEAST_RATIO)) < 0.05
    np.testing.assert_allclose(fit.shares, shares, atol=0.05)
    assert (0,) == fit.clusters.shape


@pytest.mark.parametrize("shares", [EVEN, SHIFTED])
def test_what_is_new_has_a_large_ratio_and_its_cluster_a_membership(shares: tuple[float, ...]) -> None:
    """A class that looks known item by item."""
    fit = fitter().solve(job_of(shares=shares, at=0.15))

    assert np.mean(log_r(fit, HIDDEN) > np.log(constants.LEAST_RATIO)) > 0.5
    assert np.mean(log_r(fit, 3) > np.log(constants.LEAST_RATIO)) < 0.05
    assert [3] == fit.clusters.tolist()
    assert (1, 2 * len(fit.weights)) == fit.members.shape
    assert 0.6 < fit.shares.sum() < 0.95


def test_a_fit_depends_on_its_job_alone() -> None:
    """The same job, the same numbers; from where an earlier one ended, the same but for rounding."""
    job = job_of(at=0.15)
    one, again = fitter().solve(job), fitter().solve(job)
    on = fitter().solve(replace(job, weights=one.weights, earlier={3: one.members[0]}))

    for name in ("weights", "shares", "members", "clusters", "joins"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    np.testing.assert_allclose(one.weights, on.weights, atol=1e-3)
    np.testing.assert_allclose(one.members, on.members, atol=1e-2)


@pytest.mark.parametrize(("near", "joins"), [(math.inf, [[4, 3]]), (0.0, [])])
def test_pieces_of_a_class_are_joined_if_they_are_as_near_as_known_classes_are(
    near: float, joins: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class cut in two where it is densest has no valley there; how far apart is too far, a constant says."""
    monkeypatch.setattr(constants, "AS_NEAR", near)
    job = job_of(at=0.3)
    own = np.flatnonzero(job.clusters == 3)
    order = np.argsort(job.features[own, 0], kind="stable")
    clusters = job.clusters.copy()
    clusters[own[order[: len(own) // 2]]] = 4

    fit = fitter().solve(replace(job, clusters=clusters, births=clusters, refreshed=(3, 4)))

    assert joins == fit.joins.tolist()


CONSTANT = replace(
    overlapping().known, stream_projection=np.zeros_like(overlapping().known.stream_projection)
)
ONE_FEATURE = replace(overlapping().known, stream_projection=overlapping().known.stream_projection[:, :1])
ONE_CLASS = replace(
    overlapping().known,
    calibration_labels=np.zeros_like(overlapping().known.calibration_labels),
    calibration_p=overlapping().known.calibration_p[:, :1],
)
A_CLASS_WITHOUT = replace(
    overlapping().known, calibration_labels=np.minimum(overlapping().known.calibration_labels, 2)
)


@pytest.mark.parametrize("at", [0.0, 0.15, 1.0])
@pytest.mark.parametrize(
    "known",
    [CONSTANT, ONE_FEATURE, ONE_CLASS, A_CLASS_WITHOUT],
    ids=["constant features", "one feature", "one class", "a class without held-out items"],
)
def test_degenerate_worlds_give_numbers(known: KnownArrays, at: float) -> None:
    """Finite, shares above 0, in float32."""
    fit = fitter(known).solve(job_of(known=known, at=at))

    for array in (fit.weights, fit.shares, fit.members):
        assert np.float32 == array.dtype
        assert np.isfinite(array).all()
    assert (fit.shares > 0).all()


def test_a_window_of_far_items_gives_numbers() -> None:
    """Float16 at its end, in every item: nothing overflows."""
    job = job_of(at=0.15)
    far = np.where(np.arange(len(job.features))[:, None] % 2, 60_000, -60_000).astype(np.float16)
    fit = fitter().solve(replace(job, features=np.broadcast_to(far, job.features.shape)))

    assert np.isfinite(fit.weights).all()
    assert np.isfinite(fit.members).all()


def test_a_window_that_is_no_numbers_is_an_error() -> None:
    """Never a fit of NaN: whoever drives it keeps the one before."""
    job = job_of()
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"no weights|no numbers"):
        fitter().solve(replace(job, features=np.full_like(job.features, np.nan)))
