"""The fault suite: `python -m tests.faults --runs 200 --seed 1 [--only NAME] [--server valkey|redis|PATH]`.

Run n has seed + n, so one run is played again with `--runs 1`, its own seed and `--only` its case, as a run that
fails says. Exit status 1 when a promise was broken.
"""

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

from tests.faults.registry import SCENARIOS, cases, load, plan
from tests.faults.runner import SEEDS, Run, runs
from tests.service import digits


def main() -> int:
    """Run the suite; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Hurt it, and see what it keeps."
    )
    parser.add_argument("--runs", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, help="of the first run; left out, a random one")
    parser.add_argument("--only", help="scenarios, or scenario[variant], with commas; --list shows them")
    parser.add_argument(
        "--server", help="valkey, redis or a path; left out, each run chooses one that is there"
    )
    parser.add_argument("--json", type=Path, help="write all runs to this file")
    parser.add_argument("--list", action="store_true", help="show all scenarios")
    given = parser.parse_args()
    load()
    if given.list:
        for found in SCENARIOS.values():
            say(f"{found.name}  {found.tells}" + "".join(f"\n    [{variant}]" for variant in found.variants))
        return 0
    seed = random.SystemRandom().randrange(SEEDS) if given.seed is None else given.seed
    chosen = plan(cases(given.only), given.runs, seed)
    say(f"{len(chosen)} runs of {len({case.scenario for case in chosen})} scenarios, seeds from {seed} on")
    digits.bundle()
    done = list(runs(chosen, seed=seed, server=given.server, tell=say))
    if given.json is not None:
        given.json.write_text(json.dumps([run.as_json() for run in done], indent=1), encoding="utf-8")
    return summary(done)


def summary(done: list[Run]) -> int:
    """Say what came of all; the exit status."""
    failed = [run for run in done if run.error is not None]
    total: Counter[str] = sum((Counter(run.happened) for run in done), Counter())
    say(
        f"\n{len(done)} runs, {sum(run.seconds for run in done):.0f} s: "
        + ", ".join(f"{k} {n}" for k, n in total.items())
    )
    for reason, n in Counter(run.skipped for run in done if run.skipped).items():
        say(f"skipped {n}: {reason}")
    for run in failed:
        say(f"FAILED {run.case}: {run.replay}")
    if not failed:
        say("Nothing lost, nothing twice.")
    return 1 if failed else 0


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
