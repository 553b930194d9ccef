"""`firstseen backtest`: the stored log once more, with other settings or another bundle: what would have differed?

Other settings, from the log alone: two engines set out from the older snapshot, or from the first item where the log
reaches back to it, and go along it side by side (twins.py). Another bundle has another space, and needs the items: it
sets out from nothing at the beginning of the log, with what is brought or kept of them.

Nothing is ever written to the stream.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from model.bundle import Bundle
from model.inputs import InvalidInput, Payload, decode_item
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.records import Float32s, Observed, Verdict
from service.roundtrip.comparing import Compared, Comparison
from service.roundtrip.kept_items import kept_ids, kept_items
from service.roundtrip.standing import Progress, damaged, start_of, walk
from service.roundtrip.standing import step as replayed
from service.roundtrip.twins import NotTested, Twins, changed
from service.roundtrip.upgrading import Embeds, Items
from service.state.checks import Head
from service.state.packing import Entry
from service.state.reading import StreamReader

_BATCH: Final = 256


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What came of it.

    Attributes:
        stream: Its name.
        from_seq, to_seq: The part of the stream that is left in the log.
        params: What the other engine decided with.
        bundle: The other bundle, or None.
        compared: What would have differed.
        unfed: Items that would also have gone to the clusterer, and whose embedding the log does not have.
        left_out: Decisions that could not be made.
        own_fits: Fits that the other engine made for itself.
        without_items: Items that the other bundle did not see, since their payload is not at hand.
    """

    stream: str
    from_seq: int
    to_seq: int
    params: EngineParams
    bundle: str | None
    compared: Compared
    unfed: int = 0
    left_out: int = 0
    own_fits: int = 0
    without_items: int = 0


async def backtest(
    reader: StreamReader,
    head: Head,
    bundle: Bundle,
    *,
    changes: Mapping[str, Any],
    progress: Progress,
) -> Tested:
    """Replay with other settings.

    Args:
        reader: Of the stream.
        head: Of the cut that is read.
        bundle: The stream's.
        changes: Fields of EngineParams.
        progress: Told how far it is.

    Raises:
        NotTested: The clusterer would be another, or the log lacks what the settings need.
        NotReadable, ReplayMismatch: As an export.
    """
    _check_log(reader, head)
    known, labels = bundle.known, bundle.manifest.labels
    was = await start_of(reader, head.prev, known, labels)
    test: Twins | None = None if was is None else Twins(was, snapshot.copy_of(was), changes)

    def each(_: int, entry: Entry) -> None:
        nonlocal test
        if test is None:
            if not isinstance(entry, EngineParams):
                raise damaged(reader, "the log does not begin with the stream's parameters")
            params = changed(entry, changes)
            test = Twins(Engine(known, labels, entry), Engine(known, labels, params), changes)
        test.step(entry)

    await walk(reader, head, head.trimmed, each, progress)
    assert test is not None
    return Tested(
        stream=reader.keys.stream,
        from_seq=head.trimmed,
        to_seq=head.seq,
        params=test.would.params,
        bundle=None,
        compared=test.comparison.done(test.was.clusters(), test.would.clusters(), since=head.trimmed),
        unfed=test.unfed,
        left_out=test.left_out,
        own_fits=test.own_fits,
    )


def _check_log(reader: StreamReader, head: Head) -> None:
    if head.seq == head.trimmed:
        raise _nothing_sent(reader, head)


def _nothing_sent(reader: StreamReader, head: Head) -> NotTested:
    return NotTested(
        f"Nothing has been sent to stream {reader.keys.stream} since its log began at seq {head.trimmed}: there is "
        "nothing to replay. The log reaches back to the older of two snapshots, and each stop of a service makes one."
    )


# Another bundle


async def through_another(
    reader: StreamReader,
    head: Head,
    bundle: Bundle,
    other: Bundle,
    params: EngineParams,
    *,
    changes: Mapping[str, Any],
    embeds: Embeds,
    items: Items | None,
    progress: Progress,
) -> Tested:
    """Replay through another bundle, as far as the items are at hand.

    Args:
        reader: Of the stream.
        head: Of the cut that is read.
        bundle: The stream's.
        other: Another one.
        params: What the other engine decides with, but for `changes`.
        changes: Fields of EngineParams.
        embeds: The other bundle's net.
        items: The sender's items.
        progress: Told how far it is.

    Raises:
        NotTested: No item of the log is at hand, or the other bundle does not take them.
        NotReadable, ReplayMismatch: As an export.
    """
    _check_log(reader, head)
    wanted: set[str] = set()

    def note(_: int, entry: Entry) -> None:
        if isinstance(entry, tuple):
            wanted.update(entry[0].ids)

    await walk(reader, head, head.trimmed, note, progress, stage="ids")
    if not wanted:  # decisions alone
        raise _nothing_sent(reader, head)
    z = await _embedded(reader, wanted, bundle, other, embeds, items, progress)
    if not z:
        raise NotTested(
            "No item of the log is at hand for another bundle: bring the items that were sent with --items FILE."
        )
    known, labels = bundle.known, bundle.manifest.labels
    was = await start_of(reader, head.prev, known, labels)
    params = changed(params, changes)
    would = Engine(other.known, other.manifest.labels, params)
    comparison, without, shift = Comparison(), 0, 0

    def seen(batch: Observed, verdicts: tuple[Verdict, ...]) -> None:
        nonlocal without
        have = [n for n, id in enumerate(batch.ids) if id in z]
        without += len(batch) - len(have)
        if have:
            _fit_if_due(would)
            ids = tuple(batch.ids[n] for n in have)
            said = would.step(np.stack([z[id] for id in ids]), ids, batch.t[have]).verdicts
            comparison.add([verdicts[n] for n in have], said)

    def each(_: int, entry: Entry) -> None:
        nonlocal was
        if was is None:
            if not isinstance(entry, EngineParams):
                raise damaged(reader, "the log does not begin with the stream's parameters")
            was = Engine(known, labels, entry)
        replayed(was, entry, seen)

    await walk(reader, head, head.trimmed, each, progress)
    assert was is not None
    shift = head.trimmed
    return Tested(
        stream=reader.keys.stream,
        from_seq=head.trimmed,
        to_seq=head.seq,
        params=params,
        bundle=other.manifest.bundle_id,
        compared=comparison.done(was.clusters(), would.clusters(), since=head.trimmed, shift=shift),
        without_items=without,
    )


def _fit_if_due(engine: Engine) -> None:
    if engine.is_fit_due:
        engine.refit(engine.stream.solve(engine.fit_job()))


async def _embedded(
    reader: StreamReader,
    wanted: set[str],
    bundle: Bundle,
    other: Bundle,
    embeds: Embeds,
    items: Items | None,
    progress: Progress,
) -> dict[str, Float32s]:
    """The items of the log that are at hand, by id: float32 (D,), an embedding an item."""
    found: dict[str, Float32s] = {}
    page: dict[str, Payload] = {}

    def embed() -> None:
        if page:
            z = np.asarray(embeds(list(page.values())), dtype=np.float32)
            found.update(zip(page, z, strict=True))
            page.clear()
            progress("embed", len(found), max(len(wanted), 1), "items")

    def take(id: str | None, x: object) -> None:
        if id not in wanted or id in found or id in page:
            return
        try:
            page[str(id)] = decode_item(x, other.manifest.input)
        except InvalidInput as error:
            raise NotTested(f"The item {id!r} is none for the other bundle: {error}") from None
        if len(page) == _BATCH:
            embed()

    for id, x in () if items is None else items():
        take(id, x)
    kept = sorted((wanted & await kept_ids(reader)) - found.keys() - page.keys())
    async for id, x in kept_items(reader, kept, bundle.manifest.input):
        take(id, x)
    embed()
    return found
