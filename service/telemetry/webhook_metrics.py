"""What is counted of webhooks: for all streams here, of one with `WebhookFamilies.of`."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_STREAM: Final = "stream"
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
_OUTCOMES: Final = ("delivered", "failed", "given_up", "gone")
_HELD: Final = ("debounced", "over_budget")


class WebhookFamilies:
    """Every metric of webhooks, for all streams."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.webhooks = Gauge(
            "firstseen_webhooks", "Webhooks by state.", [_STREAM, "state"], registry=registry
        )
        self.failing = Gauge(
            "firstseen_webhooks_failing",
            "Webhooks whose latest try failed; one that was disabled for that stays among them.",
            [_STREAM],
            registry=registry,
        )
        self.pending = Gauge(
            "firstseen_webhook_messages_pending",
            "Messages that webhooks are still to be told.",
            [_STREAM],
            registry=registry,
        )
        self.tries = Counter(
            "firstseen_webhook_tries", "Tries to tell a webhook.", [_STREAM, "outcome"], registry=registry
        )
        self.seconds = Histogram(
            "firstseen_webhook_seconds", "Time of one try.", [_STREAM], buckets=_SECONDS, registry=registry
        )
        self.held = Counter(
            "firstseen_webhook_held_back",
            "Events that a webhook was not told, and why.",
            [_STREAM, "reason"],
            registry=registry,
        )
        self.missed = Counter(
            "firstseen_webhook_missed",
            "Events that left the outbox before a webhook came to them.",
            [_STREAM],
            registry=registry,
        )

    def of(self, stream: str) -> "WebhookMetrics":
        """Those of one stream."""
        return WebhookMetrics(self, stream)

    def forget(self, stream: str) -> None:
        """The stream is closed: take its series away."""
        for family in vars(self).values():
            family.remove_by_labels({_STREAM: stream})


class WebhookMetrics:
    """Of one stream's webhooks."""

    def __init__(self, families: WebhookFamilies, stream: str) -> None:
        self._states = {state: families.webhooks.labels(stream, state) for state in ("enabled", "disabled")}
        self._failing = families.failing.labels(stream)
        self._pending = families.pending.labels(stream)
        self._tries = {outcome: families.tries.labels(stream, outcome) for outcome in _OUTCOMES}
        self._seconds = families.seconds.labels(stream)
        self._held = {reason: families.held.labels(stream, reason) for reason in _HELD}
        self.missed = families.missed.labels(stream)

    def show(self, *, enabled: int, disabled: int, failing: int, pending: int) -> None:
        """How they stand."""
        self._states["enabled"].set(enabled)
        self._states["disabled"].set(disabled)
        self._failing.set(failing)
        self._pending.set(pending)

    def tried(self, outcome: str, seconds: float) -> None:
        """One try is over."""
        self._tries[outcome].inc()
        self._seconds.observe(seconds)

    def held_back(self, reason: str) -> None:
        """An event was not told."""
        self._held[reason].inc()
