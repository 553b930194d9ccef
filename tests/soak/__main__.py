"""Use a real service as everybody does, all at once: `python -m tests.soak --minutes 10`.

Prints how it goes, and one line of JSON at the end. Exit status 1 when a client saw what it should not, when an
id was not answered just once, or when memory grows for sure.
"""

import argparse
import json
import random
import sys

from tests.soak.soaking import soak


def main(arguments: list[str] | None = None) -> int:
    """1 where something was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--seed", type=int, help="of what clients do; left out, a random one")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    say(f"seed {seed}")
    report = soak(seconds=60 * given.minutes, seed=seed, tell=say)
    for wrong in report.wrong:
        say(f"WRONG {wrong}")
    for who in report.leaks:
        slope = report.slopes[who]
        say(f"GROWS {who}: {slope.per_unit:.2f} +- {slope.error:.2f} MB a minute")
    print(json.dumps({"seed": seed, **report.as_json()}), flush=True)
    return 0 if report.is_good else 1


def say(line: str) -> None:
    """To people."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
