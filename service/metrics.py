"""What the service counts, for Prometheus. One registry a service, passed in."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from service.batching import Dropped
from service.records import ClusterState, Verdict, VerdictKind

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """All metrics of one service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._verdicts = Counter(
            "firstseen_verdicts", "Durable verdicts by kind.", ["verdict"], registry=registry
        )
        for kind in VerdictKind:
            self._verdicts.labels(kind.value)
        self.repeats = Counter(
            "firstseen_repeats", "Items whose id had a verdict already.", registry=registry
        )
        self.refused = Counter("firstseen_refused", "Items refused as invalid.", registry=registry)
        self.failed = Counter("firstseen_failed", "Items that failed by a fault of ours.", registry=registry)
        self._dropped = Counter(
            "firstseen_dropped_items",
            "Items that nobody waited for any more when their turn came; not counted in the stream.",
            ["reason"],
            registry=registry,
        )
        for reason in Dropped:
            self._dropped.labels(reason.value)
        self.forgotten = Counter(
            "firstseen_forgotten",
            "Durable items that Redis came back without; only in the tier `relaxed`.",
            registry=registry,
        )
        self.quarantined = Counter(
            "firstseen_quarantined", "Items put into quarantine: they crashed the engine.", registry=registry
        )
        self.dead_letters = Gauge("firstseen_dead_letters", "Items in quarantine.", registry=registry)
        self.batch_items = Histogram(
            "firstseen_batch_items", "Items a batch.", buckets=_ITEMS, registry=registry
        )
        self._stages = Histogram(
            "firstseen_stage_seconds",
            "Time of one batch in each stage.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.lookup = self._stages.labels("lookup")
        self.embed = self._stages.labels("embed")
        self.step = self._stages.labels("step")
        self.commit = self._stages.labels("commit")
        self.fit = Histogram(
            "firstseen_fit_seconds",
            "Time of one fit of the stream gate, beside the stream.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.fits_failed = Counter(
            "firstseen_fits_failed",
            "Fits of the stream gate that failed; the one before is kept.",
            registry=registry,
        )
        self.queue_items = Gauge("firstseen_queue_items", "Items waiting.", registry=registry)
        self.seq = Gauge("firstseen_seq", "Next place in the stream.", registry=registry)
        self.epoch = Gauge("firstseen_epoch", "Fencing epoch, 0 while not the owner.", registry=registry)
        self.ready = Gauge("firstseen_ready", "1 when /readyz is 200.", registry=registry)
        self.snapshots = Counter("firstseen_snapshots", "Snapshots of the state saved.", registry=registry)
        self.watchers = Gauge("firstseen_watchers", "Open /watch connections.", registry=registry)
        self.streams = Gauge("firstseen_stream_connections", "Open /stream connections.", registry=registry)
        self._clusters = Gauge("firstseen_clusters", "Clusters by state.", ["state"], registry=registry)

    def count(self, verdicts: Sequence[Verdict]) -> None:
        """Durable verdicts."""
        for kind in VerdictKind:
            if n := sum(v.verdict is kind for v in verdicts):
                self._verdicts.labels(kind.value).inc(n)

    def dropped(self, reason: Dropped, items: int) -> None:
        """Items fell out of the queue."""
        self._dropped.labels(reason.value).inc(items)

    def show_clusters(self, states: Sequence[ClusterState]) -> None:
        """The states of all clusters there are."""
        for state in ClusterState:
            self._clusters.labels(state.value).set(sum(s is state for s in states))
