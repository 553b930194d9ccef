"""A slice of `make faults`: every kind of fault once, in a variant and with a seed of its own that are drawn anew.

What fails here is played again by the command in its message.
"""

import random

import pytest

from tests.faults.registry import SCENARIOS, cases, load
from tests.faults.runner import SEEDS, one
from tests.faults.zygote import Zygote

load()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_promise_is_kept(name: str, zygote: Zygote) -> None:
    """Whatever is hurt: nothing acknowledged is lost, nothing counts twice, no verdict changes."""
    seed = random.SystemRandom().randrange(SEEDS)
    case = random.Random(seed).choice(cases(name))
    run = one(case, number=1, seed=seed, server=None, zygote=zygote)
    print(run.line())  # noqa: T201 - shown when it fails, and with -s

    if run.skipped:
        pytest.skip(run.skipped)
    assert run.error is None, f"{run.error}\nlogs: {run.folder}\nagain: {run.replay}"
