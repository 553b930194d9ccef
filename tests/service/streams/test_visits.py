"""Streams that are not open are opened for their webhooks, told, and closed; what is in use stays as it is."""

import asyncio
import math

import pytest

from service.state.errors import StoreUnavailable
from service.streams.visits import Visits
from tests.service.pipeline_rig import known
from tests.service.streams_rig import DEFAULT, Redis, StreamsRig
from tests.service.waiting import soon

NOW = 1_000_000.0


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.streams.visits._LOOK_S", 0.001)


async def lived(*names: str) -> Redis:
    """A Redis with streams that nobody has open now; those whose names begin with `h` have webhooks."""
    redis = Redis()
    async with StreamsRig(redis).open() as rig:
        for name in names:
            await rig.ask(name, known("x"))
    redis.hooked = {name for name in names if name.startswith("h")}
    return redis


def visits_of(rig: StreamsRig, now: list[float] | None = None) -> Visits:
    return Visits(rig.streams, rig.names, now=lambda: now[0] if now else NOW)


async def test_a_stream_is_open_until_all_is_told() -> None:
    """And closed again; one without webhooks is not looked at."""
    redis = await lived("hooked", "plain")
    async with StreamsRig(redis).open() as rig:
        visiting = asyncio.create_task(visits_of(rig).round())
        await soon(lambda: rig.webhooks["hooked"].looks > 3, "it is visited")
        meanwhile = rig.open_now()
        rig.webhooks["hooked"].at = math.inf
        await visiting

        assert {DEFAULT, "hooked"} == meanwhile
        assert {DEFAULT} == rig.open_now()
        assert [DEFAULT, "hooked"] == rig.made
        assert redis.streams["hooked"].lease is None


async def test_it_rests_until_something_is_due() -> None:
    """Unless another process has had it since: nobody knows then."""
    redis, now = await lived("hooked"), [NOW]
    async with StreamsRig(redis).open() as rig:
        visits = visits_of(rig, now)
        rig.webhooks["hooked"].at = NOW + 1000
        await visits.round()
        await visits.round()
        once = list(rig.made)
        now[0] += 1000
        rig.webhooks["hooked"].at = math.inf
        await visits.round()
        await visits.round()
        twice = list(rig.made)
        async with StreamsRig(redis, default="other", owner="somebody").open() as other:
            await other.ask("hooked", known("y"))
        await visits.round()

        assert ([DEFAULT, "hooked"], 2) == (once, twice.count("hooked"))
        assert 3 == rig.made.count("hooked")


async def test_one_that_somebody_owns_is_left_alone() -> None:
    """He tells it."""
    redis = await lived("hooked")
    async with StreamsRig(redis, default="other", owner="somebody").open() as other:
        await other.ask("hooked", known("y"))
        async with StreamsRig(redis).open() as rig:
            await visits_of(rig).round()

            assert [DEFAULT] == rig.made


async def test_one_that_somebody_comes_to_use_stays_open() -> None:
    """And is visited again, should it be closed with something to tell."""
    async with StreamsRig(await lived("hooked")).open() as rig:
        visits = visits_of(rig)
        visiting = asyncio.create_task(visits.round())
        await soon(lambda: rig.webhooks["hooked"].looks, "it is visited")
        await rig.ask("hooked", known("y"))
        rig.webhooks["hooked"].at = math.inf
        await visiting

        assert {DEFAULT, "hooked"} == rig.open_now()
        assert {} == visits._rests


async def test_a_visit_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that hangs keeps no other stream waiting for long; the rest is told at the next visit."""
    monkeypatch.setattr("service.streams.visits.VISIT_S", 0.05)
    async with StreamsRig(await lived("hangs", "hooked")).open() as rig:
        rig.webhooks["hooked"].at = math.inf
        await visits_of(rig).round()
        await visits_of(rig).round()

        assert (2, {DEFAULT}) == (rig.made.count("hangs"), rig.open_now())


async def test_at_most_one_is_closed_for_visits() -> None:
    """The one used least recently, however many are visited."""
    async with StreamsRig(await lived("h1", "h2", "h3", "a", "b"), most=3).open() as rig:
        await rig.ask("a", known("y"))
        await rig.ask("b", known("y"))
        for name in ("h1", "h2", "h3"):
            rig.webhooks[name].at = math.inf
        await visits_of(rig).round()

        assert {DEFAULT, "b"} == rig.open_now()
        assert {"h1", "h2", "h3"} <= set(rig.made)


async def test_where_all_are_in_use_it_is_put_off() -> None:
    """Nobody is disturbed, and the round goes on."""
    async with StreamsRig(await lived("h1", "h2"), most=1).open() as rig:
        await visits_of(rig).round()

        assert [DEFAULT] == rig.made


async def test_it_survives_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """And looks again."""
    monkeypatch.setattr("service.streams.visits.EVERY_S", 0.001)
    async with StreamsRig(await lived("hooked")).open() as rig:
        rig.redis.away = StoreUnavailable("away", outcome_unknown=False)
        running = asyncio.create_task(visits_of(rig).run())
        await asyncio.sleep(0)
        rig.redis.away = None
        await soon(lambda: rig.webhooks["hooked"].looks, "it is visited")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
