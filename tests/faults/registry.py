"""The list of all faults: a scenario is a function that hurts a rig and returns the service that is left, calm.

A scenario may have variants, such as the steps of a protocol at which a process is killed; a *case* is a scenario
with one of them. What is random about it comes from the rig's generator, so a case and a seed make the run again
(but for what processes and the scheduler do by themselves).
"""

import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.rig import Rig, Service

Play = Callable[..., Service]

SCENARIOS: dict[str, "Scenario"] = {}


class Skipped(Exception):
    """The machine, or the release, does not have what the scenario needs; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A kind of fault."""

    name: str
    play: Play
    variants: tuple[str, ...]

    @property
    def tells(self) -> str:
        """What it is about: the docstring's first line."""
        return (self.play.__doc__ or "").strip().partition("\n")[0]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scenario in one of its variants ('' where it has none)."""

    scenario: str
    variant: str

    def __str__(self) -> str:
        return f"{self.scenario}[{self.variant}]" if self.variant else self.scenario

    def play(self, rig: Rig) -> Service:
        """Do it."""
        found = SCENARIOS[self.scenario]
        return found.play(rig, self.variant) if self.variant else found.play(rig)


def scenario(*variants: str) -> Callable[[Play], Play]:
    """Enter a function in the list."""

    def enter(play: Play) -> Play:
        name = play.__name__
        assert name not in SCENARIOS, name
        SCENARIOS[name] = Scenario(name=name, play=play, variants=variants)
        return play

    return enter


def load() -> None:
    """Fill the list, from all files in scenarios/."""
    for file in sorted((Path(__file__).parent / "scenarios").glob("*.py")):
        importlib.import_module(f"tests.faults.scenarios.{file.stem}")


def cases(only: str | None = None) -> list[Case]:
    """All of them, or those named, separated by commas: a scenario, or `scenario[variant]`.

    Raises:
        KeyError: There is no such scenario or variant.
    """
    found = [Case(scenario=s.name, variant=v) for s in SCENARIOS.values() for v in (s.variants or ("",))]
    if only is None:
        return found
    chosen = []
    for name in only.split(","):
        named = [case for case in found if name in (case.scenario, str(case))]
        if not named:
            raise KeyError(f"there is no {name}; there are: {', '.join(SCENARIOS)}")
        chosen += named
    return chosen


def plan(among: Sequence[Case], runs: int, seed: int) -> list[Case]:
    """Which case each run plays: first every scenario once, then every case, then scenarios in turn.

    Equal arguments give equal plans. So few runs see every kind of fault, and many see every variant of each.
    """
    rng = random.Random(seed)
    by_name: dict[str, list[Case]] = {}
    for case in among:
        by_name.setdefault(case.scenario, []).append(case)
    first = [rng.choice(variants) for variants in by_name.values()]
    rest = [case for case in among if case not in first]
    rng.shuffle(rest)
    chosen = [*first, *rest]
    while len(chosen) < runs:
        turn = [rng.choice(variants) for variants in by_name.values()]
        rng.shuffle(turn)
        chosen += turn
    return chosen[:runs]
