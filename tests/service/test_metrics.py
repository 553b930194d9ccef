"""What is counted is counted once, under the names that dashboards know."""

import pytest
from prometheus_client import CollectorRegistry

from service.metrics import Metrics
from service.records import ClusterState, Verdict, VerdictKind


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def verdict(kind: VerdictKind) -> Verdict:
    return Verdict(
        id="a", seq=0, verdict=kind, label=None, cluster_id=None, novelty=0.0, nearest="a", distance=0.0
    )


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_kinds_from_the_start(metrics: Metrics) -> None:
    """Every kind of verdict is there before the first one: a rate needs a zero to start from."""
    assert [0, 0, 0] == [value(metrics, "firstseen_verdicts_total", verdict=kind) for kind in VerdictKind]


def test_count(metrics: Metrics) -> None:
    """Verdicts are counted by kind."""
    metrics.count([verdict(VerdictKind.KNOWN), verdict(VerdictKind.OUTLIER), verdict(VerdictKind.KNOWN)])

    assert 2 == value(metrics, "firstseen_verdicts_total", verdict="known")
    assert 1 == value(metrics, "firstseen_verdicts_total", verdict="outlier")
    assert 0 == value(metrics, "firstseen_verdicts_total", verdict="cluster")


def test_clusters(metrics: Metrics) -> None:
    """The clusters shown are those there are now."""
    metrics.show_clusters([ClusterState.EMERGING, ClusterState.GONE, ClusterState.EMERGING])
    metrics.show_clusters([ClusterState.EMERGING])

    assert 1 == value(metrics, "firstseen_clusters", state="emerging")
    assert 0 == value(metrics, "firstseen_clusters", state="gone")


def test_two_services() -> None:
    """Two services in one process do not share counters."""
    one, two = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.repeats.inc()

    assert 0 == value(two, "firstseen_repeats_total")
