"""What is counted is counted once, of the stream that it belongs to, under the names that dashboards know."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.decisions import Action
from service.records import ClusterState, Verdict, VerdictKind
from service.telemetry.metrics import Metrics, StreamMetrics

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


@pytest.fixture
def metrics() -> Metrics:
    """With a stream "a"."""
    metrics = Metrics(CollectorRegistry())
    metrics.of("a")
    return metrics


@pytest.fixture
def counted(metrics: Metrics) -> StreamMetrics:
    return metrics.of("a")


def verdict(kind: VerdictKind) -> Verdict:
    return Verdict(
        id="a", seq=0, verdict=kind, label=None, cluster_id=None, novelty=0.0, nearest="a", distance=0.0
    )


def value(metrics: Metrics, name: str, *, stream: str = "a", **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"stream": stream, **labels})


def test_kinds_from_the_start(metrics: Metrics) -> None:
    """Every kind of verdict is there before the first one: a rate needs a zero to start from."""
    assert [0, 0, 0] == [value(metrics, "firstseen_verdicts_total", verdict=kind) for kind in VerdictKind]


def test_count(metrics: Metrics, counted: StreamMetrics) -> None:
    """Verdicts are counted by kind."""
    counted.count([verdict(VerdictKind.KNOWN), verdict(VerdictKind.OUTLIER), verdict(VerdictKind.KNOWN)])

    assert 2 == value(metrics, "firstseen_verdicts_total", verdict="known")
    assert 1 == value(metrics, "firstseen_verdicts_total", verdict="outlier")
    assert 0 == value(metrics, "firstseen_verdicts_total", verdict="cluster")


def test_clusters(metrics: Metrics, counted: StreamMetrics) -> None:
    """The clusters shown are those there are now."""
    counted.show_clusters([ClusterState.EMERGING, ClusterState.GONE, ClusterState.EMERGING])
    counted.show_clusters([ClusterState.EMERGING])

    assert 1 == value(metrics, "firstseen_clusters", state="emerging")
    assert 0 == value(metrics, "firstseen_clusters", state="gone")


def test_decisions(metrics: Metrics, counted: StreamMetrics) -> None:
    """By what was decided; what never was is there too, as 0."""
    counted.decided(Action.PROMOTE)

    assert 1 == value(metrics, "firstseen_decisions_total", action="promote")
    assert 0 == value(metrics, "firstseen_decisions_total", action="undo")


def test_two_streams(metrics: Metrics, counted: StreamMetrics) -> None:
    """Each counts its own, and asking for one again gives the same."""
    metrics.of("b").repeats.inc()
    metrics.of("b").repeats.inc()

    assert counted is metrics.of("a")
    assert 0 == value(metrics, "firstseen_repeats_total")
    assert 2 == value(metrics, "firstseen_repeats_total", stream="b")


def test_a_stream_that_is_closed(metrics: Metrics) -> None:
    """Nothing of it is shown any more, whoever still holds its counters; opened again it counts from 0."""
    before = generate_latest(metrics.registry)
    metrics.of("b").count([verdict(VerdictKind.KNOWN)])
    held = metrics.of("b")
    metrics.forget("b")
    held.repeats.inc()

    assert before == generate_latest(metrics.registry)
    metrics.of("b")
    assert 0 == value(metrics, "firstseen_verdicts_total", stream="b", verdict="known")
    assert 0 == value(metrics, "firstseen_repeats_total", stream="b")
    metrics.forget("nobody")


def test_two_services() -> None:
    """Two services in one process do not share counters."""
    one, two = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.of("a").repeats.inc()
    two.of("a")

    assert 0 == value(two, "firstseen_repeats_total")


def test_the_page_has_every_metric_and_no_other() -> None:
    """As a table made from the source; the failure shows the one to paste."""
    found = re.search(
        r"<!-- metrics -->\n(.*?)<!-- end of metrics -->", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )

    assert found is not None
    assert table() == found.group(1)


def table() -> str:
    """Name as it is scraped, type, labels, meaning."""
    metrics = Metrics(CollectorRegistry())
    metrics.of("a")
    lines = ["| metric | type | labels | |", "|---|---|---|---|"]
    for collector in metrics.registry._collector_to_names:
        (family,) = collector.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def test_what_something_is_is_told_once(metrics: Metrics) -> None:
    """Told again, the old labels are gone."""
    metrics.describe("embedder", runtime="torch", device="cpu")
    metrics.describe("embedder", runtime="torch", device="cuda")
    samples = [
        sample.labels
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "firstseen_embedder_info"
    ]

    assert [{"runtime": "torch", "device": "cuda"}] == samples
