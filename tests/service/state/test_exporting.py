"""An export is the stream at one instant, equal for equal states, and never one of a damaged stream."""

import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.state import exporting, ordered
from service.state.archive import (
    End,
    EventsPage,
    Frame,
    HooksPage,
    IdsPage,
    LogPage,
    PayloadsPage,
    Start,
    read_frames,
)
from service.state.exporting import Exported, NotExportable, export_stream, paged
from service.state.inspecting import inspect
from service.state.keys import Keys
from service.state.reading import StreamReader
from service.state.store import StreamStore
from service.state.wire import Wire
from tests.service.state.lived import BUNDLE_ID, Life, a_life, quiet


@pytest.fixture
def keys(stream: str) -> Keys:
    return Keys(stream, BUNDLE_ID)


@pytest.fixture
def reader(client: "Redis", keys: Keys) -> StreamReader:
    return StreamReader(Wire(client), keys)


@pytest.fixture
async def life(store: StreamStore) -> Life:
    return await a_life(store)


async def export(reader: StreamReader, folder: Path) -> tuple[Exported, bytes]:
    file = io.BytesIO()
    done = await export_stream(reader, file, folder, quiet)
    return done, file.getvalue()


def frames(data: bytes) -> list[Frame]:
    return [frame for _, frame in read_frames(io.BytesIO(data))]


def of_the_log(data: bytes) -> list[Frame]:
    return [frame for frame in frames(data) if not isinstance(frame, PayloadsPage | End)]


async def test_what_is_in_it(
    reader: StreamReader, life: Life, client: "Redis", keys: Keys, tmp_path: Path
) -> None:
    """Head, log from where it is complete, ids, snapshots, what was set aside; nothing of a process."""
    await client.hset(keys.dead_letters, "bad", b"letter")
    await client.hset(keys.head, mapping={"saving": "3 1", "gen": 3})
    done, data = await export(reader, tmp_path)
    start, *_ = found = frames(data)

    assert isinstance(start, Start)
    assert (reader.keys.stream, BUNDLE_ID, 142, 1) == (done.stream, done.bundle_id, done.seq, done.epoch)
    assert {"seq", "horizon", "idgen", "gen", "trimmed", "cur", "prev", "events"} == start.head.keys()
    assert 61 == next(frame for frame in found if isinstance(frame, LogPage)).entries[0][0]
    assert (done.counts.ids, done.counts.chunks, done.counts.dlq) == (len(life.verdicts), 2, 1)
    assert b"owner-a" not in data
    payloads = [id for frame in found if isinstance(frame, PayloadsPage) for id, _ in frame.fields]
    assert sorted(id.encode() for id in life.kept) == payloads
    assert done.counts.payloads == len(payloads) > 0


@pytest.mark.usefixtures("life")
async def test_events_and_webhooks_are_in_it(
    reader: StreamReader, client: "Redis", keys: Keys, tmp_path: Path
) -> None:
    """All of the outbox; the webhooks, and what they are still to be told; not what they were."""
    await client.hset(keys.hooks, mapping={"wh_b": b"2", "wh_a": b"1"})
    await client.hset(keys.pending, "wh_a 3-1", b"body")
    await client.xadd(keys.deliveries, {"d": b"tried"})
    done, data = await export(reader, tmp_path)
    found = frames(data)
    events = [event for frame in found if isinstance(frame, EventsPage) for event in frame.events]
    hooks = [(frame.kind, frame.fields) for frame in found if isinstance(frame, HooksPage)]

    assert [(e.id, e.number, e.data) async for e in reader.events()] == events
    assert (len(events), 3) == (done.counts.events, done.counts.hooks)
    assert events
    assert [("hook", [(b"wh_a", b"1"), (b"wh_b", b"2")]), ("pending", [(b"wh_a 3-1", b"body")])] == hooks
    assert b"tried" not in data


async def test_equal_states_give_equal_files(reader: StreamReader, life: Life, tmp_path: Path) -> None:
    """To the byte, though a hash has no order; ids stand in the order of their items."""
    _, first = await export(reader, tmp_path)
    _, again = await export(reader, tmp_path)
    ids = [id for frame in frames(first) if isinstance(frame, IdsPage) for id, _ in frame.verdicts]

    assert first == again
    assert [id.encode() for id in life.verdicts] == ids
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - nothing else is to run meanwhile


@pytest.mark.usefixtures("life")
async def test_many_piles(reader: StreamReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few ids fit into memory at once, the file is the same."""
    _, whole = await export(reader, tmp_path)
    monkeypatch.setattr(ordered, "_ITEMS", 16)
    _, piled = await export(reader, tmp_path)

    assert whole == piled


@pytest.mark.usefixtures("life")
async def test_small_pages(reader: StreamReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More frames, the same stream."""
    monkeypatch.setattr(exporting, "PAGE_BYTES", 100)
    done, data = await export(reader, tmp_path)

    assert len(frames(data)) > 30
    assert done.seq == inspect(io.BytesIO(data)).head.seq


class Meanwhile(StreamReader):
    """Something happens each time ids are counted, which is after the log was read."""

    happens: Callable[[], Awaitable[object]]

    async def count(self, generations: object) -> list[int]:
        await self.happens()
        return await super().count(generations)  # type: ignore[arg-type]  # whatever it was given


async def test_a_stream_that_grows(
    client: "Redis", keys: Keys, reader: StreamReader, life: Life, tmp_path: Path
) -> None:
    """The file is of the instant at which it began, but for payloads, which are no part of the log."""
    _, before = await export(reader, tmp_path)
    growing = Meanwhile(Wire(client), keys)
    growing.happens = lambda: life.items(5, seed=7)
    _, during = await export(growing, tmp_path)

    assert of_the_log(before) == of_the_log(during)


async def test_a_stream_that_is_saved_meanwhile(
    client: "Redis", keys: Keys, reader: StreamReader, life: Life, tmp_path: Path
) -> None:
    """It starts over: the file is what it would be now."""
    saving = Meanwhile(Wire(client), keys)
    saves = iter([1])

    async def save() -> None:
        if next(saves, None):
            await life.items(5, seed=7)
            await life.save()

    saving.happens = save
    _, during = await export(saving, tmp_path)

    assert (await export(reader, tmp_path))[1] == during


async def test_a_stream_that_never_stands_still(
    client: "Redis", keys: Keys, life: Life, tmp_path: Path
) -> None:
    """It says so."""
    saving = Meanwhile(Wire(client), keys)
    saving.happens = life.save

    with pytest.raises((NotExportable, Exception), match="saved 5 times"):
        await export(saving, tmp_path)


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize("what", ["log", "chunk", "verdict", "head"])
async def test_a_damaged_stream(
    *, reader: StreamReader, client: "Redis", keys: Keys, tmp_path: Path, what: str
) -> None:
    """A backup of what is damaged would be found out when it is needed; it is refused now."""
    told = {"log": "items 122 to 128", "chunk": "chunk 0 of 1", "verdict": "cannot be read", "head": "idgen"}
    if what == "log":
        await client.xdel(keys.log, "122-1")
    elif what == "chunk":
        await client.delete(keys.chunk(1, 0))
    elif what == "verdict":
        await client.hset(keys.ids(1), "id-141", b"?")
    else:
        await client.hset(keys.head, "idgen", 0)

    with pytest.raises(NotExportable, match=told[what]):
        await export(reader, tmp_path)


def test_pages() -> None:
    """Never empty, in order, and all of it."""
    rows = [b"x" * exporting.PAGE_BYTES, b"y", b"z"]

    assert [] == list(paged([], len))
    assert [[rows[0]], rows[1:]] == list(paged(rows, len))
