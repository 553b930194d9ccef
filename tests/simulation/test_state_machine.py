"""Any order of what clients, people and bad luck can do: the oracle holds after every step, and at rest.

The simulation draws its faults from a seed; here hypothesis draws them, and makes what fails short.
"""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import Episode, Kind, draw
from tests.simulation.runs import FOUND
from tests.simulation.world import Variant, World

_shares = st.floats(0, 1, exclude_max=True, width=16)
_OTHERS = sorted({*get_args(Kind)} - {"kill", "pause", "restart", "configure", "fail_over", "away"})

_MOST_WAITING = 40
"""Items that a client has unanswered: with more, the queue of a process is too short for its requests."""


class Durable(RuleBasedStateMachine):
    """One world under hypothesis' hands."""

    world: World | None = None
    variant = Variant()

    @initialize(
        seed=st.integers(0, 7),
        processes=st.integers(1, 2),
        is_gated=st.booleans(),
        often=st.booleans(),
        is_new=st.booleans(),
    )
    def begin(self, seed: int, processes: int, is_gated: bool, often: bool, is_new: bool) -> None:
        """A stream that is new, or one with clusters, about which people can decide from the first step on."""
        plan = replace(
            draw(seed),
            episodes=(),
            clients=2,
            horizon=100_000,
            is_alone=False,
            processes=processes,
            is_gated=is_gated,
            snapshot_every=4 if often else 1000,
        )
        self.world = World(plan, self.variant)
        self.world.__enter__()
        if not is_new:
            self.world.run_for(3.0)
            self.crowd(0, 2)
            self.crowd(1, 3)

    @property
    def running(self) -> World:
        assert self.world is not None
        return self.world

    @rule(client=st.integers(0, 1), items=st.integers(1, 9))
    def send(self, client: int, items: int) -> None:
        """New items, and all that is unanswered."""
        sender = self.running.clients[client]
        for _ in range(min(items, _MOST_WAITING - len(sender.unanswered))):
            self.running.make(sender)
        self.running.request(sender, [item for _, item in sender.unanswered.values()])

    @rule(client=st.integers(0, 1), seed=st.randoms(use_true_random=False))
    def resend(self, client: int, seed: object) -> None:
        """What was answered before, and what was not, once more."""
        sender = self.running.clients[client]
        items = [item for _, item in (*sender.answered[-5:], *sender.unanswered.values())]
        seed.shuffle(items)  # type: ignore[attr-defined]
        self.running.request(sender, items)

    @rule(client=st.integers(0, 1), kind=st.sampled_from((2, 3)))
    def crowd(self, client: int, kind: int) -> None:
        """So many items of a class that nobody knows that there is something to decide about."""
        sender = self.running.clients[client]
        for _ in range(min(12, _MOST_WAITING - len(sender.unanswered))):
            self.running.make(sender, kind)
        self.running.request(sender, [item for _, item in sender.unanswered.values()])
        self.running.run_for(0.5)

    @rule()
    def curate(self) -> None:
        """A person names, promotes, links, merges, splits, dismisses or undoes what comes to mind."""
        self.running.decide()
        self.running.run_for(0.05)

    @rule(seconds=st.sampled_from((0.005, 0.02, 0.1, 0.5, 3.0)))
    def wait(self, seconds: float) -> None:
        self.running.run_for(seconds)

    @rule(pick=_shares, size=_shares)
    def kill(self, pick: float, size: float) -> None:
        self.suffer("kill", pick, size)

    @rule(pick=_shares, size=_shares)
    def pause(self, pick: float, size: float) -> None:
        self.suffer("pause", pick, size)

    @precondition(lambda self: self.world is not None and self.world.ready() is not None)
    @rule()
    def snapshot(self) -> None:
        """Behind the next batch."""
        process = self.running.ready()
        assert process is not None
        saving = process.pipeline._saving
        assert "_every" in vars(saving), "it has another name now"
        saving._every = 1

    @rule(pick=_shares, size=_shares)
    def fail_over(self, pick: float, size: float) -> None:
        self.suffer("fail_over", pick, size)

    @rule(pick=_shares, size=_shares)
    def restart(self, pick: float, size: float) -> None:
        self.suffer("restart", pick, size)

    @rule(pick=_shares, size=_shares)
    def decide(self, pick: float, size: float) -> None:
        """A person has other parameters used: an entry of the log that no item made."""
        self.suffer("configure", pick, size)

    @rule()
    def store_away(self) -> None:
        self.running.network.is_away = True
        self.running.network.break_connections()

    @rule()
    def store_back(self) -> None:
        self.running.network.is_away = False

    @rule(kind=st.sampled_from(_OTHERS), pick=_shares, size=_shares)
    def hurt(self, kind: Kind, pick: float, size: float) -> None:
        self.suffer(kind, pick, size)

    def suffer(self, kind: Kind, pick: float, size: float) -> None:
        world = self.running
        world.faults.suffer(Episode(kind=kind, at_s=world.loop.time(), lasts_s=0.3, pick=pick, size=size))

    @invariant()
    def holds(self) -> None:
        if self.world is not None:
            self.world.check()

    def teardown(self) -> None:
        """Faults stop; everything becomes quiet, and is whole."""
        if self.world is not None:
            try:
                self.world.finish()
            finally:
                self.world.__exit__()


def check(machine: type[Durable], *, examples: int, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order() -> None:
    """Whatever happens, in any order."""
    check(Durable, examples=40)


def test_a_known_bug_is_found() -> None:
    """The same rules on code that answers before it appends."""

    class Hasty(Durable):
        variant = MUTANTS["an answer before the append"]()

    with pytest.raises(FOUND):
        check(Hasty, examples=200, phases=(Phase.generate,))
