"""The one judge of all runs: what the durable state must be, whatever happened.

It reads the server's journal (every write ever, never trimmed), follows what clients were told, and knows the rules:

    log         seqs without gap, every item once, each entry under the token that was current as it was written
    told        what a client was told is durable at that moment, is what the store holds, and never changes
    epochs      only grow
    snapshots   two generations, a log that reaches back to the older; each gives, with the log behind it, the state
                that the log gives from its first entry, byte for byte; and so does the running engine
    decisions   what was told of one is in the log, once under its key, at the place that was told
    counts      the engine has counted as many items as there are distinct ids
    payloads    those that are kept are of the members of clusters, all of them and no others
    events      those written, ever, are those that the log gives, each once, in order, under the id that it gives them

It uses the code under test only to read single values: entries, descriptions, verdicts, and the engine.
"""

from dataclasses import dataclass, field

from service.clustering import snapshot
from service.clustering.curation import Curation
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit
from service.decisions import Action, Decided, Decision
from service.errors import ItemQuarantined
from service.ingest.intake import Refused
from service.pipeline.batching import Answer
from service.pipeline.recovery import replay_entry
from service.records import AUTO_ID_PREFIX, Int64s, Observed, Verdict
from service.state.batches import id_field, read_entry
from service.state.events import pack_events
from service.state.keys import Keys
from service.state.packing import pack_verdict, unpack_entry
from service.state.snapshots import BadSnapshot, Description, join
from tests.service.retold import retell
from tests.simulation import small
from tests.simulation.server import SimulatedServer

Entry = tuple[Observed, Int64s] | EngineParams | StreamFit | Curation


class Violation(AssertionError):
    """A promise was broken."""


@dataclass
class Facts:
    """What the journal of one server says so far."""

    read: int = 0
    token: bytes = b""
    seq: int = 0
    flips: int = 0
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    seqs: dict[str, int] = field(default_factory=dict)
    verdicts: dict[bytes, bytes] = field(default_factory=dict)
    events: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    decisions: dict[str, tuple[int, Decision]] = field(default_factory=dict)
    labels: tuple[str, ...] = small.LABELS


class Oracle:
    """One run's.

    Args:
        keys: Of the stream.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._epoch, self._log = keys.epoch.encode(), keys.log.encode()
        self._head, self._events = keys.head.encode(), keys.events.encode()
        self._ids = keys.ids(0).encode()[:-1]
        self.facts = Facts()
        self.told: dict[str, Verdict] = {}
        self.refused: set[str] = set()
        self.has_hurt_snapshots = False

    def forget_lost(self, server: SimulatedServer) -> None:
        """A replica that lagged took over, and a person went on with it: what it has counts from now on."""
        self.facts = Facts()
        self.follow(server)
        self.told = {id: verdict for id, verdict in self.told.items() if id in self.facts.seqs}

    # While it runs

    def follow(self, server: SimulatedServer) -> None:
        """Read on in the journal.

        Raises:
            Violation: Something was written that must not be.
        """
        facts = self.facts
        for write in server.journal[facts.read :]:
            facts.read += 1
            if write[0] == b"XADD" and write[1] == self._log:
                self._entry(write[2], dict(zip(write[3::2], write[4::2], strict=True)))
            elif write[0] == b"XADD" and write[1] == self._events:
                fields = dict(zip(write[6::2], write[7::2], strict=True))
                facts.events.append((write[5], fields[b"k"], fields[b"e"]))
            elif write[0] == b"SET" and write[1] == self._epoch:
                self._new_token(write[2])
            elif write[0] == b"HSET" and write[1] == self._head:
                facts.flips += b"cur" in write[2::2]
            elif write[0] == b"HSET" and write[1].startswith(self._ids):
                for id, verdict in zip(write[2::2], write[3::2], strict=True):
                    if facts.verdicts.setdefault(id, verdict) != verdict:
                        raise Violation(f"the stored verdict of {id.decode()} changed")

    def _new_token(self, token: bytes) -> None:
        if int(token.split()[0]) <= int((self.facts.token or b"0").split()[0]):
            raise Violation(f"epoch {token.decode()} follows {self.facts.token.decode()}")
        self.facts.token = token

    def _entry(self, at: bytes, fields: dict[bytes, bytes]) -> None:
        facts = self.facts
        record = read_entry(at, fields)
        if at != b"%d-1" % facts.seq:
            raise Violation(f"entry {at.decode()} where seq {facts.seq} comes next")
        if fields[b"e"] != facts.token.split()[0]:
            raise Violation(
                f"entry {at.decode()} is of epoch {fields[b'e'].decode()}, the token is {facts.token.decode()}"
            )
        entry = unpack_entry(record.payload, first_seq=facts.seq)
        ids = entry[0].ids if isinstance(entry, tuple) else ("",)
        if len(ids) != record.count:
            raise Violation(f"entry {at.decode()} counts {record.count} items and holds {len(ids)}")
        if isinstance(entry, tuple):
            for seq, id in enumerate(ids, facts.seq):
                if id.startswith(AUTO_ID_PREFIX) and id != f"{AUTO_ID_PREFIX}{seq}":
                    raise Violation(f"item {seq} was given the id {id}")
                if id in facts.seqs:
                    raise Violation(f"{id} counts twice: as item {facts.seqs[id]} and as item {seq}")
                facts.seqs[id] = seq
        if isinstance(entry, Curation):
            self._decision(entry.decision)
        facts.entries.append((facts.seq, entry))
        facts.seq += record.count

    def _decision(self, decision: Decision) -> None:
        facts = self.facts
        if decision.key in facts.decisions:
            raise Violation(f"decision {decision.key} was made twice")
        facts.decisions[decision.key] = facts.seq, decision
        if decision.action is Action.PROMOTE and decision.label not in facts.labels:
            facts.labels = (*facts.labels, str(decision.label))

    def hear_decided(self, server: SimulatedServer, decided: Decided) -> None:
        """A person was told what came of a decision.

        Raises:
            Violation: It is not durable, or not what was told.
        """
        self.follow(server)
        there = self.facts.decisions.get(decided.decision.key)
        if there != (decided.seq, decided.decision):
            raise Violation(f"decision {decided} was told, and in the log it is {there}")

    def hear(self, server: SimulatedServer, answers: list[Answer]) -> None:
        """A client was told these.

        Raises:
            Violation: One is not durable, not what is stored, or not what was told before.
        """
        self.follow(server)
        for answer in answers:
            if isinstance(answer, Refused):
                self._hear_refused(server, answer)
            else:
                self._hear_verdict(answer)

    def _hear_refused(self, server: SimulatedServer, refused: Refused) -> None:
        """In quarantine, since the process ended twice while the item was alone in hand: so is one of a million, where
        processes are killed at random; here it is often killed.
        """
        assert isinstance(refused.error, ItemQuarantined)
        id = str(refused.id)
        if id.encode() not in server.data.get(self._keys.dead_letters.encode(), {}):
            raise Violation(f"{id} was refused as in quarantine, and it is not there")
        if id in self.facts.seqs:
            raise Violation(
                f"{id} was refused as in quarantine, and in the log it is item {self.facts.seqs[id]}"
            )
        self.refused.add(id)

    def _hear_verdict(self, verdict: Verdict) -> None:
        if self.facts.seqs.get(verdict.id) != verdict.seq:
            raise Violation(
                f"{verdict.id} was acknowledged as item {verdict.seq}, and in the log it is "
                f"{self.facts.seqs.get(verdict.id, 'not at all')}"
            )
        if not verdict.id.startswith(AUTO_ID_PREFIX):
            packed = pack_verdict(verdict, self.facts.labels)
            if self.facts.verdicts.get(verdict.id.encode()) != packed:
                raise Violation(f"{verdict.id} was told another verdict than the store has")
        if self.told.setdefault(verdict.id, verdict) != verdict:
            raise Violation(f"the verdict of {verdict.id} changed: {self.told[verdict.id]}, {verdict}")

    # At rest

    def judge(self, server: SimulatedServer, *, live_hash: str) -> None:
        """All is quiet: the state must be whole.

        Args:
            server: The store.
            live_hash: The running engine's.

        Raises:
            Violation: It is not.
        """
        self.follow(server)
        head: dict[bytes, bytes] = server.data[self._keys.head.encode()]
        if int(head[b"seq"]) != self.facts.seq:
            raise Violation(f"the head stands at {head[b'seq'].decode()}, the log ends at {self.facts.seq}")
        states = {
            description.seq: blob
            for name in (b"cur", b"prev")
            if name in head
            for description, blob in [self._snapshot(server, head[name])]
            if blob is not None
        }
        self._check_kept_log(server, head)
        engine = Engine(small.bundle().known, small.LABELS, small.PARAMS)
        events: list[tuple[bytes, bytes, bytes]] = []
        for seq, entry in [*self.facts.entries, (self.facts.seq, None)]:
            if seq in states and snapshot.dump(engine) != states[seq]:
                raise Violation(f"the snapshot at {seq} is not what the log gives")
            if entry is not None:
                for n, event in enumerate(pack_events(retell(engine, entry)), 1):
                    events.append((b"%d-%d" % (seq, n), b"%d" % (len(events) + 1), event))
        if self.facts.events != events:
            raise Violation(f"events written: {self.facts.events}; the log gives {events}")
        if snapshot.digest(engine) != live_hash:
            raise Violation("the running engine is not what the log gives")
        members = {id_field(member.id) for life in engine.lives.values() for member in life.members}
        if (kept := set(server.data.get(self._keys.payloads.encode(), {}))) != members:
            raise Violation(f"payloads are kept of {kept}, and the members are {members}")
        counted = sum(engine.verdict_counts.values())
        if counted != len(self.facts.seqs):
            raise Violation(f"{counted} items were counted, and there are {len(self.facts.seqs)} ids")
        for start, blob in states.items():
            again = snapshot.load(blob, small.bundle().known, small.LABELS)
            for seq, entry in self.facts.entries:
                if seq >= start:
                    replay_entry(again, entry)
            if snapshot.digest(again) != live_hash:
                raise Violation(f"from the snapshot at {start} another state follows")

    def _snapshot(self, server: SimulatedServer, text: bytes) -> tuple[Description, bytes | None]:
        """A snapshot as stored; None where a fault has hurt it."""
        description = Description.parse(text)
        names = self._keys.chunks(description.generation, description.chunks)
        try:
            return description, join(description, [server.data.get(name.encode()) for name in names])
        except BadSnapshot:
            return description, None

    def _check_kept_log(self, server: SimulatedServer, head: dict[bytes, bytes]) -> None:
        """The log reaches back to the older snapshot, or to the beginning; and has every entry from there on."""
        older = Description.parse(head[b"prev"]).seq if b"prev" in head else 0
        if self.facts.flips > 1 and b"prev" not in head and not self.has_hurt_snapshots:
            raise Violation("there is no older snapshot")
        if int(head[b"trimmed"]) > older:
            raise Violation(f"the log was trimmed to {head[b'trimmed'].decode()}, beyond the older snapshot")
        log = server.data.get(self._log)
        kept = [] if log is None else [at for at, _ in log.ids]
        needed = [seq for seq, _ in self.facts.entries if seq >= older]
        if kept[len(kept) - len(needed) :] != needed:
            raise Violation(f"the log kept entries {kept}, and {needed} are needed")
