"""The members of a cluster that are remembered: a bounded sample of its items, and the newest of them.

    newest    the latest NEWEST, in order of the stream
    sample    of all members before these, those SAMPLE whose ranks are lowest; in order of rank

An item's rank is a hash of its place in the stream, so the sample is one drawn uniformly, without a random number: a
bottom-k sample (E. Cohen and H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007). It does not depend on
how the stream was cut into batches, a replay draws the same, and the sample of two clusters that become one is what
would have been drawn of both together.

A member keeps its embedding, for all that is to be learnt of the class later (what lies in its middle, what at its
edge, a prototype and a spread), and the birth of the micro-cluster that it went to: by that it goes with the part of a
cluster that leaves. Two things are lost by that. An item stays a member of its cluster when its micro-cluster alone
changes hands; and of a part that leaves only those are known that were in the sample.

A candidate keeps the newest alone, beside what it brought along from a cluster that it split from, so many candidates
are cheap: a member is 4 D bytes and some 200. Those that are gone keep none. Each of the others has a micro-cluster of
its own at least, and these are bounded.
"""

from bisect import insort
from collections.abc import Collection, Iterable, Iterator

import msgspec
import numpy as np

from service.records import Float32s, Int64s

NEWEST = 8
"""Members that are kept since they are the latest."""

SAMPLE = 120
"""Members that are kept of all before."""

MOST_MEMBERS = NEWEST + SAMPLE

_WORD = 2**64 - 1


class Member(msgspec.Struct, frozen=True):
    """An item of a cluster: its id, its place in the stream, its time, the birth of the micro-cluster that it went to,
    and its embedding, float32 (D,) little-endian.
    """

    id: str
    seq: int
    t: float
    birth: int
    z: bytes


def member_of(id: str, seq: int, t: float, birth: int, z: Float32s) -> Member:
    """Of an item; z: float32 (D,)."""
    return Member(id=id, seq=seq, t=t, birth=birth, z=z.astype("<f4", copy=False).tobytes())


def rank(member: Member) -> int:
    """A hash of its place in the stream (the finalizer of SplitMix64): as good as drawn from 0 to 2^64 - 1."""
    x = (member.seq + 1) * 0x9E3779B97F4A7C15 & _WORD
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _WORD
    return x ^ x >> 31


class Members(msgspec.Struct):
    """Those of one cluster. Owned and changed by the engine alone.

    `turn` grows whenever they change: who keeps something of them looks only where it did.
    """

    newest: list[Member] = []
    sample: list[Member] = []
    turn: int = 0

    def __len__(self) -> int:
        return len(self.newest) + len(self.sample)

    def __iter__(self) -> Iterator[Member]:
        """In order of the stream."""
        yield from sorted(self.sample, key=lambda member: member.seq)
        yield from self.newest

    @property
    def ids(self) -> tuple[str, ...]:
        """(n,) in order of the stream, as `z` and `births`."""
        return tuple(member.id for member in self)

    @property
    def z(self) -> Float32s:
        """float32 (n, D); (0, 0) of none."""
        rows = [np.frombuffer(member.z, dtype="<f4") for member in self]
        return np.stack(rows).astype(np.float32) if rows else np.empty((0, 0), dtype=np.float32)

    @property
    def births(self) -> Int64s:
        """int64 (n,): of the micro-cluster that each went to."""
        return np.array([member.birth for member in self], dtype=np.int64)

    def add(self, member: Member, *, keep_sample: bool) -> None:
        """The latest item is one of them; whether more than the newest are kept."""
        self.turn += 1
        self.newest.append(member)
        if len(self.newest) > NEWEST:
            older = self.newest.pop(0)
            if keep_sample and (len(self.sample) < SAMPLE or rank(older) < rank(self.sample[-1])):
                insort(self.sample, older, key=rank)
                del self.sample[SAMPLE:]

    def take_in(self, others: Iterable[Member]) -> None:
        """Those of another cluster, or of a part that comes back, as if they had been its own all along."""
        self._become({member.seq: member for member in (*self, *others)}.values())

    def part(self, births: Collection[int]) -> list[Member]:
        """Let those go whose micro-clusters have these births: they are returned, in order of the stream."""
        away = set(births)
        leave = [member for member in self if member.birth in away]
        if leave:
            self._become([member for member in self if member.birth not in away])
        return leave

    def go_to(self, births: Int64s) -> None:
        """Their micro-clusters are others now: int64 (n,), in order of the stream."""
        of = {member.seq: birth for member, birth in zip(self, births.tolist(), strict=True)}
        self._become([msgspec.structs.replace(member, birth=of[member.seq]) for member in self])

    def _become(self, members: Iterable[Member]) -> None:
        by_seq = sorted(members, key=lambda member: member.seq)
        at = max(0, len(by_seq) - NEWEST)
        self.newest, self.sample = by_seq[at:], sorted(by_seq[:at], key=rank)[:SAMPLE]
        self.turn += 1
