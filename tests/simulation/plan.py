"""What one seed makes of a run: how many of what, which faults, and when.

Each run has its own choice of faults and its own rates ("swarm testing": A. Groce et al., ISSTA 2012): a run with one
kind of fault reaches states that a run with all kinds never stays alive for.
"""

import random
from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal[
    "kill",  # SIGKILL before the n-th callback from now
    "pause",  # SIGSTOP, then SIGCONT, now and then beyond the lease
    "restart",  # SIGTERM, and another process
    "configure",  # ... with other parameters
    "clock",  # a process's a day forward or back, now and then the store's a day forward
    "gremlin",  # the next requests of one sort are lost, or their replies, or they come late
    "storm",  # requests and replies are lost, or come late
    "away",  # nobody listens
    "reboot",  # the store restarts, and reads its data
    "full",  # the store has no memory left
    "corrupt",  # a chunk of a snapshot rots
    "fail_over",  # a replica that has everything takes over
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_MORE_OFTEN: Final = ("gremlin", "kill", "pause")


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One fault. `at_s`, `lasts_s`: seconds; `pick` and `size` are what the fault makes of them, in [0, 1)."""

    kind: Kind
    at_s: float
    lasts_s: float
    pick: float
    size: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is settled before a run."""

    seed: int
    is_gated: bool
    processes: int
    is_alone: bool
    clients: int
    items: int
    most_a_request: int
    max_batch: int
    horizon: int
    distance_s: float
    snapshot_every: int
    lease_ms: int
    busy_s: float
    share_unseen: float
    share_unnamed: float
    share_repeats: float
    decisions: int
    episodes: tuple[Episode, ...]


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    rng = random.Random(f"plan {seed}")
    items = rng.randint(12, 50)
    distance_s = rng.choice((1e-2, 4e-2, 1e-1))
    most_a_request = rng.choice((1, 4, 12))
    clients = rng.randint(1, 3)
    # So long that the pipeline has something to do most of the time: a fault that meets nobody finds nothing.
    busy_s = items / most_a_request * distance_s * rng.uniform(3, 10) + 0.5
    horizon = rng.choice((24, 100_000))
    weights = [3 if kind in _MORE_OFTEN else 1 for kind in KINDS]
    kinds = list(dict.fromkeys(rng.choices(KINDS, weights, k=rng.randint(1, 6))))
    processes = rng.choice((1, 2))
    episodes = [
        Episode(
            kind=rng.choice(kinds),
            at_s=rng.uniform(0, busy_s),
            lasts_s=rng.choice((0.05, 0.3, 1.0, 2.0)) * rng.uniform(0.2, 1),
            pick=rng.random(),
            size=rng.random(),
        )
        for _ in range(rng.randint(1, 7))
    ]
    return Plan(
        seed=seed,
        is_gated=rng.random() < 0.4,
        processes=processes,
        is_alone=processes == 1 and rng.random() < 0.3,
        clients=clients,
        items=items,
        most_a_request=most_a_request,
        max_batch=rng.choice((2, 4, 8)),
        horizon=horizon,
        distance_s=distance_s,
        snapshot_every=rng.choice((4, 10, 25, 1000)),
        lease_ms=rng.choice((500, 1500)),
        busy_s=busy_s,
        share_unseen=rng.uniform(0, 0.6),
        share_unnamed=rng.choice((0.0, 0.2))
        if horizon > items
        else 0.0,  # they would outrun what is to be remembered
        share_repeats=rng.choice((0.0, 0.1, 0.3)),
        episodes=tuple(sorted(episodes, key=lambda episode: episode.at_s)),
        decisions=rng.choice((0, 4, 8)),
    )
