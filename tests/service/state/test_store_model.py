"""The store against a model of dicts and lists: any order of what two owners can do."""

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from service.state.embedded import EmbeddedServer
from service.state.errors import DuplicateIds, Fenced, SequenceConflict
from service.state.store import Append, StreamStore, connect

T = TypeVar("T")
HORIZON = 6
OWNERS = ("a", "b")
_streams = itertools.count()
ids_given = st.lists(st.sampled_from([f"id-{i}" for i in range(25)]), max_size=4, unique=True)


class Protocol(RuleBasedStateMachine):
    """Two owners, one stream, a small horizon. `server` is set by the test."""

    server: EmbeddedServer

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.client = self.run(self._connect())
        name = f"model-{next(_streams)}"
        self.stores = {
            owner: StreamStore(self.client, stream=name, bundle_id="m", owner=owner, horizon=HORIZON)
            for owner in OWNERS
        }
        self.owner = ""
        self.fenced: set[str] = set()  # who was the owner, and has not heard yet
        self.log: list[Append] = []
        self.generations: dict[int, dict[str, bytes]] = {}
        self.snapshot: tuple[bytes | None, int] = (None, 0)

    async def _connect(self) -> Any:
        return connect(self.server.socket)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.run(self.client.aclose())
            self.runner.close()

    @property
    def seq(self) -> int:
        return self.log[-1].first_seq + self.log[-1].count if self.log else 0

    def remembered(self, generation: int) -> dict[str, bytes]:
        return self.generations.get(generation - 1, {}) | self.generations.get(generation, {})

    @rule(owner=st.sampled_from(OWNERS))
    def acquire(self, owner: str) -> None:
        self.run(self.stores[owner].acquire(steal=True))
        if self.owner and self.owner != owner:
            self.fenced.add(self.owner)
        self.fenced.discard(owner)
        self.owner = owner

    @precondition(lambda self: self.owner)
    @rule(ids=ids_given, extra=st.integers(0, 2), payload=st.binary(max_size=20))
    def append(self, ids: list[str], extra: int, payload: bytes) -> None:
        """A batch at the right place: written, unless an id is remembered."""
        verdicts = [(i, f"{i}@{self.seq}".encode()) for i in ids]
        count = max(1, len(ids) + extra)
        new = Append(first_seq=self.seq, count=count, payload=payload, verdicts=verdicts)
        generation = (self.seq + count - 1) // HORIZON
        repeated = [i for i in ids if i in self.remembered(generation)]
        if repeated:
            with pytest.raises(DuplicateIds) as caught:
                self.run(self.stores[self.owner].append(new))
            assert list(caught.value.ids) == repeated
        else:
            assert self.run(self.stores[self.owner].append(new)) is True
            self.log.append(new)
            self.generations.setdefault(generation, {}).update(verdicts)

    @precondition(lambda self: self.owner and self.log)
    @rule()
    def resend(self) -> None:
        """The last batch again is recognised as long as the log has it."""
        if self.log[-1].first_seq >= self.snapshot[1]:
            assert self.run(self.stores[self.owner].append(self.log[-1])) is False

    @precondition(lambda self: self.owner)
    @rule(off=st.integers(-30, 30).filter(bool), payload=st.just(b"never written before"))
    def misplaced(self, off: int, payload: bytes) -> None:
        """A batch anywhere else is a conflict that names the right place."""
        wrong = Append(first_seq=max(0, self.seq + off), count=1, payload=payload, verdicts=[])
        if wrong.first_seq != self.seq:
            with pytest.raises(SequenceConflict) as caught:
                self.run(self.stores[self.owner].append(wrong))
            assert caught.value.expected == self.seq

    @precondition(lambda self: self.owner)
    @rule(act=st.sampled_from(["append", "renew", "save"]))
    def other_owner(self, act: str) -> None:
        """Whoever is not the owner is fenced, whatever it writes."""
        other = self.stores["b" if self.owner == "a" else "a"]
        work = {
            "append": lambda: other.append(Append(first_seq=self.seq, count=1, payload=b"", verdicts=[])),
            "renew": other.renew,
            "save": lambda: other.save_snapshot(b"", seq=self.seq),
        }
        with pytest.raises(Fenced):
            self.run(work[act]())
        self.fenced.discard("b" if self.owner == "a" else "a")

    @precondition(lambda self: self.owner)
    @rule(blob=st.binary(max_size=50))
    def save_snapshot(self, blob: bytes) -> None:
        self.run(self.stores[self.owner].save_snapshot(blob, seq=self.seq))
        self.snapshot = (blob, self.seq)

    @rule(reader=st.sampled_from(OWNERS))
    def look_up(self, reader: str) -> None:
        """Every id has the verdict that the model remembers, for the owner and for whoever is none; one who only thinks
        to be it is told otherwise.
        """
        ids = [f"id-{i}" for i in range(25)]
        remembered = self.remembered(self.seq // HORIZON)
        if reader in self.fenced:
            with pytest.raises(Fenced):
                self.run(self.stores[reader].lookup(ids))
            self.fenced.discard(reader)  # it knows now
            return
        assert self.run(self.stores[reader].lookup(ids)) == [remembered.get(i) for i in ids]

    @precondition(lambda self: self.owner)
    @rule()
    def read_ids(self) -> None:
        """Afterwards the owner knows every id, and says of one that nobody has sent that it is new."""
        new_ids = self.stores[self.owner].new_ids
        assert self.run(new_ids.read_once())
        assert new_ids.are_known
        assert new_ids.are_new(["never sent"])

    @invariant()
    def new_is_new(self) -> None:
        """Nobody who owns the stream takes an id for new that has a verdict, whatever was read by then."""
        for name, store in getattr(self, "stores", {}).items():
            if name not in self.fenced:
                known = self.remembered(self.seq // HORIZON)
                assert not any(store.new_ids.are_new([item_id]) for item_id in known)

    @invariant()
    def restart(self) -> None:
        """At every moment snapshot plus log are all that was acknowledged."""
        if not hasattr(self, "stores"):
            return
        store = self.stores["a"]
        loaded = self.run(store.load())
        assert (loaded.snapshot, loaded.snapshot_seq, loaded.next_seq) == (*self.snapshot, self.seq)

        async def replay() -> list[tuple[int, int, bytes]]:
            return [(r.first_seq, r.count, r.payload) async for r in store.replay(loaded)]

        expected = [(b.first_seq, b.count, b.payload) for b in self.log if b.first_seq >= self.snapshot[1]]
        assert self.run(replay()) == expected


def test_protocol(server: EmbeddedServer) -> None:
    """Whatever two owners do, in any order, the store answers as the model does."""
    Protocol.server = server
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
