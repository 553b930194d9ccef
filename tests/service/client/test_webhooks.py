"""Webhooks by the client: what is asked, what comes back, and that a lost reply makes no second secret."""

import asyncio
import json

import httpx
import msgspec
import pytest

from service.api.webhook_bodies import shown, shown_delivery
from service.client import AsyncClient, Client, Delivery, Refused, Webhook
from service.client.webhooks import Hooking
from service.webhooks.hooks import Delivery as Tried
from service.webhooks.hooks import Outcome, Reply
from tests.service.inside import Inside
from tests.service.webhooks.test_hooks import HOOK


def test_the_nouns_are_those_of_the_service() -> None:
    """A field that is added there is added here."""
    tried = Tried(
        hook="wh_a", id="a", type="b", t=0.0, tries=1, outcome=Outcome.GONE, reply=Reply(status=410, ms=1.0)
    )
    said = [json.dumps(shown(HOOK, waiting=2, with_secret=True)), json.dumps(shown_delivery(tried))]
    understood = [msgspec.json.decode(said[0], type=Webhook), msgspec.json.decode(said[1], type=Delivery)]

    assert [json.loads(one) for one in said] == [json.loads(msgspec.json.encode(one)) for one in understood]


def test_every_call_is_there_without_a_loop_as_well() -> None:
    """Of the same names."""
    assert [name for name in vars(Hooking) if not name.startswith("_") and name not in vars(Client)] == []


def test_webhooks_of_a_service(service: Inside) -> None:
    """Every call, against what answers it; a secret is in what was just made, and in no log."""
    with Client(service.url) as client:
        added, same = (
            client.add_webhook(
                "https://example.com/hook", events=["emerged"], min_items=9, per_day=3, note="ops", key="mine"
            )
            for _ in range(2)
        )
        with pytest.raises(Refused, match="with another request"):
            client.add_webhook("https://example.com/hook", key="mine")
        rotated = client.rotate_webhook(added.id, overlap_s=60)
        changed = client.change_webhook(added.id, events=(), per_day=None, enabled=False)
        enabled = client.enable_webhook(added.id, from_now=True)
        listed, shown = client.webhooks(), client.webhook(added.id)
        tried = client.test_webhook(client.add_webhook("https://hooks.invalid/").id)
        tries = client.deliveries(added.id)
        for hook in client.webhooks():
            client.remove_webhook(hook.id)
        with pytest.raises(Refused, match=r"no webhook|not here"):
            client.webhook("../keys")

    assert (added.id, added.secret) == (same.id, same.secret)
    assert (added.secret or "").startswith("whsec_")
    assert rotated.secret not in (None, added.secret)
    assert rotated.secret not in repr(rotated)
    assert (("emerged",), 3) == (added.events, added.per_day)
    assert ((), None, 9, False) == (changed.events, changed.per_day, changed.min_items, changed.enabled)
    assert enabled.enabled
    assert [shown] == listed
    assert shown.secret is None
    assert [None, True] == [one.until and True for one in shown.secrets]
    assert ("failed", None, []) == (tried.outcome, tried.status, tries)
    assert isinstance(shown, Webhook)


async def test_a_lost_reply_makes_no_second_secret() -> None:
    """What makes one has a name, under which it is sent again."""
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) % 2:
            raise httpx.ReadError("the line was cut")
        return httpx.Response(409, json={"type": "a", "title": "b", "status": 409, "detail": "c"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    async with AsyncClient("http://service", http=http) as client, asyncio.timeout(30):
        for call in (client.add_webhook("https://a"), client.rotate_webhook("a/b")):
            with pytest.raises(Refused):
                await call
    keys = [request.headers["idempotency-key"] for request in asked]

    assert (keys[0], keys[2]) == (keys[1], keys[3])
    assert keys[0] != keys[2]
    assert "/webhooks/a%2Fb/rotate" == asked[2].url.raw_path.decode()
