"""The simulation finds known bugs; so its silence means something."""

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.runs import run_seeds

SEEDS = range(120)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_known_bug_is_found(name: str) -> None:
    """Within a small number of seeds, in a few seconds."""
    summary = run_seeds(SEEDS, variant=MUTANTS[name]())

    assert summary.failures, f"{len(SEEDS)} seeds did not find {name}"
