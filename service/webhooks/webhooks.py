"""The webhooks of one stream, as the service has them: what people ask about them, and the task that tells them."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from service.errors import UnknownWebhook, WebhooksFull
from service.state.events import FIRST
from service.telemetry.webhook_metrics import WebhookMetrics
from service.webhooks.hooks import (
    MOST_HOOKS,
    Delivery,
    Hook,
    Outcome,
    Pending,
    Secret,
    message_id,
    stamp,
)
from service.webhooks.register import Box, Register
from service.webhooks.rules import Rule, forgotten
from service.webhooks.signing import make_secret
from service.webhooks.teller import Outbox, Post, Teller


class Webhooks:
    """Of one stream. Lives in one event loop. What changes them raises NotReady and StoreAway, too."""

    def __init__(
        self,
        *,
        stream: str,
        bundle_id: str,
        box: Box,
        outbox: Outbox,
        post: Post,
        metrics: WebhookMetrics,
        now: Callable[[], float],
        draw: Callable[[int], bytes],
        version: str = "?",
    ) -> None:
        """Nothing happens before `run`.

        Args:
            stream: Its name.
            bundle_id: Whose outbox it is.
            box: Where hooks are stored.
            outbox: What there is to tell.
            post: Tries once.
            metrics: What is counted.
            now: The clock, seconds since 1970 (UTC).
            draw: So many random bytes: secrets, ids, jitter.
            version: Of firstseen, for receivers.
        """
        self._stream = stream
        self._bundle = bundle_id
        self._outbox = outbox
        self._now = now
        self._draw = draw
        self._register = Register(box, metrics)
        self._teller = Teller(
            self._register,
            stream=stream,
            bundle_id=bundle_id,
            outbox=outbox,
            post=post,
            metrics=metrics,
            now=now,
            draw=draw,
            version=version,
        )

    async def run(self) -> None:
        """Tell, for as long as the stream is ours. Raises Fenced."""
        await self._teller.run()

    def wake(self) -> None:
        """There may be something to tell."""
        self._register.news.set()

    def due(self) -> float:
        """When there is something to tell next, seconds since 1970; long ago while that is not known."""
        return self._teller.due()

    def all(self) -> list[Hook]:
        """All webhooks, oldest first. Raises NotReady."""
        self._register.check()
        return sorted(self._register.hooks.values(), key=lambda hook: (hook.created, hook.id))

    def get(self, id: str) -> Hook:
        """One of them. Raises UnknownWebhook, NotReady."""
        self._register.check()
        hook = self._register.hooks.get(id)
        if hook is None:
            raise UnknownWebhook(f"There is no webhook {id[:32]!r}; GET /webhooks lists those there are.")
        return hook

    def waiting(self, id: str) -> int:
        """How many messages wait for it."""
        return sum(message.hook == id for message in self._register.pending.values())

    async def add(
        self, *, url: str, rule: Rule, note: str = "", secret: str | None = None, asked: str | None = None
    ) -> Hook:
        """Tell an address from now on; the one that there is, where it was asked for before (`Secret.asked`).

        Raises:
            KeyReused: Something else was asked for under this name.
            WebhooksFull: There are as many as may be.
            NotReady, StoreAway: Not now.
        """
        async with self._register.asked():
            for hook in self._register.hooks.values():
                if hook.was_asked(asked):
                    return hook
            if len(self._register.hooks) >= MOST_HOOKS:
                raise WebhooksFull(f"There are {MOST_HOOKS} webhooks, which is the most: remove one.")
            latest = await self._outbox.latest()
            hook = Hook(
                id=f"wh_{self._draw(8).hex()}",
                url=url,
                secrets=(self._secret(secret, asked),),
                rule=rule,
                note=note,
                created=self._now(),
                cursor=FIRST if latest is None else latest.id,
                number=0 if latest is None else latest.number,
            )
            await self._register.record(hooks={hook.id: hook})
        return hook

    async def change(
        self,
        id: str,
        *,
        url: str | None = None,
        rule: Callable[[Rule], Rule] | None = None,
        note: str | None = None,
    ) -> Hook:
        """Change what is given, the rule by what it was; the rest stays. Raises as `get`, and StoreAway."""
        async with self._register.asked():
            hook = self.get(id)
            hook = replace(
                hook,
                url=hook.url if url is None else url,
                rule=hook.rule if rule is None else rule(hook.rule),
                note=hook.note if note is None else note,
            )
            await self._register.record(hooks={id: hook})
        self.wake()
        return hook

    async def rotate(self, id: str, *, overlap_s: float, asked: str | None = None) -> Hook:
        """Make a new secret; the old one signs, too, for so long. Asked for twice under one name, it is made once.

        Raises as `change`, and KeyReused.
        """
        async with self._register.asked():
            hook = self.get(id)
            if not hook.was_asked(asked):
                hook = hook.rotated(self._secret(None, asked), now=self._now(), overlap_s=overlap_s)
                await self._register.record(hooks={id: hook})
        return hook

    def _secret(self, given: str | None, asked: str | None) -> Secret:
        return Secret(text=given or make_secret(self._draw(32)), asked=asked)

    async def disable(self, id: str) -> Hook:
        """Send nothing until it is enabled. Raises as `change`."""
        async with self._register.asked():
            hook = replace(self.get(id), disabled="a person disabled it")
            await self._register.record(hooks={id: hook})
        return hook

    async def enable(self, id: str, *, from_now: bool = False) -> Hook:
        """Send again, what waits at once; or forget what waits and all that happened meanwhile. Raises as `change`."""
        async with self._register.asked():
            hook, now = self.get(id), self._now()
            hook = replace(hook, disabled=None, failing_since=None, rests_until=0.0)
            waiting = {p.name: p for p in self._register.pending.values() if p.hook == id}
            pending: dict[str, Pending | None]
            if from_now:
                latest = await self._outbox.latest()
                if latest is not None:
                    hook = replace(hook, cursor=latest.id, number=latest.number)
                hook = replace(hook, tally=forgotten(hook.tally))
                pending = dict.fromkeys(waiting)
            else:
                pending = {name: replace(p, tries=0, due=now, since=now) for name, p in waiting.items()}
            await self._register.record(hooks={id: hook}, pending=pending)
        self.wake()
        return hook

    async def remove(self, id: str) -> None:
        """Forget it, and what it was to be told. Raises as `change`."""
        async with self._register.asked():
            self.get(id)
            pending = dict.fromkeys(p.name for p in self._register.pending.values() if p.hook == id)
            await self._register.record(hooks={id: None}, pending=pending)

    async def test(self, id: str) -> Delivery:
        """Try to tell it something that means nothing, once, now; also one that is disabled. Raises as `change`."""
        hook, now = self.get(id), self._now()
        name = message_id(self._stream, self._bundle, f"test-{self._draw(6).hex()}")
        body = msgspec.json.encode(
            {"type": "webhook.test", "timestamp": stamp(now), "stream": self._stream, "data": {}}
        )
        reply = await self._teller.tried(hook, name, body)
        delivery = Delivery(
            hook=id,
            id=name,
            type="webhook.test",
            t=now,
            tries=1,
            outcome=Outcome.DELIVERED if reply.is_ok else Outcome.FAILED,
            reply=reply,
        )
        async with self._register.asked():
            await self._register.record(delivery=delivery)
        return delivery

    async def deliveries(self, id: str, *, limit: int) -> list[Delivery]:
        """The latest tries for it, latest first. Raises as `change`."""
        self.get(id)
        async with self._register.asked():
            found = await self._register.deliveries()
        return [one for one in found if one.hook == id][:limit]
