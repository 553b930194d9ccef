"""The durable pipeline, simulated: whatever happens to it, the oracle holds."""

import json
import random
from dataclasses import replace

import pytest

from tests.simulation.__main__ import main
from tests.simulation.mutants import FORGETFUL
from tests.simulation.oracle import Violation
from tests.simulation.plan import KINDS, Episode, Plan, draw
from tests.simulation.process import Process
from tests.simulation.runs import Summary, run_seeds, trace_of
from tests.simulation.world import World

SEEDS = range(100)


def quiet(seed: int, **changes: object) -> Plan:
    """A plan without faults."""
    return replace(draw(seed), episodes=(), **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def summary() -> Summary:
    """What became of all seeds."""
    return run_seeds(SEEDS)


def test_every_seed_holds(summary: Summary) -> None:
    """Nothing is lost, nothing counts twice, verdicts stay, replays agree, and all becomes quiet again."""
    assert not summary.failures, summary.failures[0]
    assert summary.runs == len(SEEDS)


def test_the_seeds_are_worth_running(summary: Summary) -> None:
    """Between them they have every fault, requests that fared ill, snapshots, clusters and long logs."""
    assert summary.faults.keys() == set(KINDS)
    assert summary.hurt_requests > 50
    assert min(summary.snapshots, summary.entries / 10, summary.clusters * 5) > 100


@pytest.mark.parametrize("seed", [0, 3, 11, 42])
def test_a_seed_is_one_run(seed: int) -> None:
    """A seed gives the same run to the bit, every time: each write, each answer, each fault, and when."""
    assert trace_of(seed) == trace_of(seed)


def test_seeds_differ() -> None:
    """Different seeds give different runs."""
    assert trace_of(1) != trace_of(2)


def test_a_run_without_faults() -> None:
    """With nothing going wrong nothing is sent twice: as many appends as batches, and no request fares ill."""
    with World(quiet(5, processes=1, items=30, share_repeats=0.0)) as world:
        world.run()
        appends = sum(
            write[:2] == (b"XADD", world.keys.log.encode()) for write in world.network.server.journal
        )

    assert (world.network.hurt, appends) == (0, world.counts.entries)
    assert world.counts.items == 30


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_of_fault(kind: str) -> None:
    """Each kind of fault alone, five times in a run, from the start to the end."""
    rng = random.Random(kind)
    for seed in range(3):
        episodes = tuple(
            Episode(kind=kind, at_s=0.4 * n, lasts_s=0.5, pick=rng.random(), size=rng.random())  # type: ignore[arg-type]
            for n in range(5)
        )
        with World(replace(draw(seed), episodes=episodes, items=25)) as world:
            world.run()


# A replica that lagged


@pytest.mark.parametrize("seed", range(4))
def test_an_owner_does_not_go_on_from_a_replica_that_lagged(seed: int) -> None:
    """Confirmed items are gone: the owner ends and says so at the next write, and answers nothing before. A person who
    starts it again goes on from what is there, and that is whole.
    """
    with World(quiet(seed, processes=1)) as world:
        process = lag(world)
        told = dict(world.oracle.told)
        ends_within(world, process, 10)
        after = dict(world.oracle.told)
        world.go_on_from_replica()
        world.finish()

    assert "had been confirmed" in str(process.error)
    assert told == after


def test_an_owner_that_would_go_on_is_found() -> None:
    """A pipeline that forgets what it has confirmed serves on from the replica, and that shows."""
    with World(quiet(0, processes=1), FORGETFUL) as world:
        process = lag(world)
        with pytest.raises(Violation, match="not at all"):
            ends_within(world, process, 10)


def lag(world: World) -> Process:
    """Have items confirmed that the replica which then takes over does not have."""
    (process,) = world.processes
    world.finish(new_items=6)
    world.lag()
    world.finish(new_items=6)
    world.fail_over_to_lagging()
    return process


def ends_within(world: World, process: Process, seconds: float) -> None:
    """Send until it has ended."""
    client = world.clients[0]
    world.make(client)
    while not process.task.done() and (seconds := seconds - 0.2) > 0:
        world.request(client, [item for _, item in client.unanswered.values()])
        world.run_for(0.2)


# The command


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """It sums up what it ran, as text and as JSON."""
    assert main(["--seeds", "3", "--from", "7"]) == 0
    text = capsys.readouterr().out
    assert main(["--seeds", "2", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)

    assert text.startswith("3 runs from seed 7, 0 failed")
    assert (summary["runs"], summary["failures"]) == (2, [])
    assert summary["runs_per_minute"] > 0


def test_a_failing_seed_says_how_to_replay_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The seed, what was violated, and one command."""
    assert main(["--seeds", "5", "--mutant", "an answer before the append"]) == 1

    assert "replay it with: python -m tests.simulation --from 0 --seeds 1" in capsys.readouterr().err


def test_time_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    """With minutes given it goes on from seed to seed until they are over."""
    assert main(["--minutes", "0.005", "--from", "3"]) == 0
    assert "runs from seed 3, 0 failed" in capsys.readouterr().out
