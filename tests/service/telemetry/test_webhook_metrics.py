"""What is counted of webhooks, a stream at a time."""

from prometheus_client import CollectorRegistry

from service.telemetry.webhook_metrics import WebhookFamilies


def test_every_series_is_there_from_the_start_and_goes_with_its_stream() -> None:
    """So that a rate over the first failure is seen; and nothing is shown of a stream that is closed."""
    registry = CollectorRegistry()
    families = WebhookFamilies(registry)
    metrics, _ = families.of("a"), families.of("b")
    metrics.tried("gone", 0.2)
    metrics.held_back("debounced")
    metrics.show(enabled=2, disabled=1, failing=1, pending=7)
    value = registry.get_sample_value

    assert [0.0, 0.0, 0.0, 1.0] == [
        value("firstseen_webhook_tries_total", {"stream": "a", "outcome": outcome})
        for outcome in ("delivered", "failed", "given_up", "gone")
    ]
    assert (1.0, 7.0) == (
        value("firstseen_webhooks_failing", {"stream": "a"}),
        value("firstseen_webhook_messages_pending", {"stream": "a"}),
    )
    families.forget("a")
    streams = {s.labels["stream"] for metric in registry.collect() for s in metric.samples}
    assert {"b"} == streams
