"""`firstseen backtest`: the stored log once more, with other settings or another bundle: what would have differed?

Other settings, from the log alone. Two engines set out from the older snapshot, or from the first item where the log
reaches back to it. One makes the steps of the log again, the other would have made them otherwise:

    fed to the clusterer   the embedding is in the log: the gates are asked anew
    not fed                of these the log has what the gates said, p, and not the embedding. Where p is above the
                           other rate, the answer is known; where it is not, it cannot be told, and is counted so
    a fit                  the logged one, as long as the other engine would have begun the same; else one of its own
    a decision             made, where there is such a cluster; else left out, and counted

So with the same settings nothing differs, to the bit. Another bundle has another space, and needs the items: it sets
out from nothing at the beginning of the log, with what is brought or kept of them.

Nothing is ever written to the stream.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from model.bundle import Bundle
from model.inputs import InvalidInput, Payload, decode_item
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import FitJob, StreamFit
from service.errors import ClientError, DecisionRefused
from service.pipeline.recovery import replay_entry
from service.records import NO_CLUSTER, Bools, Float32s, Observed, Verdict
from service.roundtrip.comparing import Compared, Comparison
from service.roundtrip.standing import Progress, damaged, start_of, walk
from service.roundtrip.standing import step as replayed
from service.roundtrip.upgrading import Embeds, Items
from service.state.checks import Head
from service.state.packing import Entry
from service.state.reading import StreamReader

_BATCH: Final = 256


class NotTested(ClientError):
    """A backtest cannot be as asked; the message says what to give."""


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
    known, labels = bundle.known, bundle.manifest.labels
    was = await start_of(reader, head.prev, known, labels)
    test: _Test | None = None if was is None else _Test(was, snapshot.copy_of(was), changes)

    def each(_: int, entry: Entry) -> None:
        nonlocal test
        if test is None:
            if not isinstance(entry, EngineParams):
                raise damaged(reader, "the log does not begin with the stream's parameters")
            params = _changed(entry, changes)
            test = _Test(Engine(known, labels, entry), Engine(known, labels, params), changes)
        test.step(entry)

    await walk(reader, head, head.trimmed, each, progress)
    if test is None:
        raise NotTested(f"Stream {reader.keys.stream} is empty: nothing has been sent to it yet.")
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


def _changed(params: EngineParams, changes: Mapping[str, Any]) -> EngineParams:
    try:
        return replace(params, **changes)
    except (TypeError, ValueError) as error:
        raise NotTested(f"These settings cannot be: {error}") from None


class _Test:
    """The two engines on their way along the log."""

    def __init__(self, was: Engine, would: Engine, changes: Mapping[str, Any]) -> None:
        self.was, self.would = was, would
        self._changes = changes
        self.comparison = Comparison()
        self.unfed = self.left_out = self.own_fits = 0
        self._verdicts: tuple[Verdict, ...] = ()
        if would.seq:
            self._configure(was.params, takes_a_place=False)

    def step(self, entry: Entry) -> None:
        """One entry of the log."""
        if isinstance(entry, EngineParams):
            replay_entry(self.was, entry)
            self._configure(entry, takes_a_place=True)
        elif isinstance(entry, StreamFit):
            fit = self._fit(entry)
            replay_entry(self.was, entry)
            if fit is None:
                self.would.seq += 1
            else:
                self.would.refit(fit)
        elif isinstance(entry, tuple):
            replayed(self.was, entry, self._told)
            self._items(entry[0], self._verdicts)
        else:
            replay_entry(self.was, entry)
            self._decide(entry)

    def _told(self, _: Observed, verdicts: tuple[Verdict, ...]) -> None:
        self._verdicts = verdicts

    def _configure(self, params: EngineParams, *, takes_a_place: bool) -> None:
        changed = _changed(params, self._changes)
        if changed.backend != params.backend:
            raise NotTested("A stream keeps its clusterer for life, and another one needs all embeddings.")
        if changed == self.would.params and not takes_a_place:
            return
        self.would.configure(changed)
        if not takes_a_place:
            self.would.seq -= 1

    def _decide(self, entry: Entry) -> None:
        """A decision of people; under other settings its cluster may be another, or none."""
        seq = self.would.seq
        try:
            replay_entry(self.would, entry)
        except (DecisionRefused, KeyError, ValueError):
            self.left_out += 1
            self.would.seq = seq + 1

    # Fits

    def _fit(self, logged: StreamFit) -> StreamFit | None:
        """The fit that the other engine would have had here; None for none."""
        would = self.would
        if not would.gates.has_stream:
            return None
        job = would.fit_job()
        if _is_same(job, self.was.fit_job()):
            return logged
        self.own_fits += 1
        return would.stream.solve(job)

    # Items

    def _items(self, batch: Observed, was: Sequence[Verdict]) -> None:
        observed, untold = self._observed(batch)
        would = self.would.apply(observed).verdicts
        self.comparison.add(
            was, [None if hidden else one for one, hidden in zip(would, untold.tolist(), strict=True)]
        )

    def _observed(self, batch: Observed) -> tuple[Observed, Bools]:
        """What the other gates would have said, and of which items that cannot be told."""
        gates = self.would.gates
        width = gates.stream.dim if gates.has_stream else 0
        features = batch.features
        if features.shape[1] != width:
            if width:
                raise NotTested(
                    "The stream gate needs features of every item, and with the settings of then the log has none."
                )
            features = np.empty((len(batch), 0), dtype=np.float16)
        fed = np.flatnonzero(batch.fed)
        ids = tuple(batch.ids[n] for n in fed.tolist())
        anew = gates.decide(batch.z_fed, ids, batch.t[fed], first_seq=batch.first_seq)
        rate, p = self.would.params.known_error_rate, 1.0 - batch.novelty
        untold = ~batch.fed & (p <= rate)
        self.unfed += int((~batch.fed & (p <= gates.feeding_rate)).sum())
        columns = {
            "nearest": batch.nearest.copy(),
            "accepted": np.ones(len(batch), dtype=np.bool_),
            "fed": np.zeros(len(batch), dtype=np.bool_),
            "core": batch.core.copy(),
            "claimed": np.full(len(batch), NO_CLUSTER, dtype=np.int64),
            "novelty": np.where(untold, np.nextafter(1.0 - rate, 0.0), batch.novelty),
            "distance": batch.distance.copy(),
        }
        for name, column in columns.items():
            column[fed] = getattr(anew, name)
        return (
            replace(batch, **columns, features=features, z_fed=anew.z_fed),
            untold,
        )


def _is_same(one: FitJob, other: FitJob) -> bool:
    """Whether two jobs would come to the same fit."""
    for name in ("features", "cores", "births", "clusters", "refused"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            return False
    if one.refreshed != other.refreshed or one.earlier.keys() != other.earlier.keys():
        return False
    if (one.weights is None) != (other.weights is None):
        return False
    if one.weights is not None and not np.array_equal(one.weights, other.weights):
        return False
    return all(np.array_equal(row, other.earlier[cluster]) for cluster, row in one.earlier.items())


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
    wanted: set[str] = set()

    def note(_: int, entry: Entry) -> None:
        if isinstance(entry, tuple):
            wanted.update(entry[0].ids)

    await walk(reader, head, head.trimmed, note, progress, stage="ids")
    z = _embedded(wanted, other, embeds, items, progress)
    if not z:
        raise NotTested(
            "No item of the log is at hand for another bundle: bring the items that were sent with --items FILE."
        )
    known, labels = bundle.known, bundle.manifest.labels
    was = await start_of(reader, head.prev, known, labels)
    params = _changed(params, changes)
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


def _embedded(
    wanted: set[str], other: Bundle, embeds: Embeds, items: Items | None, progress: Callable[..., None]
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

    for id, x in () if items is None else items():
        if id in wanted and id not in found:
            try:
                page[str(id)] = decode_item(x, other.manifest.input)
            except InvalidInput as error:
                raise NotTested(f"The item {id!r} is none for the other bundle: {error}") from None
            if len(page) == _BATCH:
                embed()
    embed()
    return found
