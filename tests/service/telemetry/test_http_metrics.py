"""Requests are counted under labels that are bounded whatever clients send."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from service.telemetry.http_metrics import FORMATS, OTHER, HttpMetrics, format_of


def answered(metrics: HttpMetrics, **changes: Any) -> None:
    values: dict[str, Any] = {
        "method": "POST",
        "route": "/classify",
        "status": 200,
        "content_type": "application/json",
        "seconds": 0.002,
        "received": 10,
        "sent": 20,
    }
    metrics.answered(**{**values, **changes})


def test_a_request_is_counted_once_with_its_time_and_bytes() -> None:
    registry = CollectorRegistry()
    answered(HttpMetrics(registry))
    labels = {"method": "POST", "route": "/classify", "status": "200", "format": "json"}

    assert 1 == registry.get_sample_value("firstseen_http_requests_total", labels)
    assert 1 == registry.get_sample_value("firstseen_http_request_seconds_count", {"route": "/classify"})
    assert 10 == registry.get_sample_value("firstseen_http_received_bytes_total", {"route": "/classify"})
    assert 20 == registry.get_sample_value("firstseen_http_sent_bytes_total", {"route": "/classify"})


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=30)), max_size=30))
def test_strange_methods_and_types_make_no_new_series(sent: list[tuple[str, str]]) -> None:
    """Whatever they are, they are few."""
    registry = CollectorRegistry()
    metrics = HttpMetrics(registry)
    for method, content_type in sent:
        answered(metrics, method=f"X{method}", content_type=f"strange/{content_type}")
    (family,) = [f for f in registry.collect() if f.name == "firstseen_http_requests"]

    assert {(OTHER, OTHER)} >= {(s.labels["method"], s.labels["format"]) for s in family.samples}


@pytest.mark.parametrize(
    ("content_type", "label"),
    [
        ("", "none"),
        ("Application/JSON; charset=utf-8", "json"),
        ("application/octet-stream", "raw"),
        ("text/html", "other"),
    ],
)
def test_a_format_is_the_media_type(content_type: str, label: str) -> None:
    """Parameters and case do not count."""
    assert label == format_of(content_type)
    assert label in {*FORMATS.values(), OTHER}
