"""Out of a file comes the stream that went in; whatever happens meanwhile, there is a whole stream or none."""

import io
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from service.clustering import snapshot
from service.pipeline.recovery import replay_entry
from service.state.archive import ArchiveUnreadable
from service.state.errors import LeaseHeld, StoreUnavailable
from service.state.events import place_of
from service.state.exporting import export_stream
from service.state.importing import Imported, NotImported, StreamNotEmpty, import_stream
from service.state.inspecting import Inspected, inspect
from service.state.keys import STREAMS, Keys
from service.state.packing import unpack_entry, unpack_verdict
from service.state.payloads import unpack_payload
from service.state.reading import StreamReader
from service.state.store import StreamStore
from service.state.wire import Wire
from tests.service import digits
from tests.service.state.conftest import MakeStore
from tests.service.state.lived import BUNDLE_ID, Life, a_life, faults, quiet, verified

_tokens = itertools.count()


@pytest.fixture
async def life(store: StreamStore) -> Life:
    return await a_life(store)


@pytest.fixture
async def data(client: "Redis", stream: str, life: Life, tmp_path: Path) -> bytes:  # noqa: ARG001 - it has been lived
    """The file of that life."""
    return await exported(client, stream, tmp_path)


@pytest.fixture
def target(stream: str) -> Keys:
    """An empty stream on the same server."""
    return Keys(f"{stream}-copy", BUNDLE_ID)


async def exported(client: "Redis", stream: str, folder: Path) -> bytes:
    file = io.BytesIO()
    await export_stream(StreamReader(Wire(client), Keys(stream, BUNDLE_ID)), file, folder, quiet)
    return file.getvalue()


def archive(data: bytes) -> Inspected:
    return inspect(io.BytesIO(data))


async def put(wire: Wire, data: bytes, stream: str, *, bundle_id: str = BUNDLE_ID) -> Imported:
    token = f"t{next(_tokens)}"
    return await import_stream(
        wire,
        archive(data),
        bundle_id=bundle_id,
        stream=stream,
        owner=f"import-{token}",
        token=token,
        progress=quiet,
    )


async def test_round_trip(client: "Redis", target: Keys, data: bytes, life: Life, tmp_path: Path) -> None:
    """Sound, of the same state hash, with a higher epoch; exported again, it is the same but for that and its name."""
    done = await put(Wire(client), data, target.stream)
    found = await verified(StreamReader(Wire(client), target))
    again = archive(await exported(client, target.stream, tmp_path))

    assert {} == faults(found)
    assert (life.hash, 142) == (found.state_hash, found.seq)
    assert {"ok"} == {check.outcome.value for check in found.checks}
    assert (2, 142, done.counts.ids) == (done.epoch, done.seq, len(life.verdicts))
    assert archive(data).start.head == again.start.head
    assert 2 == again.start.epoch
    assert await client.sismember(STREAMS, target.stream)


@pytest.mark.usefixtures("life")
async def test_what_was_set_aside(client: "Redis", stream: str, target: Keys, tmp_path: Path) -> None:
    """Comes along."""
    await client.hset(Keys(stream, BUNDLE_ID).dead_letters, mapping={"a": b"\xff", "b": b""})
    await put(Wire(client), await exported(client, stream, tmp_path), target.stream)

    assert {b"a": b"\xff", b"b": b""} == await client.hgetall(target.dead_letters)


async def test_payloads_come_along(client: "Redis", target: Keys, data: bytes, life: Life) -> None:
    """Those of members, to the bit."""
    await put(Wire(client), data, target.stream)
    stored = await client.hgetall(target.payloads)

    assert {id.encode() for id in life.kept} == stored.keys()
    assert all(unpack_payload(value) == f"what {id.decode()} looked like" for id, value in stored.items())


async def test_the_service_goes_on(
    client: "Redis", target: Keys, data: bytes, life: Life, make_store: MakeStore
) -> None:
    """A store on the copy answers every id as before, takes the next items, and both streams stay the same."""
    await put(Wire(client), data, target.stream)
    store = make_store(stream=target.stream, owner="heir")
    await store.open()
    epoch = await store.acquire()
    stored = await store.lookup(list(life.verdicts))
    loaded = await store.load()
    bundle = digits.bundle()
    engine = snapshot.load(loaded.snapshot or b"", bundle.known, bundle.manifest.labels)
    async for record in store.replay(loaded):
        replay_entry(engine, unpack_entry(record.payload, first_seq=record.first_seq))
    copy = Life(store, engine)
    for one in (life, copy):
        await one.items(30, seed=8)
        await one.save()
        await one.items(3, seed=9)

    assert 3 == epoch
    assert list(life.verdicts.values())[: len(stored)] == [
        unpack_verdict(data or b"", id=id, labels=life.labels)
        for id, data in zip(life.verdicts, stored, strict=False)
    ]
    assert life.hash == copy.hash
    assert {} == faults(await verified(StreamReader(Wire(client), target)))


async def test_before_the_first_snapshot(
    client: "Redis", stream: str, target: Keys, store: StreamStore, tmp_path: Path
) -> None:
    """A young stream, and one without an item."""
    empty = await exported(client, stream, tmp_path)
    life = Life(store)
    await life.configure()
    await life.items(5)
    await put(Wire(client), await exported(client, stream, tmp_path), target.stream)
    await put(Wire(client), empty, f"{stream}-empty")
    found = await verified(StreamReader(Wire(client), target))

    assert ({}, life.hash) == (faults(found), found.state_hash)
    assert {} == faults(await verified(StreamReader(Wire(client), Keys(f"{stream}-empty", BUNDLE_ID))))


async def test_a_log_that_is_trimmed_to_the_end(
    client: "Redis", stream: str, target: Keys, life: Life, tmp_path: Path
) -> None:
    """No entries: all is in the snapshots."""
    await life.save()
    await life.save()
    done = await put(Wire(client), await exported(client, stream, tmp_path), target.stream)
    found = await verified(StreamReader(Wire(client), target))

    assert (0, {}, life.hash) == (done.counts.entries, faults(found), found.state_hash)


@pytest.mark.usefixtures("life")
async def test_a_stream_that_is_there(client: "Redis", stream: str, data: bytes) -> None:
    """It stays to the byte, and the key that is in the way is named."""
    before = await verified(StreamReader(Wire(client), Keys(stream, BUNDLE_ID)))
    with pytest.raises(StreamNotEmpty, match=rf"there is fs:{{{stream}}}:bundle and 9 more keys"):
        await put(Wire(client), data, stream)

    assert (
        before.state_hash == (await verified(StreamReader(Wire(client), Keys(stream, BUNDLE_ID)))).state_hash
    )


@pytest.mark.parametrize("key", ["fs:{%s}:stray", "fs:{%s}:other-bundle:head", "fs:{%s}:epoch"])
async def test_a_part_of_a_stream(client: "Redis", target: Keys, data: bytes, key: str) -> None:
    """Anything under its name is in the way."""
    await client.set(key % target.stream, "?")

    with pytest.raises(StreamNotEmpty, match="there is "):
        await put(Wire(client), data, target.stream)


async def test_another_bundle(client: "Redis", target: Keys, data: bytes) -> None:
    """State of one embedding space is not put under another."""
    with pytest.raises(NotImported, match="stream of bundle bundle-a, and this is bundle bundle-b"):
        await put(Wire(client), data, target.stream, bundle_id="bundle-b")

    assert [] == await client.keys(f"fs:{{{target.stream}}}:*")


async def test_two_at_once(client: "Redis", target: Keys, data: bytes) -> None:
    """The second is told who is at it."""
    await client.set(target.lease, "import-1", px=60_000)

    with pytest.raises(LeaseHeld, match="held by import-1"):
        await put(Wire(client), data, target.stream)


class Dying(Wire):
    """Is killed before (or right after) its nth command: nothing of the process is heard of again."""

    def __init__(self, client: "Redis", at: int, *, after: bool) -> None:
        super().__init__(client)
        self.left = at
        self.after = after

    async def _may(self) -> bool:
        self.left -= 1
        if self.left < 0:
            raise KilledHere
        return self.left == 0 and self.after

    async def command(self, *args: Any) -> Any:
        dies = await self._may()
        reply = await super().command(*args)
        if dies:
            raise KilledHere
        return reply

    async def commands(self, *batch: Any) -> list[Any]:
        dies = await self._may()
        replies = await super().commands(*batch)
        if dies:
            raise KilledHere
        return replies


class KilledHere(BaseException):
    """No handler of a process that is killed runs; here those that do find no Redis."""


@pytest.mark.parametrize("after", [False, True])
async def test_killed_anywhere(
    *, client: "Redis", target: Keys, data: bytes, life: Life, after: bool
) -> None:
    """At every step: no stream, or the whole; and if none, the next import clears up and makes it."""
    outcomes = []
    for at in itertools.count(1):
        await client.delete(*await client.keys(f"fs:{{{target.stream}}}:*"), "none")
        try:
            await put(Dying(client, at, after=after), data, target.stream)
        except KilledHere:
            pass
        else:
            break
        is_there = bool(await client.exists(target.bundle))
        outcomes.append(is_there)
        assert is_there == bool(await client.exists(target.head)) == bool(await client.exists(target.epoch))
        await client.delete(target.lease)  # it runs out
        if is_there:
            assert {} == faults(await verified(StreamReader(Wire(client), target)))
        else:
            await put(Wire(client), data, target.stream)
            assert not [key for key in await client.keys(f"fs:{{{target.stream}}}:*") if b":+" in key]

    assert len(outcomes) > 10
    assert outcomes == sorted(outcomes)
    assert (after, life.hash) == (
        outcomes[-1],
        (await verified(StreamReader(Wire(client), target))).state_hash,
    )


async def test_a_reader_sees_no_half(client: "Redis", target: Keys, data: bytes) -> None:
    """What an interrupted import leaves are staged keys alone, and its lease."""
    with pytest.raises(KilledHere):
        await put(Dying(client, 10, after=False), data, target.stream)
    names = await StreamReader(Wire(client), target).names()

    assert target.lease in names
    assert all(target.is_staged(key) or key == target.lease for key in names)
    assert len(names) > 2


async def test_overtaken_by_a_service(
    client: "Redis", target: Keys, data: bytes, make_store: MakeStore
) -> None:
    """A service that takes the stream by force in between keeps it; the import takes back what it wrote."""
    store = make_store(stream=target.stream)
    await store.open()

    class Overtaken(Wire):
        async def call(self, function: str, keys: Any, *args: Any) -> Any:
            await store.acquire(steal=True)
            return await super().call(function, keys, *args)

    with pytest.raises(NotImported, match="took stream"):
        await put(Overtaken(client), data, target.stream)
    names = await StreamReader(Wire(client), target).names()

    assert {target.bundle, target.epoch, target.lease, target.head} == names.keys()


async def test_redis_away_meanwhile(client: "Redis", target: Keys, data: bytes) -> None:
    """An error of a process that lives takes back what was written."""

    class Away(Wire):
        left = 9

        async def commands(self, *batch: Any) -> list[Any]:
            self.left -= 1
            if not self.left:
                raise StoreUnavailable("away", outcome_unknown=False)
            return await super().commands(*batch)

    away = Away(client)
    away.left = 5
    with pytest.raises(StoreUnavailable):
        await put(away, data, target.stream)

    assert {} == await StreamReader(Wire(client), target).names()


async def test_a_file_that_changed_since(client: "Redis", target: Keys, data: bytes) -> None:
    """It is read again, and checked again, while it is written."""
    changed = replace(archive(data), file=io.BytesIO(data[:-40] + b"?" + data[-39:]))
    with pytest.raises(ArchiveUnreadable):
        await import_stream(
            Wire(client),
            changed,
            bundle_id=BUNDLE_ID,
            stream=target.stream,
            owner="o",
            token="t",  # noqa: S106 - no password
            progress=quiet,
        )

    assert {} == await StreamReader(Wire(client), target).names()


async def test_between_servers(
    client: "Redis", private: "Redis", stream: str, data: bytes, life: Life, tmp_path: Path
) -> None:
    """From one server to another and back, Redis 7.0 or Valkey: the same stream, whatever it passed through."""
    await Wire(private).load_library()
    await put(Wire(private), data, stream)
    there = await exported(private, stream, tmp_path)
    await put(Wire(client), there, f"{stream}-back")
    found = await verified(StreamReader(Wire(client), Keys(f"{stream}-back", BUNDLE_ID)))

    assert ({}, life.hash) == (faults(found), found.state_hash)
    assert archive(data).start.head == archive(there).start.head
    assert archive(data).size == archive(there).size


async def test_events_and_webhooks_come_along(
    client: "Redis", stream: str, target: Keys, life: Life, tmp_path: Path
) -> None:
    """As they were, and the stream they make is sound."""
    reader = StreamReader(Wire(client), Keys(stream, BUNDLE_ID))
    await client.hset(reader.keys.hooks, "wh_a", b"1")
    await client.hset(reader.keys.pending, "wh_a 3-1", b"body")
    await put(Wire(client), await exported(client, stream, tmp_path), target.stream)
    there = StreamReader(Wire(client), target)
    events = [event async for event in there.events()]

    assert events
    assert life.engine.seq > place_of(events[-1].id)[0]
    assert [event async for event in reader.events()] == events
    assert {b"wh_a": b"1"} == await there.hooks("hook")
    assert {b"wh_a 3-1": b"body"} == await there.hooks("pending")
    assert {} == faults(await verified(there))
