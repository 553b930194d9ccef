"""Many runs, one seed each, and what became of them."""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.errors import InternalError
from service.pipeline.recovery import ReplayMismatch
from service.state.errors import StoreError
from tests.simulation.loop import Stuck
from tests.simulation.oracle import Violation
from tests.simulation.plan import draw
from tests.simulation.world import Variant, World

FOUND = (Violation, Stuck, StoreError, ReplayMismatch, InternalError)
"""What a run raises that went wrong by the code under test; anything else is a fault of the simulation."""


@dataclass(frozen=True)
class Failure:
    """A run that went wrong."""

    seed: int
    error: BaseException

    @property
    def command(self) -> str:
        """What replays it."""
        return f"python -m tests.simulation --from {self.seed} --seeds 1"

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {type(self.error).__name__}: {self.error}\n  replay it with: {self.command}"
        )


@dataclass
class Summary:
    """Of many runs. `cpu_s` is this process's own time, `wall_s` what a clock on the wall says."""

    runs: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    items: int = 0
    entries: int = 0
    requests: int = 0
    hurt_requests: int = 0
    snapshots: int = 0
    clusters: int = 0
    decisions: int = 0
    virtual_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, world: World) -> None:
        """A run that is over."""
        counts = world.counts
        self.runs += 1
        self.items += counts.items
        self.entries += counts.entries
        self.requests += world.network.sent
        self.hurt_requests += world.network.hurt
        self.snapshots += counts.snapshots
        self.clusters += counts.clusters
        self.decisions += counts.decisions
        self.virtual_s += world.loop.time()
        self.faults += counts.faults


def trace_of(seed: int, variant: Variant | None = None) -> str:
    """One run, and the hash of all that happened in it. Raises what went wrong."""
    with World(draw(seed), variant) as world:
        world.run()
        return world.trace()


def run_seeds(
    seeds: Iterable[int],
    *,
    variant: Variant | None = None,
    most_failures: int = 1,
    until: float = float("inf"),
) -> Summary:
    """Run them one after another, up to `most_failures`, or until a time of `time.monotonic`."""
    summary = Summary()
    cpu, wall = time.process_time(), time.monotonic()
    for seed in seeds:
        if time.monotonic() >= until:
            break
        world = World(draw(seed), variant)
        try:
            with world:
                world.run()
        except FOUND as error:
            summary.failures.append(Failure(seed, error))
        except Exception:
            sys.stderr.write(f"seed {seed}:\n")
            raise
        summary.add(world)
        if len(summary.failures) >= most_failures:
            break
    summary.cpu_s, summary.wall_s = time.process_time() - cpu, time.monotonic() - wall
    return summary
