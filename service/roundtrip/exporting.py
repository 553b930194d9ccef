"""A stream into tables: items, verdicts, clusters and decisions as of one instant, in bounded memory.

    cut ─► log, replayed ─► engine at the head, and its verdicts in a temporary file
       └─► ids of before the log, in order of their items     ─► verdicts, in order of place
           items of a file, or kept by the stream             ─► items, each with what holds of it now

The stream may be served meanwhile: what came after the cut is left out, and when the stream is saved while the log is
read, or ids are forgotten, all is read anew. A verdict below the log has no time: the store keeps verdicts by id, and
times only with the log.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec
import numpy as np

from model.bundle import Bundle
from model.inputs import InvalidInput, decode_item
from service.clustering.engine import Engine
from service.clustering.kinship import heir
from service.records import Observed, Verdict, VerdictKind
from service.roundtrip import card
from service.roundtrip.as_of_now import AsOfNow, Now
from service.roundtrip.card import Written
from service.roundtrip.kept_items import kept_ids, kept_items
from service.roundtrip.standing import TRIES, NotReadable, Progress, damaged, head_of, stand
from service.roundtrip.tables import CLUSTERS, DECISIONS, VERDICTS, Row, Table, items_table
from service.roundtrip.writers import PAGE_CELLS, PAGE_ROWS, place_of, writer_for
from service.state.batches import id_field
from service.state.checks import Head
from service.state.ordered import UnreadableVerdict, ordered
from service.state.packing import EntryUnreadable, seq_of_verdict, unpack_verdict
from service.state.reading import StreamReader

MANIFEST: Final = "firstseen-export.json"
"""The file that says what an export holds; `firstseen train` knows an export by it."""

VERSION: Final = 1
WHAT: Final = ("items", "verdicts", "clusters", "decisions")
"""What can be exported; `all` is all of it."""

_PAGE_ITEMS: Final = 100
"""Items of the sender that are looked up at once."""

_TOLD: Final = 5
"""Items that cannot be read and are told one by one."""

Items = Callable[[], Iterable[tuple[str | None, object]]]
"""(id, item as it is sent) of each item that the sender has; called anew for each attempt."""


T = TypeVar("T")


class _Spooled(msgspec.Struct, array_like=True, gc=False):
    """A verdict on its way through the temporary file."""

    id: str
    seq: int
    t: float
    kind: str
    label: str | None
    nearest: str
    cluster: int | None
    novelty: float
    distance: float


@dataclass(kw_only=True)
class Counts:
    """What of the sender's items could not be used.

    Attributes:
        strangers: Items whose id has no verdict that is kept.
        repeated: Items whose id came before; the first counts, as it did in the stream.
        unreadable: Items that the bundle's input does not take.
        told: The first of these, in words.
        labelled: Items that are of a class as of now.
    """

    strangers: int = 0
    repeated: int = 0
    unreadable: int = 0
    labelled: int = 0
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    stream: str
    bundle_id: str
    seq: int
    tables: tuple[Written, ...]
    counts: Counts


async def export(
    reader: StreamReader,
    bundle: Bundle,
    folder: Path,
    *,
    form: str,
    what: Sequence[str],
    items: Items | None,
    version: str,
    progress: Progress,
) -> Exported:
    """Write the tables, the manifest and, for Hugging Face, the card.

    Args:
        reader: Of the stream, which is there and of this bundle.
        bundle: The stream's.
        folder: Empty; also for temporary files, as large as the ids are.
        form: One of `writers.FORMATS`.
        what: Of WHAT.
        items: The sender's items; None: only those that the stream keeps.
        version: Of firstseen, for the manifest.
        progress: Told how far it is.

    Raises:
        NotReadable: The stream is damaged, empty, or never stood still for long enough.
        MissingExtra: The format needs a package.
        StoreUnavailable, StoreMisconfigured: Redis could not be read.
    """
    for _ in range(TRIES):
        cut = await reader.cut()
        head = head_of(reader, cut)
        try:
            done = await _Export(reader, bundle, folder, head, form, items, progress).run(what)
        except (NotReadable, UnreadableVerdict) as error:
            if cut.is_same_place(await reader.cut()):
                raise damaged(reader, str(error)) from None if isinstance(error, UnreadableVerdict) else error
            continue
        if cut.has_same_ids(await reader.cut()):
            _finish(folder, bundle, done, form, version)
            return done
    raise NotReadable(
        f"Stream {reader.keys.stream} was saved {TRIES} times while it was read; export it when less arrives, raise "
        "FIRSTSEEN_SNAPSHOT_EVERY_ITEMS, or stop the service."
    )


def _finish(folder: Path, bundle: Bundle, done: Exported, form: str, version: str) -> None:
    """Write what is told of the tables."""
    manifest = {
        "format_version": VERSION,
        "firstseen": version,
        "format": form,
        "stream": done.stream,
        "bundle": done.bundle_id,
        "seq": done.seq,
        "labels": list(bundle.manifest.labels),
        "input": bundle.manifest.input.model_dump(mode="json"),
        "dataset": bundle.manifest.config.get("dataset"),
        "counts": asdict(done.counts),
        "tables": {
            one.table.name: {
                "file": one.file,
                "rows": one.rows,
                "bytes": one.size,
                "sha256": one.sha256,
                "columns": {column.name: column.kind.value for column in one.table.columns},
            }
            for one in done.tables
        },
    }
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    if form == "huggingface":
        notes = [
            "`label_now` is the class by today's decisions; the verdict of an id never changes.",
            "Items are those whose payload was at hand, not all that were answered.",
        ]
        text = card.card(done.tables, stream=done.stream, bundle_id=done.bundle_id, seq=done.seq, notes=notes)
        (folder / card.FILE).write_text(text, encoding="utf-8")


class _Export:
    """One attempt."""

    def __init__(
        self,
        reader: StreamReader,
        bundle: Bundle,
        folder: Path,
        head: Head,
        form: str,
        items: Items | None,
        progress: Progress,
    ) -> None:
        self._reader = reader
        self._bundle = bundle
        self._folder = folder
        self._head = head
        self._form = form
        self._items = items
        self._progress = progress
        self._labels = bundle.manifest.labels
        self._counts = Counts()

    async def run(self, what: Sequence[str]) -> Exported:
        with tempfile.TemporaryFile(dir=self._folder) as spool:
            engine = await stand(
                self._reader,
                self._head,
                self._bundle.known,
                self._labels,
                told=lambda batch, verdicts: _spool(spool, batch, verdicts),
                progress=self._progress,
            )
            self._labels = engine.labels
            now = AsOfNow(engine)
            rows: dict[str, tuple[Table, AsyncIterator[Row]]] = {
                "items": (items_table(self._bundle.manifest.input), self._item_rows(now)),
                "verdicts": (VERDICTS, self._verdict_rows(spool, now)),
                "clusters": (CLUSTERS, _each(cluster_rows(engine))),
                "decisions": (DECISIONS, _each(decision_rows(engine))),
            }
            written = [await self._table(*rows[name]) for name in WHAT if name in what]
        return Exported(
            stream=self._reader.keys.stream,
            bundle_id=self._reader.keys.bundle_id,
            seq=self._head.seq,
            tables=tuple(written),
            counts=self._counts,
        )

    async def _table(self, table: Table, rows: AsyncIterator[Row]) -> Written:
        path = self._folder / place_of(table, self._form)
        path.parent.mkdir(exist_ok=True)
        count, cells, page = 0, 0, list[Row]()
        with path.open("wb") as file:
            writer = writer_for(table, file, self._form)
            async for row in rows:
                page.append(row)
                cells += len(row[-1]) if isinstance(row[-1], Sized) else 1
                if len(page) == PAGE_ROWS or cells >= PAGE_CELLS:
                    writer.write(page)
                    count, cells = count + len(page), 0
                    page.clear()
                    self._progress(table.name, count, max(count, self._head.seq), "rows")
            writer.write(page)
            count += len(page)
            writer.close()
        self._progress(table.name, max(count, 1), max(count, 1), f"{count:,} rows")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Written(
            table=table,
            file=place_of(table, self._form).as_posix(),
            rows=count,
            size=path.stat().st_size,
            sha256=digest,
        )

    # Verdicts

    async def _verdict_rows(self, spool: BinaryIO, now: AsOfNow) -> AsyncIterator[Row]:
        """Those of ids below the log, then those of the log."""
        for generation in self._head.live_ids:
            if self._head.trimmed <= max(0, (generation - 1) * self._head.horizon):
                continue  # all of them are in the log

            async with ordered(
                self._reader, generation, self._head, folder=self._folder, told=lambda *_: None
            ) as pairs:
                for id, data in pairs:
                    verdict = self._verdict(id, data)
                    if verdict.seq < self._head.trimmed:
                        yield _verdict_row(verdict, None, now)
        for verdict, t in _unspool(spool):
            yield _verdict_row(verdict, t, now)

    def _is_later(self, data: bytes) -> bool:
        """Whether it came after the cut: then it may name a class that was not there yet."""
        seq = seq_of_verdict(data)
        return seq is not None and seq >= self._head.seq

    def _verdict(self, id: bytes, data: bytes) -> Verdict:
        try:
            return unpack_verdict(data, id=id.decode("utf-8", "surrogatepass"), labels=self._labels)
        except EntryUnreadable as error:
            raise UnreadableVerdict(str(error)) from None

    # Items

    async def _item_rows(self, now: AsOfNow) -> AsyncIterator[Row]:
        """The sender's, then those kept by the stream that the sender did not bring, in order of place."""
        kept = await kept_ids(self._reader)
        places = set[int]()  # of the items that came; as many as ids are remembered
        for page in _paged(() if self._items is None else self._items()):
            kept.difference_update(id for id, _ in page if id is not None)
            verdicts = await self._verdicts_of([id for id, _ in page])
            for (id, x), verdict in zip(page, verdicts, strict=True):
                if verdict is not None and verdict.seq in places:
                    self._counts.repeated += 1
                    continue
                holds = None if verdict is None else now.of(verdict)
                if (row := self._item_row(id, x, verdict, holds)) is not None:
                    places.update([] if verdict is None else [verdict.seq])
                    yield row
        verdicts_of_kept = await self._placed(kept)
        async for id, x in kept_items(self._reader, list(verdicts_of_kept), self._bundle.manifest.input):
            verdict = verdicts_of_kept[id]
            holds = now.of_id(id) if verdict is None else now.of(verdict)
            if (row := self._item_row(id, x, verdict, holds)) is not None:
                yield row

    async def _placed(self, ids: Iterable[str]) -> dict[str, Verdict | None]:
        """Ids in order of place, those without a verdict last, by name; each with its verdict."""
        found: dict[str, Verdict | None] = {}
        for page in _paged(sorted(ids)):
            found |= zip(page, await self._verdicts_of(page), strict=True)
        last = self._head.seq
        return dict(sorted(found.items(), key=lambda pair: last if pair[1] is None else pair[1].seq))

    async def _verdicts_of(self, ids: Sequence[str | None]) -> list[Verdict | None]:
        fields = [id_field(id) for id in ids if id is not None]
        generations = self._head.live_ids
        stored = await self._reader.verdicts([(generation, fields) for generation in generations])
        found: dict[bytes, Verdict] = {}
        for data in stored:
            for name, one in zip(fields, data, strict=True):
                if one is not None and not self._is_later(one):
                    found[name] = self._verdict(name, one)
        return [None if id is None else found.get(id_field(id)) for id in ids]

    def _item_row(self, id: str | None, x: object, verdict: Verdict | None, holds: Now | None) -> Row | None:
        if id is None or holds is None:
            self._counts.strangers += 1
            return None
        spec = self._bundle.manifest.input
        try:
            decode_item(x, spec)
        except InvalidInput as error:
            self._counts.unreadable += 1
            if len(self._counts.told) < _TOLD:
                self._counts.told.append(f"{id[:40]!r}: {error}")
            return None
        self._counts.labelled += holds.label is not None
        flat = x if spec.kind in ("text", "table") else np.ravel(np.asarray(x, dtype=np.float64)).tolist()
        return (id, None if verdict is None else verdict.seq, *holds.as_row(), flat)


async def _each(rows: Iterable[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row


def _paged(rows: Iterable[T]) -> Iterator[list[T]]:
    them = iter(rows)
    while page := list(islice(them, _PAGE_ITEMS)):
        yield page


# Verdicts through a temporary file


def _spool(file: BinaryIO, batch: Observed, verdicts: Sequence[Verdict]) -> None:
    encoded = [
        msgspec.msgpack.encode(
            _Spooled(
                id=verdict.id.encode("utf-8", "surrogatepass").decode("latin-1"),
                seq=verdict.seq,
                t=t,
                kind=verdict.verdict.value,
                label=verdict.label,
                nearest=verdict.nearest,
                cluster=verdict.cluster_id,
                novelty=verdict.novelty,
                distance=verdict.distance,
            )
        )
        for verdict, t in zip(verdicts, batch.t.tolist(), strict=True)
    ]
    file.write(b"".join(len(one).to_bytes(4, "little") + one for one in encoded))


def _unspool(file: BinaryIO) -> Iterator[tuple[Verdict, float]]:
    file.seek(0)
    decode = msgspec.msgpack.Decoder(_Spooled).decode
    while intro := file.read(4):
        one = decode(file.read(int.from_bytes(intro, "little")))
        verdict = Verdict(
            id=one.id.encode("latin-1").decode("utf-8", "surrogatepass"),
            seq=one.seq,
            verdict=VerdictKind(one.kind),
            label=one.label,
            cluster_id=one.cluster,
            novelty=one.novelty,
            nearest=one.nearest,
            distance=one.distance,
        )
        yield verdict, one.t


def _verdict_row(verdict: Verdict, t: float | None, now: AsOfNow) -> Row:
    return (
        verdict.id,
        verdict.seq,
        t,
        verdict.verdict.value,
        verdict.label,
        verdict.cluster_id,
        verdict.nearest,
        verdict.novelty,
        verdict.distance,
        *now.of(verdict).as_row(),
    )


# Clusters and decisions


def cluster_rows(engine: Engine) -> Iterator[Row]:
    """The rows of `tables.CLUSTERS`."""
    for cluster in engine.clusters():
        yield (
            cluster.id,
            cluster.state.value,
            cluster.name,
            cluster.label,
            cluster.dismissed,
            cluster.items,
            cluster.born_seq,
            cluster.emerged_seq,
            cluster.last_seq,
            cluster.first_t,
            cluster.last_t,
            cluster.nearest,
            cluster.nearest_distance,
            cluster.variant_of,
            cluster.parent_id,
            cluster.merged_into,
            heir(engine.lives, cluster.id) or None,
            list(cluster.exemplars),
        )


def decision_rows(engine: Engine) -> Iterator[Row]:
    """The rows of `tables.DECISIONS`."""
    for decided in engine.decisions:
        made = decided.decision
        yield (
            decided.seq,
            made.key,
            made.action.value,
            made.cluster,
            made.t,
            made.who,
            made.why,
            made.label,
            made.into,
            [list(part) for part in made.parts],
            made.until_rate,
            made.until_t,
            made.undoes,
            list(decided.created),
            decided.undone_by,
        )
