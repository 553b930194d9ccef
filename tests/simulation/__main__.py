"""Simulate on many seeds: `python -m tests.simulation --seeds 1000 --from 0`, or `--minutes 10`.

Every run prints nothing; a failing one prints its seed, what was violated, and the one command that replays it.
"""

import argparse
import gc
import itertools
import json
import sys
import time

from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import draw
from tests.simulation.runs import Summary, run_seeds, trace_of


def main(arguments: list[str] | None = None) -> int:
    """1 where a run went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--seeds", type=int, default=None, help="how many; as many as there is time for with --minutes"
    )
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--minutes", type=float, default=None, help="stop after so long")
    parser.add_argument("--failures", type=int, default=1, help="stop after so many")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="simulate a known bug instead")
    parser.add_argument("--json", action="store_true", help="the summary as JSON")
    given = parser.parse_args(arguments)
    until = float("inf") if given.minutes is None else time.monotonic() + 60 * given.minutes
    endless = given.seeds is None and given.minutes is not None
    seeds = (
        itertools.count(given.first) if endless else range(given.first, given.first + (given.seeds or 500))
    )
    trace_of(0)  # so that imports and what is compiled once do not count
    gc.freeze()
    variant = MUTANTS[given.mutant]() if given.mutant else None
    summary = run_seeds(seeds, variant=variant, most_failures=given.failures, until=until)
    for failure in summary.failures:
        print(failure, file=sys.stderr)
    print(as_json(summary) if given.json else as_text(summary, given.first))
    if summary.runs == 1:
        print(draw(given.first))
        if not summary.failures:
            print("trace", trace_of(given.first, variant))
    return bool(summary.failures)


def as_json(summary: Summary) -> str:
    """All figures."""
    failures = [{"seed": f.seed, "error": f"{type(f.error).__name__}: {f.error}"} for f in summary.failures]
    figures = vars(summary) | {"failures": failures, "runs_per_minute": round(per_minute(summary))}
    return json.dumps(figures)


def per_minute(summary: Summary) -> float:
    """Runs a minute of one core."""
    return 60 * summary.runs / max(summary.cpu_s, 1e-9)


def as_text(summary: Summary, first: int) -> str:
    """For people."""
    faults = ", ".join(f"{name} {n}" for name, n in summary.faults.most_common())
    return (
        f"{summary.runs} runs from seed {first}, {len(summary.failures)} failed; {per_minute(summary):.0f} a minute of "
        f"one core ({60 * summary.runs / max(summary.wall_s, 1e-9):.0f} by the clock on the wall)\n"
        f"{summary.items} items in {summary.entries} entries, {summary.snapshots} snapshots, {summary.clusters} "
        f"clusters, {summary.decisions} decisions; {summary.requests} requests, of which {summary.hurt_requests} fared "
        f"ill; {summary.virtual_s / 3600:.1f} simulated hours\nfaults: {faults}"
    )


if __name__ == "__main__":
    sys.exit(main())
