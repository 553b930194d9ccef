"""Webhooks as values: names, bodies and bytes."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.state.events import StoredEvent
from service.state.keys import STREAM_PATTERN
from service.webhooks.hooks import (
    Delivery,
    Hook,
    Outcome,
    Reply,
    Secret,
    message_id,
    message_of,
    pack,
    stamp,
    unpack,
)
from service.webhooks.rules import Rule, Tally

HOOK = Hook(
    id="wh_a",
    url="https://example.com/",
    secrets=(Secret(text="whsec_x", until=5.0), Secret(text="whsec_y")),
    rule=Rule(events=("emerged",), per_day=3),
    note="ä",
    created=1.0,
    tally=Tally(told_at=((3, 1.5),), held=(4, 5), missed=2),
)


@pytest.mark.parametrize(
    "value",
    [
        HOOK,
        Delivery(
            hook="wh_a",
            id="s:b:1-1",
            type="cluster.gone",
            t=1.0,
            tries=3,
            outcome=Outcome.FAILED,
            reply=Reply(status=None, ms=2.0, error="no answer"),
            next_t=9.0,
        ),
    ],
)
def test_bytes_and_back(value: Hook | Delivery) -> None:
    """Equal, of the same kind."""
    assert value == unpack(pack(value), type(value))


def test_bytes_of_another_version() -> None:
    """What is unknown is left out, what is missing takes its default."""
    fields = msgspec.msgpack.decode(pack(HOOK))
    del fields["tally"], fields["cursor"]

    assert ("0-0", Tally(), "ä") == (
        (found := unpack(msgspec.msgpack.encode({**fields, "later": 1}), Hook)).cursor,
        found.tally,
        found.note,
    )


@given(st.from_regex(STREAM_PATTERN, fullmatch=True), st.from_regex(STREAM_PATTERN, fullmatch=True))
def test_no_two_streams_have_one_id(one: str, other: str) -> None:
    """And no id has a dot, which separates what is signed."""
    ids = {message_id(name, "bundle", "12-1") for name in (one, other)}

    assert len({one, other}) == len(ids)
    assert not any("." in id for id in ids)


def test_a_body_has_the_event_as_it_is_stored() -> None:
    """Of whatever version: fields that are not known here are handed on."""
    event = StoredEvent(id="12-1", number=4, data=b'{"event":"emerged","later":[1,2]}')
    body = json.loads(message_of("s", event, "emerged", 1e9, Tally(debounced=2, held=(7,))))

    assert {"event": "emerged", "later": [1, 2]} == body["data"]
    assert {"debounced": 2, "over_budget": 0, "missed": 0, "clusters": [7]} == body["held_back"]
    assert ("cluster.emerged", "2001-09-09T01:46:40.000Z") == (body["type"], body["timestamp"])


def test_a_secret_is_not_in_what_is_logged() -> None:
    """Neither of itself nor of the hook."""
    assert "whsec_" not in f"{HOOK!r} {HOOK} {HOOK.secrets}"


def test_a_time_is_written_as_others_read_it() -> None:
    """ISO 8601, UTC."""
    assert "1970-01-01T00:00:00.500Z" == stamp(0.5)


@pytest.mark.parametrize(
    ("status", "is_ok"), [(200, True), (204, True), (299, True), (300, False), (None, False)]
)
def test_what_counts_as_taken(status: int | None, is_ok: bool) -> None:
    """2xx alone."""
    assert is_ok is Reply(status=status, ms=1.0).is_ok
