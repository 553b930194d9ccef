"""The one judge of all runs: was the promise kept?

    An acknowledged item is on disk and counted exactly once; the verdict of an id never changes; the replayed state
    is byte for byte the live state.

It knows nothing of what was done to the run. It takes the service that is left at the end, and everything that
clients were ever told (the book), and reads the store with its own eyes:

    book      every answer ever received for an id is the same, to the last digit
    resend    all items once more, to the service: the same answers again, and nothing counts
    ids       the store's verdicts are those of the book; each id has one seq, no seq has two ids
    log       contiguous; an entry of items names ids that have these very seqs and clusters
    counts    by verdict, by class and in sum: of the ids in the store, of /info, and of each snapshot for its part
    hash      of /info = of a fresh engine fed with the newer snapshot and the log = with the older one and the log
              = with the whole log, as long as nothing was trimmed
    payloads  those that are kept are of the members of clusters, all of them and no others
    events    the outbox holds exactly what the log gives, each once and under its id; /events tells it
    again     stopped by SIGTERM it ends with 0, nothing of it is left, and started again it shows the same
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from model.bundle import Bundle
from service.clustering import snapshot
from service.clustering.curation import Curation
from service.clustering.engine import Engine
from service.decisions import Action
from service.pipeline.recovery import replay_entry
from service.pipeline.starting import starting_params
from service.records import Observed, Verdict
from service.settings import Settings
from service.state.errors import StoreError
from service.state.events import StoredEvent, pack_events, place_of
from service.state.keys import MOST_EVENTS, Keys
from service.state.packing import unpack_entry, unpack_verdict
from service.state.snapshots import BadSnapshot, Description, join
from service.state.store import Loaded, LogRecord, StreamStore, connect
from tests.faults.rig import Rig, Service
from tests.service import digits
from tests.service.retold import retell
from tests.service.waiting import until

_RESEND = 200


class Broken(AssertionError):
    """The promise is broken; every sentence says how."""

    def __init__(self, sentences: Sequence[str]) -> None:
        shown = [*sentences[:12], *([f"... and {len(sentences) - 12} more"] if len(sentences) > 12 else [])]
        super().__init__("\n".join(shown))


@dataclass(frozen=True, kw_only=True)
class State:
    """One stream as it lies in the store.

    seq: after the last durable item; trimmed: the log is complete from here on; verdicts: by id; records: of the log,
    from the older snapshot on; snapshots: (seq, blob), the older one first; events: all of the outbox; payloads: ids.
    """

    seq: int
    trimmed: int
    verdicts: dict[str, Verdict]
    records: list[LogRecord]
    snapshots: list[tuple[int, bytes]]
    events: list[StoredEvent]
    payloads: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the judge saw, for the report of the run."""

    items: int
    seq: int
    entries: int
    snapshots: int


async def read_state(socket: Path, bundle: Bundle, *, stream: str = "default") -> State:
    """Read a stream without owning it: once more when its owner wrote meanwhile."""
    keys = Keys(stream, bundle.manifest.bundle_id)
    client = connect(socket)
    try:
        while True:
            before = await client.execute_command("HGETALL", keys.head)
            try:
                state, broken = await _read_once(client, keys, bundle), None
            except (StoreError, BadSnapshot) as error:
                state, broken = None, error
            if before == await client.execute_command("HGETALL", keys.head):
                break
    finally:
        await client.aclose()
    if state is None:
        raise Broken([f"the store cannot be read: {broken}"])
    return state


async def _read_once(client: "Redis", keys: Keys, bundle: Bundle) -> State:
    store = StreamStore(client, stream=keys.stream, bundle_id=keys.bundle_id, owner="oracle")
    head: dict[bytes, bytes] = await client.execute_command("HGETALL", keys.head)
    stored: dict[bytes, bytes] = await client.execute_command("HGETALL", keys.ids(0))
    snapshots = []
    for name in (b"prev", b"cur"):
        if name in head:
            kept = Description.parse(head[name])
            chunks = [await client.get(key) for key in keys.chunks(kept.generation, kept.chunks)]
            snapshots.append((kept.seq, join(kept, chunks)))
    trimmed, seq = int(head[b"trimmed"]), int(head[b"seq"])
    whole = Loaded(snapshot=None, snapshot_seq=trimmed, next_seq=seq)
    records = [record async for record in store.replay(whole)]
    labels = _labels(bundle, snapshots[0][1] if snapshots else None, records)
    verdicts = {
        id.decode(): unpack_verdict(data, id=id.decode(), labels=labels) for id, data in stored.items()
    }
    page = await store.events.after(limit=MOST_EVENTS)
    return State(
        seq=seq,
        trimmed=trimmed,
        verdicts=verdicts,
        records=records,
        snapshots=snapshots,
        events=list(page.events),
        payloads=frozenset(await store.payloads.sizes()),
    )


def _labels(bundle: Bundle, older: bytes | None, records: list[LogRecord]) -> tuple[str, ...]:
    """Of the bundle's classes and of those that people made, in the order in which they did."""
    known = bundle.manifest.labels
    labels = known if older is None else snapshot.load(older, bundle.known, known).labels
    for record in records:
        entry = unpack_entry(record.payload, first_seq=record.first_seq)
        if isinstance(entry, Curation) and entry.decision.action is Action.PROMOTE:
            label = str(entry.decision.label)
            labels = labels if label in labels else (*labels, label)
    return labels


def replayed(bundle: Bundle, state: State, start: tuple[int, bytes] | None) -> Engine:
    """A fresh engine, from a snapshot (None: from nothing) and the log behind it."""
    calibration = bundle.manifest.calibration
    params = starting_params(
        Settings(),
        bundle.known,
        known_error_rate=calibration.known_error_rate,
        cluster_radius=calibration.cluster_radius,
    )
    if start is None:
        engine = Engine(bundle.known, bundle.manifest.labels, params)
    else:
        engine = snapshot.load(start[1], bundle.known, bundle.manifest.labels)
    for record in state.records:
        if record.first_seq >= engine.seq:
            replay_entry(engine, unpack_entry(record.payload, first_seq=record.first_seq))
    return engine


def as_answer(verdict: Verdict) -> dict[str, Any]:
    """A verdict as clients get it."""
    return {
        "id": verdict.id,
        "seq": verdict.seq,
        "verdict": verdict.verdict.value,
        "label": verdict.label,
        "cluster_id": verdict.cluster_id,
        "novelty": verdict.novelty,
        "nearest": verdict.nearest,
        "distance": verdict.distance,
    }


def flaws(
    state: State, info: dict[str, Any], answers: dict[str, dict[str, Any]], sent: set[str]
) -> list[str]:
    """How the store, the service's own account of itself and the book contradict each other."""
    found = [f"acknowledged and lost: {id}" for id in sorted(answers.keys() - state.verdicts.keys())]
    found += [
        f"sent again and not there: {id}" for id in sorted(sent - state.verdicts.keys() - answers.keys())
    ]
    found += [f"there and never sent: {id}" for id in sorted(state.verdicts.keys() - sent)]
    for id, verdict in state.verdicts.items():
        if id in answers and (stored := as_answer(verdict)).items() - answers[id].items():
            found.append(f"stored is {stored}, told was {answers[id]}")
    of_seq = {verdict.seq: verdict for verdict in state.verdicts.values()}
    if len(of_seq) != len(state.verdicts):
        found.append(f"{len(state.verdicts)} ids share {len(of_seq)} seqs")
    found += [f"{v.id} has seq {v.seq} of {state.seq}" for v in state.verdicts.values() if v.seq >= state.seq]
    found += _flaws_of_log(state, of_seq)
    kinds = Counter(v.verdict.value for v in state.verdicts.values())
    labels = Counter(v.label for v in state.verdicts.values() if v.label is not None)
    if {kind: n for kind, n in info["verdicts"].items() if n} != kinds:
        found.append(f"/info counts {info['verdicts']}, the store has {dict(kinds)}")
    if {label: n for label, n in info["known"].items() if n} != labels:
        found.append(f"/info counts {info['known']}, the store has {dict(labels)}")
    if info["seq"] != state.seq:
        found.append(f"/info says seq {info['seq']}, the store {state.seq}")
    return found


def _flaws_of_log(state: State, of_seq: dict[int, Verdict]) -> list[str]:
    """Every seq of the log is an item, whose id has it, or an entry that is none."""
    found: list[str] = []
    expected = state.trimmed
    for record in state.records:
        if record.first_seq != expected:
            found.append(f"the log goes from seq {expected} to {record.first_seq}")
        expected = record.first_seq + record.count
        entry = unpack_entry(record.payload, first_seq=record.first_seq)
        if not isinstance(entry, tuple):
            if record.first_seq in of_seq:
                found.append(f"{of_seq[record.first_seq].id} has the seq of an entry that is no item")
            continue
        batch, clusters = entry
        assert isinstance(batch, Observed)
        for n, (id, cluster) in enumerate(zip(batch.ids, clusters.tolist(), strict=True)):
            stored = of_seq.get(record.first_seq + n)
            if stored is None or (stored.id, stored.cluster_id or 0) != (id, cluster):
                found.append(
                    f"the log has {id} in cluster {cluster} at seq {record.first_seq + n}, ids: {stored}"
                )
    if expected != state.seq:
        found.append(f"the log ends at seq {expected}, the head says {state.seq}")
    return found


def flaws_of_replay(bundle: Bundle, state: State, live_hash: str) -> list[str]:
    """How what a fresh engine makes of snapshots and log differs from the live one, and from the ids."""
    found = []
    for seq, blob in state.snapshots:
        engine = snapshot.load(blob, bundle.known, bundle.manifest.labels)
        below = sum(v.seq < seq for v in state.verdicts.values())
        if (engine.seq, sum(engine.verdict_counts.values())) != (seq, below):
            found.append(f"the snapshot at {seq} counts {engine.verdict_counts}; {below} ids lie before it")
    starts: list[tuple[int, bytes] | None] = [*state.snapshots]
    if state.trimmed == 0:
        starts.append(None)
    for start in starts:
        engine = replayed(bundle, state, start)
        again = snapshot.digest(engine)
        if again != live_hash:
            origin = "the whole log" if start is None else f"the snapshot at {start[0]} and the log"
            found.append(f"replayed from {origin}: {again}; live: {live_hash}")
        members = {member.id for life in engine.lives.values() for member in life.members}
        if members != state.payloads:
            found.append(
                f"payloads of no member: {state.payloads - members}; none of {members - state.payloads}"
            )
    return found


def flaws_of_events(bundle: Bundle, state: State) -> list[str]:
    """How the outbox differs from what became of clusters, as far back as the log and a snapshot tell."""
    start = None if state.trimmed == 0 else state.snapshots[0]
    engine = replayed(bundle, replace(state, records=[]), start)
    given = []
    for record in state.records:
        if record.first_seq >= engine.seq:
            events = pack_events(retell(engine, unpack_entry(record.payload, first_seq=record.first_seq)))
            given += [(f"{record.first_seq}-{n}", data) for n, data in enumerate(events, 1)]
    from_seq = state.trimmed if start is None else start[0]
    kept = [event for event in state.events if place_of(event.id)[0] >= from_seq]
    found = []
    if (told := [(event.id, event.data) for event in kept]) != given:
        found.append(f"the outbox has {told}, the log gives {given}")
    if (numbers := [event.number for event in state.events]) != [*range(1, len(numbers) + 1)]:
        found.append(f"the events are numbered {numbers}")
    return found


def judge(rig: Rig, service: Service) -> Findings:
    """Judge a run by the service left at its end, which is calm: nothing hurts it any more.

    Raises:
        Broken: The promise is.
    """
    bundle = digits.bundle()
    service.ready()
    for other in rig.services:
        if other is not service:
            other.kill()
    sent = list(rig.book.sent.values())
    for at in range(0, len(sent), _RESEND):
        for result in service.classify(sent[at : at + _RESEND]):
            rig.book.answered(result)
    info, state = _at_rest(service, bundle)
    found = [*rig.book.wrong]
    found += flaws(state, info, rig.book.answers, set(rig.book.sent))
    found += flaws_of_replay(bundle, state, info["state_hash"])
    found += flaws_of_events(bundle, state)
    if (status := service.stop()) != 0:
        found.append(f"told to stop, it ended with {status}")
    found += [f"left over: {left}" for left in _left(rig)]
    again = service.again().ready()
    shown = again.get("/info")
    found += [
        f"started again, {field} is {shown[field]}, was {info[field]}"
        for field in ("seq", "verdicts", "known", "state_hash")
        if shown[field] != info[field]
    ]
    again.kill()
    found += [f"left over: {left}" for left in _left(rig)]
    if found:
        raise Broken(found)
    return Findings(
        items=len(state.verdicts), seq=state.seq, entries=len(state.records), snapshots=len(state.snapshots)
    )


def _at_rest(service: Service, bundle: Bundle) -> tuple[dict[str, Any], State]:
    """The service's account and the store's content of one moment: a fit may come between the two."""

    def look() -> tuple[dict[str, Any], State] | None:
        info = service.get("/info")
        state = asyncio.run(read_state(service.socket, bundle))
        return (info, state) if info == service.get("/info") else None

    return until(look, "the state comes to rest")


def _left(rig: Rig) -> list[str]:
    try:
        until(lambda: not rig.all_ended(), "all processes end")
    except AssertionError:
        return rig.all_ended()
    return []
