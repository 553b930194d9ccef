"""What the service counts, for Prometheus. One registry a service, passed in.

    Metrics(registry)               what the process counts, and the families of what its streams do
        .of("orders")               StreamMetrics: what one stream counts, under the label stream="orders"
        .forget("orders")           its series are gone; they begin at 0 should it be opened again

A process has few streams open at once (`FIRSTSEEN_MAX_STREAMS`), and a stream that is closed is forgotten, so the
number of series is bounded whatever names clients think of. A counter that begins anew is what Prometheus' `rate`
expects after a restart.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from service.decisions import Action
from service.pipeline.batching import Dropped
from service.pipeline.stages import Stage
from service.records import ClusterState, Verdict, VerdictKind
from service.telemetry.http_metrics import HttpMetrics
from service.telemetry.spans import Spans
from service.telemetry.trace_context import TraceContext
from service.telemetry.webhook_metrics import WebhookFamilies

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

_STREAM = "stream"

_NO_SPAN: AbstractContextManager[object] = nullcontext()

ABOUT: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "build": ("This release of firstseen.", ("version", "python")),
    "bundle": ("The bundle that is served.", ("bundle",)),
    "embedder": ("What embeds, and where.", ("runtime", "device")),
    "store": ("The store, and what an acknowledgement promises.", ("kind", "durability")),
}
"""What is told of a process in labels: name, meaning, labels."""


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
        self.dry_runs = counter("dry_runs", "Items tried out: answered, and not learnt.")
        self.refused = counter("refused", "Items refused as invalid.")
        self.failed = counter("failed", "Items that failed by a fault of ours.")
        self.forgotten = counter(
            "forgotten", "Durable items that Redis came back without; only in the tier `relaxed`."
        )
        self.dropped = counter(
            "dropped_items",
            "Items that nobody waited for any more when their turn came; not counted in the stream.",
            "reason",
        )
        self.quarantined = counter("quarantined", "Items put into quarantine: they crashed the engine.")
        self.dead_letters = gauge("dead_letters", "Items in quarantine.")
        self.payload_bytes = gauge("payload_bytes", "Bytes of the payloads kept of members of clusters.")
        self.batch_items = histogram("batch_items", "Items a batch.", _ITEMS)
        self.stages = histogram("stage_seconds", "Time of one batch in each stage.", _SECONDS, "stage")
        self.fit = histogram(
            "fit_seconds", "Time of one fit of the stream gate, beside the stream.", _SECONDS
        )
        self.fits_failed = counter(
            "fits_failed", "Fits of the stream gate that failed; the one before is kept."
        )
        self.queue_items = gauge("queue_items", "Items waiting.")
        self.queue_age = gauge(
            "queue_age_seconds", "How long what waits longest has waited; 0: nothing waits."
        )
        self.seq = gauge("seq", "Next place in the stream.")
        self.epoch = gauge("epoch", "Fencing epoch, 0 while not the owner.")
        self.ready = gauge("ready", "1 when /readyz is 200.")
        self.store_up = gauge("store_up", "0 while the store does not answer.")
        self.store_safe = gauge("store_safe", "0 while the store may forget what is acknowledged.")
        self.unsynced_items = gauge(
            "unsynced_items",
            "Acknowledged items that a crash of Redis might take, at most; 0 but in the tier `relaxed`.",
        )
        self.replay_items = gauge(
            "replay_items", "Items of the log still to be replayed before it is served."
        )
        self.replay_seconds = gauge("replay_seconds", "How long reading the state took, the last time.")
        self.snapshots = counter("snapshots", "Snapshots of the state saved.")
        self.snapshots_failed = counter("snapshots_failed", "Snapshots not saved; the log has it all.")
        self.snapshot_seq = gauge("snapshot_seq", "Place in the stream of the latest snapshot.")
        self.watchers = gauge("watchers", "Open /watch connections.")
        self.connections = gauge("stream_connections", "Open /stream connections.")
        self.clusters = gauge("clusters", "Clusters by state.", "state")
        self.decisions = counter("decisions", "Decisions of people about clusters, by kind.", "action")

    def forget(self, stream: str) -> None:
        for family in vars(self).values():
            family.remove_by_labels({_STREAM: stream})


class StreamMetrics:
    """All metrics of one stream; `Metrics.of` makes it."""

    def __init__(self, families: _Families, stream: str, spans: Spans | None = None) -> None:
        self._stream = stream
        self._spans = spans
        self._dropped = {reason: families.dropped.labels(stream, reason.value) for reason in Dropped}
        self._verdicts = {kind: families.verdicts.labels(stream, kind.value) for kind in VerdictKind}
        self.repeats = families.repeats.labels(stream)
        self.dry_runs = families.dry_runs.labels(stream)
        self.refused = families.refused.labels(stream)
        self.failed = families.failed.labels(stream)
        self.forgotten = families.forgotten.labels(stream)
        self.quarantined = families.quarantined.labels(stream)
        self.dead_letters = families.dead_letters.labels(stream)
        self.payload_bytes = families.payload_bytes.labels(stream)
        self.batch_items = families.batch_items.labels(stream)
        self.lookup = self._stage(families, "lookup")
        self.embed = self._stage(families, "embed")
        self.step = self._stage(families, "step")
        self.commit = self._stage(families, "commit")
        self.explain = self._stage(families, "explain")
        self.fit = families.fit.labels(stream)
        self.fits_failed = families.fits_failed.labels(stream)
        self.queue_items = families.queue_items.labels(stream)
        self.queue_age = families.queue_age.labels(stream)
        self.seq = families.seq.labels(stream)
        self.epoch = families.epoch.labels(stream)
        self.ready = families.ready.labels(stream)
        self.store_up = families.store_up.labels(stream)
        self.store_safe = families.store_safe.labels(stream)
        self.store_up.set(1)
        self.store_safe.set(1)
        self.unsynced_items = families.unsynced_items.labels(stream)
        self.replay_items = families.replay_items.labels(stream)
        self.replay_seconds = families.replay_seconds.labels(stream)
        self.snapshots = families.snapshots.labels(stream)
        self.snapshots_failed = families.snapshots_failed.labels(stream)
        self.snapshot_seq = families.snapshot_seq.labels(stream)
        self.watchers = families.watchers.labels(stream)
        self.connections = families.connections.labels(stream)
        self._decisions = {action: families.decisions.labels(stream, action.value) for action in Action}
        self._clusters = {state: families.clusters.labels(stream, state.value) for state in ClusterState}

    def _stage(self, families: _Families, name: str) -> Stage:
        return Stage(self._stream, name, families.stages.labels(self._stream, name), self._spans)

    def in_batch(self, items: int, requests: Iterable[TraceContext | None]) -> AbstractContextManager[object]:
        """While a batch with items of these requests is worked on: its span, where spans are made."""
        if self._spans is None:
            return _NO_SPAN
        return self._spans.batch(self._stream, items, requests)

    def count(self, verdicts: Sequence[Verdict]) -> None:
        """Durable verdicts."""
        for kind, counter in self._verdicts.items():
            if n := sum(v.verdict is kind for v in verdicts):
                counter.inc(n)

    def dropped(self, reason: Dropped, items: int) -> None:
        """Items fell out of the queue."""
        self._dropped[reason].inc(items)

    def decided(self, action: Action) -> None:
        """A decision is durable."""
        self._decisions[action].inc()

    def show_clusters(self, states: Sequence[ClusterState]) -> None:
        """The states of all clusters there are."""
        for state, gauge in self._clusters.items():
            gauge.set(sum(s is state for s in states))


class Metrics:
    """All metrics of one service: those of the process here, those of a stream with `of`."""

    def __init__(self, registry: CollectorRegistry, spans: Spans | None = None) -> None:
        """`spans`: who draws traces, if anybody does."""
        self.registry = registry
        self.open_streams = Gauge(
            "firstseen_open_streams", "Streams open in this process.", registry=registry
        )
        self.http = HttpMetrics(registry)
        self.webhooks = WebhookFamilies(registry)
        self._about = {
            name: Gauge(f"firstseen_{name}_info", what, labels, registry=registry)
            for name, (what, labels) in ABOUT.items()
        }
        self._spans = spans
        self._families = _Families(registry)
        self._of: dict[str, StreamMetrics] = {}

    def describe(self, about: str, **labels: str) -> None:
        """Show what something is, one of `ABOUT`, as the labels of a metric whose value is always 1."""
        self._about[about].clear()
        self._about[about].labels(**labels).set(1)

    def of(self, stream: str) -> StreamMetrics:
        """What is counted of one stream: the same object each time, until it is forgotten."""
        found = self._of.get(stream)
        if found is None:
            found = self._of[stream] = StreamMetrics(self._families, stream, self._spans)
        return found

    def forget(self, stream: str) -> None:
        """The stream is closed: take its series away."""
        self._of.pop(stream, None)
        self._families.forget(stream)
        self.webhooks.forget(stream)
