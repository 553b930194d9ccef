"""What the service counts, for Prometheus. One registry a service, passed in.

    Metrics(registry)               what the process counts, and the families of what its streams do
        .of("orders")               StreamMetrics: what one stream counts, under the label stream="orders"
        .forget("orders")           its series are gone; they begin at 0 should it be opened again

A process has few streams open at once (`FIRSTSEEN_MAX_STREAMS`), and a stream that is closed is forgotten, so the
number of series is bounded whatever names clients think of. A counter that begins anew is what Prometheus' `rate`
expects after a restart.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from service.records import ClusterState, Verdict, VerdictKind

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

_STREAM = "stream"


class _Families:
    """Every metric of a stream, for all streams; each has the label `stream`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"firstseen_{name}", what, [_STREAM, *labels], registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"firstseen_{name}", what, [_STREAM, *labels], registry=registry)

        def histogram(name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(
                f"firstseen_{name}", what, [_STREAM, *labels], buckets=buckets, registry=registry
            )

        self.verdicts = counter("verdicts", "Durable verdicts by kind.", "verdict")
        self.repeats = counter("repeats", "Items whose id had a verdict already.")
        self.refused = counter("refused", "Items refused as invalid.")
        self.failed = counter("failed", "Items that failed by a fault of ours.")
        self.forgotten = counter(
            "forgotten", "Durable items that Redis came back without; only in the tier `relaxed`."
        )
        self.quarantined = counter("quarantined", "Items put into quarantine: they crashed the engine.")
        self.dead_letters = gauge("dead_letters", "Items in quarantine.")
        self.batch_items = histogram("batch_items", "Items a batch.", _ITEMS)
        self.stages = histogram("stage_seconds", "Time of one batch in each stage.", _SECONDS, "stage")
        self.fit = histogram(
            "fit_seconds", "Time of one fit of the stream gate, beside the stream.", _SECONDS
        )
        self.fits_failed = counter(
            "fits_failed", "Fits of the stream gate that failed; the one before is kept."
        )
        self.queue_items = gauge("queue_items", "Items waiting.")
        self.seq = gauge("seq", "Next place in the stream.")
        self.epoch = gauge("epoch", "Fencing epoch, 0 while not the owner.")
        self.ready = gauge("ready", "1 when /readyz is 200.")
        self.snapshots = counter("snapshots", "Snapshots of the state saved.")
        self.watchers = gauge("watchers", "Open /watch connections.")
        self.connections = gauge("stream_connections", "Open /stream connections.")
        self.clusters = gauge("clusters", "Clusters by state.", "state")

    def forget(self, stream: str) -> None:
        for family in vars(self).values():
            family.remove_by_labels({_STREAM: stream})


class StreamMetrics:
    """All metrics of one stream; `Metrics.of` makes it."""

    def __init__(self, families: _Families, stream: str) -> None:
        self._verdicts = {kind: families.verdicts.labels(stream, kind.value) for kind in VerdictKind}
        self.repeats = families.repeats.labels(stream)
        self.refused = families.refused.labels(stream)
        self.failed = families.failed.labels(stream)
        self.forgotten = families.forgotten.labels(stream)
        self.quarantined = families.quarantined.labels(stream)
        self.dead_letters = families.dead_letters.labels(stream)
        self.batch_items = families.batch_items.labels(stream)
        self.lookup = families.stages.labels(stream, "lookup")
        self.embed = families.stages.labels(stream, "embed")
        self.step = families.stages.labels(stream, "step")
        self.commit = families.stages.labels(stream, "commit")
        self.fit = families.fit.labels(stream)
        self.fits_failed = families.fits_failed.labels(stream)
        self.queue_items = families.queue_items.labels(stream)
        self.seq = families.seq.labels(stream)
        self.epoch = families.epoch.labels(stream)
        self.ready = families.ready.labels(stream)
        self.snapshots = families.snapshots.labels(stream)
        self.watchers = families.watchers.labels(stream)
        self.connections = families.connections.labels(stream)
        self._clusters = {state: families.clusters.labels(stream, state.value) for state in ClusterState}

    def count(self, verdicts: Sequence[Verdict]) -> None:
        """Durable verdicts."""
        for kind, counter in self._verdicts.items():
            if n := sum(v.verdict is kind for v in verdicts):
                counter.inc(n)

    def show_clusters(self, states: Sequence[ClusterState]) -> None:
        """The states of all clusters there are."""
        for state, gauge in self._clusters.items():
            gauge.set(sum(s is state for s in states))


class Metrics:
    """All metrics of one service: those of the process here, those of a stream with `of`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.open_streams = Gauge(
            "firstseen_open_streams", "Streams open in this process.", registry=registry
        )
        self._families = _Families(registry)
        self._of: dict[str, StreamMetrics] = {}

    def of(self, stream: str) -> StreamMetrics:
        """What is counted of one stream: the same object each time, until it is forgotten."""
        found = self._of.get(stream)
        if found is None:
            found = self._of[stream] = StreamMetrics(self._families, stream)
        return found

    def forget(self, stream: str) -> None:
        """The stream is closed: take its series away."""
        self._of.pop(stream, None)
        self._families.forget(stream)
