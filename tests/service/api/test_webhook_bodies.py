"""What may be sent about webhooks, and that nothing shown has a secret in it."""

import json

import pytest

from service.api.webhook_bodies import EnableIn, HookIn, RotateIn, check, read, rule_of, shown, shown_delivery
from service.errors import InvalidBody, InvalidParameter
from service.webhooks.hooks import Delivery, Outcome, Reply
from service.webhooks.rules import Rule
from tests.service.webhooks.test_hooks import HOOK

GOOD = {
    "url": "https://example.com/hook",
    "events": ["emerged", "gone", "emerged"],
    "min_items": 3,
    "min_per_hour": 1.5,
    "debounce_s": 60,
    "per_day": None,
    "note": "ä",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def sent(**changes: object) -> HookIn:
    return read(json.dumps({**GOOD, **changes}).encode(), HookIn)


def test_all_that_can_be_sent() -> None:
    """Each kind of event counts once."""
    check(sent(), allowed=())

    assert Rule(
        events=("emerged", "gone"), min_items=3, min_per_hour=1.5, debounce_s=60.0, per_day=None
    ) == rule_of(sent(), Rule(per_day=7))


def test_what_is_left_out_stays() -> None:
    """Of a change; null is not left out."""
    before = Rule(events=("gone",), min_items=9, per_day=7)

    assert before == rule_of(read(b"", HookIn), before)
    assert Rule(events=("gone",), min_items=9) == rule_of(read(b'{"per_day": null}', HookIn), before)
    assert Rule(min_items=9, per_day=7) == rule_of(read(b'{"events": []}', HookIn), before)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": 7},
        {"events": "emerged"},
        {"min_items": -1},
        {"min_items": 1.5},
        {"min_per_hour": -0.1},
        {"debounce_s": 1e10},
        {"per_day": 0},
        {"enabled": "yes"},
        {"typo": 1},
    ],
)
def test_what_is_of_another_kind(changes: dict[str, object]) -> None:
    """400: it cannot be read."""
    with pytest.raises(InvalidBody):
        sent(**changes)


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'"url"', b"[" * 100_000, b"null"])
def test_what_is_no_body(body: bytes) -> None:
    """Of any of the three."""
    for sort in (HookIn, RotateIn, EnableIn):
        with pytest.raises(InvalidBody):
            read(body, sort)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://example.com"},
        {"url": "https://10.0.0.1/"},
        {"events": ["emerged", "exploded"]},
        {"secret": "hunter2hunter2"},
        {"note": "x" * 201},
    ],
)
def test_what_cannot_be_used(changes: dict[str, object]) -> None:
    """422, with what to send; a secret is not repeated."""
    with pytest.raises(InvalidParameter) as caught:
        check(sent(**changes), allowed=())
    assert "hunter2" not in str(caught.value)


def test_a_webhook_is_shown_without_its_secret() -> None:
    """But for the one time."""
    assert "whsec_" not in json.dumps(shown(HOOK, waiting=2))
    assert "whsec_x" == shown(HOOK, waiting=2, with_secret=True)["secret"]


def test_a_try_is_shown() -> None:
    """Times as others read them, and what the receiver said as it was kept."""
    delivery = Delivery(
        hook="wh_a",
        id="s:b:1-1",
        type="cluster.gone",
        t=0.0,
        tries=2,
        outcome=Outcome.FAILED,
        reply=Reply(status=500, ms=1.5, excerpt="<script>"),
        next_t=5.0,
    )

    assert {
        "id": "s:b:1-1",
        "type": "cluster.gone",
        "time": "1970-01-01T00:00:00.000Z",
        "try": 2,
        "outcome": "failed",
        "status": 500,
        "ms": 1.5,
        "response": "<script>",
        "error": None,
        "next": "1970-01-01T00:00:05.000Z",
    } == shown_delivery(delivery)
