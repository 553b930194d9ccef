"""The task that tells the webhooks of one stream, while this process owns it.

    load ─► take in: outbox behind each cursor ─► rules ─► pending and cursor, one step ─┐
      ▲     send: what is due, a few at once ─► how it went, one step ◄──────────────────┘
      └───── the store did not answer, or somebody else wrote ─────── wait for news, or for what is due next

What happens is written before it counts: an event is behind a hook's cursor only when its message is pending, and a
message is not pending any more only when it was delivered, given up, or dropped by a person. So after a crash, or for
another owner, a message may be told again (under the same `webhook-id`), and none is lost. Who is not the owner any
more learns it at the next write (the fence), and has told at worst what the heir tells, too.

**Bounds**: 50 hooks; 1000 messages wait for a hook, then its cursor waits; the outbox keeps 10,000 events, and what
left it before a hook came to it is counted and told as `missed`.

**A receiver that asks for time** (`Retry-After`, with 429 or 503) gets it, for all that is to be told him.

**A hook is disabled** by 410, or when a message was given up and nothing has been delivered since its first try. Its
messages and its cursor wait for a person (`enable`).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

import msgspec
import structlog

from service.state.errors import Fenced, StoreError, StoreUnavailable
from service.state.events import FIRST, EventPage, StoredEvent
from service.telemetry.webhook_metrics import WebhookMetrics
from service.webhooks.hooks import (
    HELD_BACK,
    MOST_PENDING,
    Delivery,
    Hook,
    Outcome,
    Pending,
    Reply,
    held_message_of,
    message_id,
    message_of,
    stamp,
)
from service.webhooks.outlook import next_due, waiting
from service.webhooks.register import Register
from service.webhooks.rules import Ruling, held_due, held_told, rule_on
from service.webhooks.schedule import next_try
from service.webhooks.signing import headers_of

log = structlog.get_logger("firstseen.webhooks")

_PAGE: Final = 100
_AT_ONCE: Final = 2
"""Tries for one hook at once."""

_LOOK_S: Final = 30.0
"""How often it looks by itself, whatever it is told."""

_PAUSE_S: Final = 1.0


class Outbox(Protocol):
    """What became of clusters (`service.state.events.EventBox`)."""

    async def after(self, id: str = FIRST, *, limit: int) -> EventPage:
        """The oldest events after this one."""

    async def latest(self) -> StoredEvent | None:
        """The newest event."""


Post = Callable[[str, Callable[[], Mapping[str, str]], bytes], Awaitable[Reply]]
"""URL, what gives headers, and body of one try -> what came of it (`service.webhooks.posting.Poster.post`)."""


class Teller:
    """Of one stream. Lives in one event loop."""

    def __init__(
        self,
        register: Register,
        *,
        stream: str,
        bundle_id: str,
        outbox: Outbox,
        post: Post,
        metrics: WebhookMetrics,
        now: Callable[[], float],
        draw: Callable[[int], bytes],
        version: str,
    ) -> None:
        """As `service.webhooks.webhooks.Webhooks`."""
        self._register = register
        self._stream = stream
        self._bundle = bundle_id
        self._outbox = outbox
        self._post = post
        self._metrics = metrics
        self._now = now
        self._draw = draw
        self._agent = f"firstseen/{version}"
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._lost: Fenced | None = None
        self._is_caught_up = False

    def due(self) -> float:
        """When there is something to tell next, seconds since 1970; long ago while that is not known."""
        if not (self._register.is_loaded and self._is_caught_up) or self._register.news.is_set():
            return 0.0
        return next_due(self._register.hooks, self._register.pending)

    async def run(self) -> None:
        """Tell, until this is cancelled.

        Raises:
            Fenced: The stream is not ours any more.
        """
        self._lost = None
        while True:
            try:
                await self._register.load()
                await self._serve()
            except StoreUnavailable as away:
                log.warning("webhooks_wait", reason=str(away))
            except Fenced:
                raise
            except Exception:
                log.exception("webhooks_failed")
            finally:
                self._register.unload()
                await self._end_tries()
            await asyncio.sleep(_PAUSE_S)

    async def _serve(self) -> None:
        register = self._register
        while register.is_loaded:
            register.news.clear()
            self._is_caught_up = False
            async with register.one_at_a_time:
                for id in list(register.hooks):
                    await self._take_in(id)
            self._is_caught_up = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._send_due()):
                    await register.news.wait()
        if self._lost is not None:
            raise self._lost

    async def _end_tries(self) -> None:
        """End what is being tried: whoever is told again, is told the same."""
        tasks = list(self._sending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sending.clear()

    # From the outbox to what is pending

    async def _take_in(self, id: str) -> None:
        while (hook := self._register.hooks[id]).disabled is None:
            room = MOST_PENDING - sum(p.hook == id for p in self._register.pending.values())
            if room <= 0:
                log.warning("webhook_full", webhook=id, waiting=MOST_PENDING)
                return
            page = await self._outbox.after(hook.cursor, limit=min(_PAGE, room))
            if not page.events:
                await self._tell_held(hook)
                return
            told: dict[str, Pending] = {}
            for event in page.events:
                hook, message = self._rule(hook, event)
                if message is not None:
                    told[message.name] = message
            await self._register.record(hooks={id: hook}, pending=told)

    async def _tell_held(self, hook: Hook) -> None:
        """Tell what was not told where its window has ended and no message came; looked at every _LOOK_S at least."""
        now = self._now()
        if now < held_due(hook.rule, hook.tally):
            return
        # One a cursor: nothing is held back but by an event, which moves it.
        name = message_id(self._stream, self._bundle, f"held-{hook.cursor}")
        body = held_message_of(self._stream, hook.cursor, now, hook.tally)
        message = Pending(hook=hook.id, id=name, type=HELD_BACK, body=body, due=now, since=now)
        hook = replace(hook, tally=held_told(hook.tally, now))
        await self._register.record(hooks={hook.id: hook}, pending={message.name: message})

    def _rule(self, hook: Hook, event: StoredEvent) -> tuple[Hook, Pending | None]:
        """What one event is to one hook, which has come to it then."""
        missed = max(0, event.number - hook.number - 1)
        if missed:
            log.warning("webhook_missed", webhook=hook.id, events=missed)
            self._metrics.missed.inc(missed)
        tally = replace(hook.tally, missed=hook.tally.missed + missed)
        hook = replace(hook, cursor=event.id, number=event.number, tally=tally)
        try:
            about = event.about()
        except msgspec.DecodeError as error:
            log.warning("event_unreadable", id=event.id, reason=str(error))
            return hook, None
        now = self._now()
        ruling, after = rule_on(hook.rule, tally, about, now)
        if ruling in (Ruling.DEBOUNCED, Ruling.OVER_BUDGET):
            self._metrics.held_back(ruling.value)
        hook = replace(hook, tally=after)
        if ruling is not Ruling.TOLD:
            return hook, None
        body = message_of(self._stream, event, about.event, about.t, tally)
        name = message_id(self._stream, self._bundle, event.id)
        type_ = f"cluster.{about.event}"
        return hook, Pending(hook=hook.id, id=name, type=type_, body=body, due=now, since=now)

    # From what is pending to the receivers

    def _send_due(self) -> float:
        """Begin to send what is due; how long until more is."""
        now, wait_s = self._now(), _LOOK_S
        busy = Counter(name.partition(" ")[0] for name in self._sending)
        for due, message, hook in waiting(self._register.hooks, self._register.pending):
            if message.name in self._sending:
                continue
            if due > now:
                return min(wait_s, due - now)
            if busy[hook.id] < _AT_ONCE:  # else it comes when one of those is done
                busy[hook.id] += 1
                task = asyncio.create_task(self._send(hook, message), name=f"webhook {message.name}")
                self._sending[message.name] = task
        return wait_s

    async def _send(self, hook: Hook, message: Pending) -> None:
        try:
            reply = await self.tried(hook, message.id, message.body)
            async with self._register.one_at_a_time:
                await self._note(message, reply)
        except StoreError as error:
            log.warning("webhook_not_noted", webhook=hook.id, message=message.id, reason=str(error))
            if isinstance(error, Fenced):
                self._lost = error
            self._register.unload()
        finally:
            self._sending.pop(message.name, None)
            self._register.news.set()

    async def tried(self, hook: Hook, id: str, body: bytes) -> Reply:
        """Try once."""
        about = {"content-type": "application/json", "user-agent": self._agent}

        def signed() -> Mapping[str, str]:
            now = self._now()
            return about | headers_of(hook.signs_with(now), id=id, t=now, body=body)

        return await self._post(hook.url, signed, body)

    async def _note(self, message: Pending, reply: Reply) -> None:
        """Write down how a try went, and what follows from it."""
        hook = self._register.hooks.get(message.hook)
        if hook is None or message.name not in self._register.pending:
            return  # a person was faster: it is not to be told any more
        now, tries = self._now(), message.tries + 1
        luck = int.from_bytes(self._draw(4)) / 2**32
        again: Pending | None = None
        next_t = next_try(tries, now, luck)
        if reply.is_ok:
            outcome, next_t = Outcome.DELIVERED, None
            hook = replace(hook, failing_since=None, last_ok=now)
        else:
            failing_since = now if hook.failing_since is None else hook.failing_since
            rests_until = max(hook.rests_until, now + (reply.retry_after_s or 0.0))
            hook = replace(hook, failing_since=failing_since, rests_until=rests_until)
            if reply.status == 410:
                outcome, next_t = Outcome.GONE, None
                hook = replace(hook, disabled="the receiver answered 410 (gone)")
                again = replace(message, tries=tries, due=now)  # should a person enable it again
            elif next_t is None:
                outcome = Outcome.GIVEN_UP
                if (hook.last_ok or 0.0) < message.since:
                    hook = replace(hook, disabled=f"nothing was delivered since {stamp(message.since)}")
            else:
                outcome, next_t = Outcome.FAILED, max(next_t, rests_until)
                again = replace(message, tries=tries, due=next_t)
        delivery = Delivery(
            hook=hook.id,
            id=message.id,
            type=message.type,
            t=now,
            tries=tries,
            outcome=outcome,
            reply=reply,
            next_t=next_t,
        )
        await self._register.record(hooks={hook.id: hook}, pending={message.name: again}, delivery=delivery)
        self._metrics.tried(outcome.value, reply.ms / 1000)
        if not reply.is_ok:
            log.warning(
                "webhook_failed",
                webhook=hook.id,
                message=message.id,
                status=reply.status,
                reason=reply.error,
                tries=tries,
                outcome=outcome.value,
            )
        if hook.disabled is not None:
            log.error("webhook_disabled", webhook=hook.id, reason=hook.disabled)
