"""A word is said of a class when something is wrong with it, and only then."""

from functools import cached_property

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.overview.health import (
    RECENT,
    ClassHealth,
    Distances,
    Usual,
    distance_z,
    health,
    recent_of,
    share_z,
)
from service.overview.ring import CLUSTER, KNOWN, POINT, Points
from service.records import Int64s
from tests.service import digits
from tests.service.overview.test_map_view import cluster

LABELS = ("cat", "dog", "owl")


class MadeUp(Usual):
    """Three classes, as frequent as each other, ten standard deviations out, give or take one."""

    def __init__(self) -> None:
        """Without a bundle."""

    @property
    def counts(self) -> Int64s:
        return np.array([100, 100, 100])

    @cached_property
    def distances(self) -> tuple[Distances, ...]:
        return (Distances(n=200, mean=10.0, variance=1.0),) * 3


def stream(
    seed: int = 0, *, shares: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3), further: float = 0.0, n: int = 900
) -> Points:
    """Recent items: owls are further out by so much."""
    rng = np.random.default_rng(seed)
    made = np.zeros(n, dtype=POINT)
    made["seq"] = np.arange(n)
    made["kind"] = KNOWN
    made["of"] = rng.choice(len(shares), size=n, p=shares)
    made["distance"] = 10 + rng.normal(size=n) + further * (made["of"] == 2)
    return made


def told(points: Points, **given: object) -> dict[str, ClassHealth]:
    asked: dict[str, object] = {
        "labels": LABELS,
        "known_counts": np.bincount(points["of"][points["kind"] == KNOWN], minlength=3).tolist(),
        "clusters": (),
        "usual": MadeUp(),
        **given,
    }
    return {one.label: one for one in health(points, **asked)}  # type: ignore[arg-type]


@given(seed=st.integers(0, 200))
def test_nothing_is_said_of_a_stream_as_usual(seed: int) -> None:
    """Whatever luck there is in it."""
    assert {"steady"} == {one.status for one in told(stream(seed)).values()}


@pytest.mark.parametrize(
    ("points", "status", "words"),
    [
        (stream(shares=(0.48, 0.48, 0.04)), "rarer", "rarer than usual: 4.3% of known items, usually 33.3%"),
        (stream(shares=(0.1, 0.1, 0.8)), "more often", "more often than usual"),
        (stream(shares=(0.5, 0.5, 0.0)), "missing", "missing: none among the recent items, usually 33.3%"),
        (stream(further=1.5), "further out", "further out than usual, a drift"),
        (stream(further=-1.5), "closer in", "closer in than usual"),
        (stream(further=0.3), "steady", "steady"),
        (stream(shares=(0.4, 0.36, 0.24)), "steady", "steady"),
        (stream(n=60), "too few", "too few recent items to tell"),
    ],
)
def test_a_class_that_is_not_as_usual(points: Points, status: str, words: str) -> None:
    """What is beyond chance and large is said; what is small is not, however sure it is."""
    owl = told(points)["owl"]

    assert status == owl.status
    assert owl.says.startswith(words)


def test_shares_are_of_known_items() -> None:
    """A new class that takes half of the stream makes no known one rarer."""
    points = stream()
    points["kind"][::2] = CLUSTER
    found = told(points)

    assert {"steady"} == {one.status for one in found.values()}
    assert 1.0 == pytest.approx(sum(one.share or 0 for one in found.values()))


def test_a_long_stream_says_itself_what_is_usual() -> None:
    """Owls have always been rare here, whatever the bundle has."""
    points = stream(shares=(0.49, 0.49, 0.02))
    counts = np.bincount(points["of"], minlength=3) + np.array([4900, 4900, 200])
    owl = told(points, known_counts=counts.tolist())["owl"]

    assert ("stream", "steady") == (owl.usual_from, owl.status)
    assert 0.02 == pytest.approx(owl.usual_share)


def test_a_drift_that_left_the_class_is_told() -> None:
    """Clusters that are a drift of it, and not those of others."""
    clusters = [cluster(4, variant_of="owl"), cluster(5, variant_of="dog"), cluster(6)]
    found = told(stream(), clusters=clusters)

    assert ((4,), (5,), ()) == (found["owl"].variants, found["dog"].variants, found["cat"].variants)
    assert "steady; cluster 4 drifted from it" == found["owl"].says


def test_a_promoted_class_has_no_usual_distance() -> None:
    """The bundle knows nothing of it; it is not called strange for that."""
    points = stream()
    points["of"][::4] = 3
    found = told(points, labels=(*LABELS, "bat"), known_counts=[300, 300, 300, 225])["bat"]

    assert (None, None, "steady") == (found.usual_share, found.usual_distance, found.status)
    assert 225 == found.recent


def test_an_empty_stream() -> None:
    """Nothing is said, and nothing divides by nothing."""
    found = told(np.zeros(0, dtype=POINT))["owl"]

    assert ("too few", None, None, 0) == (found.status, found.share, found.distance, found.recent)


def test_two_proportions_by_hand() -> None:
    """30 of 100 against 40 of 100: p = .35, error = sqrt(.35 * .65 * .02)."""
    assert -0.1 / np.sqrt(0.35 * 0.65 * 0.02) == pytest.approx(share_z((30, 100), (40, 100)))
    assert share_z((0, 0), (1, 2)) is None
    assert share_z((0, 10), (0, 20)) == 0.0


def test_two_means_by_hand() -> None:
    """11 against 10, variances 4 and 1, 25 items and 100."""
    now, then = Distances(n=25, mean=11.0, variance=4.0), Distances(n=100, mean=10.0, variance=1.0)

    assert (1 / np.sqrt(4 / 25 + 1 / 100), 1.0) == pytest.approx(distance_z(now, then))
    assert distance_z(Distances(n=19, mean=11.0, variance=4.0), then) is None
    assert distance_z(now, Distances.of(np.array([1.0]))) is None


def test_the_bundle_is_as_usual() -> None:
    """Held-out items of the digits, as a stream, are steady; moved outwards they are not."""
    usual = Usual(digits.bundle().known, 0.05)
    labels = digits.bundle().manifest.labels
    points = np.zeros(900, dtype=POINT)
    points["seq"], points["of"] = np.arange(900), np.arange(900) % len(labels)
    rng = np.random.default_rng(0)
    means = np.array([one.mean for one in usual.distances])
    spread = np.sqrt([one.variance for one in usual.distances])
    points["distance"] = means[points["of"]] + spread[points["of"]] * rng.normal(size=900)
    counts = np.bincount(points["of"]).tolist()

    def states() -> set[str]:
        found = health(points, labels=labels, known_counts=counts, clusters=(), usual=usual)
        return {one.status for one in found}

    assert {"steady"} == states()
    points["distance"] += 2 * spread[points["of"]]
    assert {"further out"} == states()


def test_recent_is_a_stretch_of_the_stream() -> None:
    """Of places, not of rows: those without a row count."""
    points = np.zeros(3, dtype=POINT)
    points["seq"] = [5, 6, 5 + RECENT]

    assert [6, 5 + RECENT] == recent_of(points)["seq"].tolist()
    assert 0 == len(recent_of(points[:0]))
