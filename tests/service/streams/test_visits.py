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
    async def due(name: str) -> float:
        return rig.webhooks[name].stored

    return Visits(rig.streams, rig.names, due=due, now=lambda: now[0] if now else NOW)


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
    """By the store, which is asked again only where somebody has had the stream since."""
    redis, now = await lived("hooked"), [NOW]
    async with StreamsRig(redis).open() as rig:
        visits, webhooks = visits_of(rig, now), rig.webhooks["hooked"]
        webhooks.at, webhooks.stored = math.inf, NOW + 1000
        await visits.round()
        before = list(rig.made)
        webhooks.stored = math.inf  # nobody has had it
        now[0] += 1000
        await visits.round()
        once = list(rig.made)
        await visits.round()
        twice = list(rig.made)
        webhooks.stored = 0.0
        async with StreamsRig(redis, default="other", owner="somebody").open() as other:
            await other.ask("hooked", known("y"))
        await visits.round()

        assert ([DEFAULT], [DEFAULT, "hooked"], once) == (before, once, twice)
        assert 2 == rig.made.count("hooked")


async def test_processes_do_not_make_each_other_look_again() -> None:
    """One tells it; the other finds that nothing is due, and takes nothing."""
    redis = await lived("hooked")
    async with (
        StreamsRig(redis).open() as rig,
        StreamsRig(redis, default="other", owner="somebody").open() as other,
    ):
        ours, theirs = visits_of(rig), visits_of(other)
        rig.webhooks["hooked"].at = math.inf
        await ours.round()
        for one in (rig, other):
            one.webhooks["hooked"].stored = math.inf
        for _ in range(3):
            await theirs.round()
            await ours.round()

        assert ([DEFAULT, "hooked"], ["other"]) == (rig.made, other.made)


async def test_who_comes_gets_the_place_of_a_visit() -> None:
    """Nobody is refused, and none that is used is closed, for a stream that nobody uses."""
    async with StreamsRig(await lived("hooked", "new"), most=3).open() as rig:
        await rig.ask("used", known("y"))
        visiting = asyncio.create_task(visits_of(rig).round())
        await soon(lambda: rig.webhooks["hooked"].looks, "it is visited")
        await rig.ask("new", known("y"))
        await visiting

        assert {DEFAULT, "used", "new"} == rig.open_now()


async def test_one_that_somebody_owns_is_left_alone() -> None:
    """He tells it."""
    redis = await lived("hooked")
    async with StreamsRig(redis, default="other", owner="somebody").open() as other:
        await other.ask("hooked", known("y"))
        async with StreamsRig(redis).open() as rig:
            await visits_of(rig).round()

            assert [DEFAULT] == rig.made


async def test_one_that_somebody_comes_to_use_stays_open() -> None:
    """It is his."""
    async with StreamsRig(await lived("hooked")).open() as rig:
        visiting = asyncio.create_task(visits_of(rig).round())
        await soon(lambda: rig.webhooks["hooked"].looks, "it is visited")
        await rig.ask("hooked", known("y"))
        rig.webhooks["hooked"].at = math.inf
        await visiting

        assert {DEFAULT, "hooked"} == rig.open_now()


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
