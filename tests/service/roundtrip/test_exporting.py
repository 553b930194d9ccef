"""A stream as tables: every verdict as it was given, and beside it what holds now; whole, or not at all."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from model.inputs import decode_item
from service.clustering import snapshot
from service.records import ANNOUNCED, VerdictKind, auto_id
from service.roundtrip import exporting
from service.roundtrip.exporting import MANIFEST, WHAT, Exported, Items, export
from service.roundtrip.standing import NotReadable
from service.state.keys import Keys
from service.state.payloads import pack_payload
from service.state.reading import StreamReader
from service.state.wire import Wire
from tests.service import digits
from tests.service.roundtrip.sending import Sending, a_stream, quiet, reader, sent
from tests.service.state.conftest import MakeStore


@pytest.fixture
async def sending(make_store: MakeStore) -> Sending:
    return await a_stream(make_store(bundle_id=digits.bundle().manifest.bundle_id, horizon=1000))


async def exported(
    client: "Redis",
    stream: str,
    folder: Path,
    *,
    items: Items | None = sent,
    form: str = "jsonl",
    what: tuple[str, ...] = WHAT,
) -> Exported:
    await asyncio.to_thread(folder.mkdir)
    return await export(
        reader(client, stream, digits.bundle()),
        digits.bundle(),
        folder,
        form=form,
        what=what,
        items=items,
        version="0",
        progress=quiet,
    )


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


async def test_every_verdict_is_there_as_it_was_given(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """In order of place; below the log only ids are remembered, and no time."""
    await exported(client, stream, tmp_path / "out")
    found = rows(tmp_path / "out", "verdicts")
    trimmed = 201
    expected = [
        (
            v.id,
            v.seq,
            t if v.seq >= trimmed else None,
            v.verdict,
            v.label,
            v.cluster_id,
            v.nearest,
            v.novelty,
            v.distance,
        )
        for v, t in zip(sending.verdicts, sending.times, strict=True)
        if v.seq >= trimmed or v.id != auto_id(v.seq)
    ]

    assert expected == [tuple(row.values())[:9] for row in found]


async def test_what_holds_now_goes_by_clusters_and_members(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """A known item is of its class by its verdict; one of a cluster belongs to it, though it came before that was."""
    await exported(client, stream, tmp_path / "out")
    found = {row["id"]: row for row in rows(tmp_path / "out", "verdicts")}
    members = {
        id: life.id
        for life in sending.engine.lives.values()
        if life.state in ANNOUNCED
        for id in life.members.ids
    }

    assert members
    for verdict in sending.verdicts:
        row = found.get(verdict.id)
        if row is None:
            continue
        if verdict.verdict is VerdictKind.KNOWN:
            assert (verdict.label, "verdict", None) == (
                row["label_now"],
                row["labelled_by"],
                row["cluster_now"],
            )
        elif verdict.id in members:
            assert (None, members[verdict.id]) == (row["label_now"], row["cluster_now"])
    assert any(
        found[id]["verdict"] == "outlier" and found[id]["cluster_now"] for id in members if id in found
    )


async def test_items_are_joined_by_id(client: "Redis", stream: str, sending: Sending, tmp_path: Path) -> None:
    """Each that the sender brings and that has a verdict, as it was sent; the others are counted."""
    done = await exported(client, stream, tmp_path / "out")
    found = {row["id"]: row for row in rows(tmp_path / "out", "items")}
    brought = {id: x for id, x in sent() if id is not None}
    known = {v.id for v in sending.verdicts} & brought.keys()

    assert known == found.keys()
    assert all(brought[id] == found[id]["x"] for id in known)
    assert len(digits.stream_items()) - len(known) == done.counts.strangers
    assert sum(row["label_now"] is not None for row in found.values()) == done.counts.labelled


async def test_an_item_that_comes_twice_counts_once(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """Who retries has it twice in the file; the first is the one that was answered."""

    def twice() -> Iterator[tuple[str | None, object]]:
        yield from sent()
        yield from ((id, [0] * 64) for id, _ in sent())

    once = await exported(client, stream, tmp_path / "once", what=("items",))
    again = await exported(client, stream, tmp_path / "again", items=twice, what=("items",))

    assert sending.engine.seq
    assert once.tables[0].sha256 == again.tables[0].sha256
    assert (0, once.tables[0].rows) == (once.counts.repeated, again.counts.repeated)


async def test_items_that_the_stream_keeps_come_in_order_of_place(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """The store has them in an order that changes from start to start; one without a verdict comes last."""
    spec, keys = digits.bundle().manifest.input, Keys(stream, digits.bundle().manifest.bundle_id)
    ids = [v.id for v in sending.verdicts[::7] if not v.id.startswith("~")]
    brought = dict(sent())
    values = {id: pack_payload(decode_item(brought[id], spec)) for id in ids[::-1]}
    await client.hset(keys.payloads, mapping={"a": next(iter(values.values())), **values})
    await exported(client, stream, tmp_path / "out", items=None)
    found = rows(tmp_path / "out", "items")

    assert [*ids, "a"] == [row["id"] for row in found]
    assert [brought[id] for id in ids] == [row["x"] for row in found[:-1]]
    assert found[-1]["seq"] is None


async def test_a_page_of_large_items_has_few(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the memory that an export takes is bounded by what items hold, not by how many there are."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    monkeypatch.setattr(exporting, "PAGE_CELLS", 64 * 50)
    await exported(client, stream, tmp_path / "out", form="parquet", what=("items", "verdicts"))
    groups = {
        name: parquet.ParquetFile(tmp_path / "out" / f"{name}.parquet").metadata
        for name in ("items", "verdicts")
    }

    assert sending.verdicts
    assert 1 == groups["verdicts"].num_row_groups
    assert {50} == {groups["items"].row_group(n).num_rows for n in range(groups["items"].num_row_groups - 1)}


async def test_an_item_that_is_none_is_left_out_and_told(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """The others are there."""
    first, second = (v.id for v in sending.verdicts[:2])
    done = await exported(
        client, stream, tmp_path / "out", items=lambda: [(first, [1, 2]), (second, digits.raw(0))]
    )

    assert (1, 1) == (done.counts.unreadable, len(rows(tmp_path / "out", "items")))
    assert first in done.counts.told[0]


async def test_clusters_are_those_of_the_head(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """All that the stream remembers."""
    await exported(client, stream, tmp_path / "out")
    found = rows(tmp_path / "out", "clusters")

    assert [(c.id, c.state, c.items, list(c.exemplars)) for c in sending.engine.clusters()] == [
        (row["id"], row["state"], row["items"], row["exemplars"]) for row in found
    ]


async def test_equal_streams_give_equal_exports(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """To the byte: nothing tells when, or by whom."""
    assert sending.verdicts
    await exported(client, stream, tmp_path / "one")
    await exported(client, stream, tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())

    assert MANIFEST in names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


async def test_the_manifest_counts_and_vouches(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """Rows, bytes and checksum of each file that was asked for, and of no other."""
    done = await exported(client, stream, tmp_path / "out", what=("clusters", "verdicts"), items=None)
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_bytes())

    assert ["verdicts", "clusters"] == list(manifest["tables"])
    assert {MANIFEST, "verdicts.jsonl", "clusters.jsonl"} == {p.name for p in (tmp_path / "out").iterdir()}
    for one in done.tables:
        path = tmp_path / "out" / one.file
        assert manifest["tables"][one.table.name]["rows"] == len(path.read_text().splitlines()) == one.rows
        assert one.size == path.stat().st_size
    assert sending.engine.seq == manifest["seq"] == done.seq


class Overtaken(StreamReader):
    """A reader under which the stream goes on and is saved, once: while the log is read, or ids are."""

    def __init__(self, client: "Redis", sending: Sending, *, reads: str) -> None:
        super().__init__(Wire(client), Keys(sending.store.keys.stream, sending.store.keys.bundle_id))
        self._sending = sending
        self._reads = reads

    async def _goes_on(self, what: str) -> None:
        if what == self._reads:
            self._reads = ""
            await self._sending.store.acquire()
            await self._sending.send(600, 640)
            await self._sending.save()
            await self._sending.store.release()

    async def count(self, generations: Any) -> list[int]:
        await self._goes_on("ids")
        return await super().count(generations)

    async def log(self, start: int, stop: int) -> AsyncIterator[list[Any]]:
        await self._goes_on("log")
        async for page in super().log(start, stop):
            yield page


@pytest.mark.parametrize(("reads", "seq"), [("log", 641), ("ids", 601)])
async def test_a_stream_that_is_saved_meanwhile_gives_an_export_of_one_instant(
    reads: str, seq: int, client: "Redis", sending: Sending, tmp_path: Path
) -> None:
    """The log is trimmed by that, so it is read anew; what is below it stays as it is."""
    await asyncio.to_thread((tmp_path / "out").mkdir)
    done = await export(
        Overtaken(client, sending, reads=reads),
        digits.bundle(),
        tmp_path / "out",
        form="jsonl",
        what=("verdicts",),
        items=None,
        version="0",
        progress=quiet,
    )
    found = rows(tmp_path / "out", "verdicts")

    assert 641 == sending.engine.seq
    assert seq == done.seq
    own = [v.seq for v in sending.verdicts if v.seq < seq and not v.id.startswith("~")]
    assert own == [row["seq"] for row in found if not row["id"].startswith("~")]


async def test_a_damaged_stream_gives_no_export(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """It says so, and how to see more."""
    keys = Keys(stream, digits.bundle().manifest.bundle_id)
    entry = (await client.xrange(keys.log))[1][0]
    await client.xdel(keys.log, entry)
    with pytest.raises(NotReadable, match="state verify"):
        await exported(client, stream, tmp_path / "out")
    assert sending.engine.seq


async def test_verdicts_that_cannot_be_read_end_it(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """Nothing is left out in silence."""
    keys = Keys(stream, digits.bundle().manifest.bundle_id)
    await client.hset(keys.ids(0), sending.verdicts[0].id, b"?")
    with pytest.raises(NotReadable, match="cannot be read"):
        await exported(client, stream, tmp_path / "out", what=("verdicts",), items=None)


async def test_reading_changes_nothing(
    client: "Redis", stream: str, sending: Sending, tmp_path: Path
) -> None:
    """Not a key."""
    keys = Keys(stream, "x")
    before = {key: await client.dump(key) for key in await client.keys(keys.every)}
    await exported(client, stream, tmp_path / "out")

    assert before == {key: await client.dump(key) for key in await client.keys(keys.every)}
    assert snapshot.dump(sending.engine)


def test_what_can_be_exported_has_a_table_each() -> None:
    """The names on the command line."""
    assert exporting.WHAT == ("items", "verdicts", "clusters", "decisions")
