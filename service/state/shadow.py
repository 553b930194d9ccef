"""Replay beside the live stream: engines that make the steps of the log again, to see whether they come out alike.

Two start, one from each snapshot (or from nothing, where the log reaches back to the first item). The older one has to
pass through the newer snapshot, byte for byte, and to give every verdict that is stored; at the head both have to be in
the same state. A state is bytes that equal states share (`service.clustering.snapshot`), so a hash tells.
"""

from dataclasses import dataclass

import numpy as np

from model.bundle import KnownArrays
from service.clustering import snapshot
from service.clustering.curation import Curation
from service.clustering.engine import Engine, StepResult
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit
from service.records import NO_CLUSTER, Int64s, Observed, Verdict
from service.state.checks import Findings
from service.state.event_checks import Gist, gists_of

Unpacked = tuple[Observed, Int64s] | EngineParams | StreamFit | Curation
"""What an entry of the log holds; see packing.py."""


@dataclass(kw_only=True)
class Shadow:
    """One engine on its way to the head. name: what it set out from."""

    name: str
    engine: Engine
    is_lost: bool = False

    def follow(self, entry: Unpacked, first_seq: int) -> StepResult | None:
        """Make the step of an entry that begins here, unless it is another's turn or this one is lost.

        Returns:
            What comes of it; None where it was not this one's turn.

        Raises:
            Diverged: The step cannot be made, or gave other clusters than it gave live.
        """
        if self.is_lost or self.engine.seq != first_seq:
            return None
        try:
            if isinstance(entry, EngineParams):
                self.engine.configure(entry)
                return StepResult(verdicts=(), events=())
            if isinstance(entry, StreamFit):
                return self.engine.refit(entry)
            if isinstance(entry, Curation):
                return self.engine.carry_out(entry)
            batch, clusters = entry[0], np.maximum(entry[1], NO_CLUSTER)
            result = self.engine.apply(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, this log does not lead to its head
            self.is_lost = True
            raise Diverged(
                f"the entry at seq {first_seq} cannot be replayed from {self.name}: {error}"
            ) from None
        if [v.cluster_id or NO_CLUSTER for v in result.verdicts] != clusters.tolist():
            self.is_lost = True
            raise Diverged(
                f"replayed from {self.name}, the entry at seq {first_seq} gave other clusters than live"
            )
        return result


class Diverged(Exception):
    """A replay did not come out as it did live."""


class Shadows:
    """The engines of one audit.

    Args:
        found: Where faults go.
        known: Arrays of the bundle.
        labels: Its class names.

    Attributes:
        told: What became of clusters, by the ids of the events.
    """

    def __init__(self, found: Findings, known: KnownArrays, labels: tuple[str, ...]) -> None:
        self._found = found
        self._known = known
        self._labels = labels
        self._shadows: list[Shadow] = []
        self._marks: list[tuple[int, bytes, str]] = []
        self._passed: list[str] = []
        self._from_nothing = False
        self.told: dict[str, Gist] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that verdicts may name: the bundle's, and those that people made so far."""
        return max((shadow.engine.labels for shadow in self._shadows), key=len, default=self._labels)

    def start_from_nothing(self) -> None:
        """The log is complete: a third way to the head is all of it."""
        self._from_nothing = True

    def start_from(self, blob: bytes, *, name: str, seq: int) -> None:
        """Set out from a snapshot; who comes by later has to be in the same state."""
        try:
            engine = snapshot.load(blob, self._known, self._labels)
        except snapshot.SnapshotUnreadable as error:
            self._found.failed("snapshots", f"{name}: {error}")
            return
        if engine.seq != seq:
            self._found.failed("snapshots", f"{name} is of seq {engine.seq}, not {seq} as the head says")
            return
        self._shadows.append(Shadow(name=name, engine=engine))
        self._marks.append((seq, blob, name))

    def step(self, entry: Unpacked, first_seq: int) -> tuple[Verdict, ...]:
        """All whose turn it is make a step; the verdicts of the first."""
        if self._from_nothing:
            self._from_nothing = False
            if first_seq == 0 and isinstance(entry, EngineParams):
                started = Engine(self._known, self._labels, entry)
                self._shadows.insert(0, Shadow(name="nothing", engine=started))
            else:
                self._found.failed("replay", "the log does not begin with the stream's parameters")
        self._compare()
        given: StepResult | None = None
        for shadow in self._shadows:
            try:
                given = shadow.follow(entry, first_seq) or given
            except Diverged as diverged:
                self._found.failed("replay", str(diverged))
        if given is None:
            return ()
        self.told |= gists_of(given.events, first_seq)
        return given.verdicts

    @property
    def members(self) -> frozenset[str] | None:
        """Ids of all members of clusters, where the first engine that is not lost stands; None without one."""
        for shadow in self._shadows:
            if not shadow.is_lost:
                lives = shadow.engine.lives.values()
                return frozenset(member.id for life in lives for member in life.members)
        return None

    def end(self, seq: int) -> str | None:
        """The hash of the state at the head, if there is one that all agree on."""
        self._compare()
        if not self._shadows:
            return None
        hashes = {
            shadow.name: snapshot.digest(shadow.engine) for shadow in self._shadows if not shadow.is_lost
        }
        for shadow in self._shadows:
            if not shadow.is_lost and shadow.engine.seq != seq:
                self._found.failed(
                    "replay", f"replayed from {shadow.name} the log ends at {shadow.engine.seq}, not {seq}"
                )
        if len(set(hashes.values())) > 1:
            told = ", ".join(f"{digest[:16]} from {name}" for name, digest in hashes.items())
            self._found.failed("replay", f"the ways to the head end in different states: {told}")
            return None
        if not self._passed and len(self._shadows) == 1:
            self._found.passed("replay", f"from {self._shadows[0].name} to the head")
        elif self._passed:
            self._found.passed("replay", "; ".join(self._passed))
        else:
            self._found.passed("replay", "both snapshots lead to one state at the head")
        return next(iter(hashes.values()), None)

    def _compare(self) -> None:
        """Whoever stands where a snapshot was taken is in its state, byte for byte."""
        first = next((shadow for shadow in self._shadows if not shadow.is_lost), None)
        while self._marks and first is not None and self._marks[0][0] <= first.engine.seq:
            seq, blob, name = self._marks.pop(0)
            if seq != first.engine.seq or name == first.name:
                continue
            if snapshot.dump(first.engine) == blob:
                self._passed.append(f"from {first.name} over {name}, byte for byte, to the head")
            else:
                self._found.failed(
                    "replay", f"from {first.name} the log does not lead to {name}, but to another state"
                )
