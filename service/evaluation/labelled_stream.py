"""A labelled stream, drawn from a pool of labelled items by a schedule and a seed.

Items are drawn **without replacement**: no item comes twice, since duplicates are dense, and density is what a
clusterer looks for. A new class whose items are used up is gone, and its share goes to the known ones; where no
known item is left the stream ends. Both are said (`Stream.ran_out`, `len(stream)`), and `fitted` shortens a
schedule so that the second does not come to pass.

The known items that are left are all equally likely (`mix="pool"`), so a stream that uses all of them is a random
permutation; `mix="uniform"` makes classes equally likely instead.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.evaluation.schedule import InvalidSchedule, Schedule, along
from service.records import Float64s, Int64s

_MARGIN_SD = 3.0
"""A fitted stream needs more known items than there are with a chance of about a thousandth."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """A labelled stream of N items.

    Attributes:
        rows: int64 (N,) which item of the pool comes; no item twice.
        truth: (N,) the items' classes.
        drift: By kind of drift, float64 (N,) how strong it is at each item.
        ran_out: By class whose items were used up, the place from which it is missing.
        schedule: What it was drawn by.
    """

    rows: Int64s
    truth: tuple[str, ...]
    drift: Mapping[str, Float64s]
    ran_out: Mapping[str, int]
    schedule: Schedule

    def __len__(self) -> int:
        return len(self.rows)


def fitted(schedule: Schedule, known_items: int) -> Schedule:
    """The schedule, scaled down as far as a pool with so many known items makes it necessary.

    A stream needs about sum(1 - shares) of them. New classes do not shorten it: one that runs out is gone.

    Raises:
        InvalidSchedule: There is no known item.
    """
    if known_items < 1:
        raise InvalidSchedule("The data has no item of a known class to make a stream of: give other --data.")
    starts, shares = schedule.share_of_new()
    rate, weights = 1.0 - shares, np.diff(starts, append=schedule.length) / schedule.length
    mean, sd = float(weights @ rate), _MARGIN_SD * float(np.sqrt(weights @ (rate * (1.0 - rate))))
    # The most items n for which mean n + sd sqrt(n), what it needs nearly always, is there.
    most = int(((np.sqrt(sd**2 + 4.0 * mean * known_items) - sd) / (2.0 * mean)) ** 2 + 1e-6)
    if most >= schedule.length:
        return schedule
    length = max(1, most)
    return schedule.scaled(length)


def draw(schedule: Schedule, labels: Sequence[str], *, known: Sequence[str], seed: int) -> Stream:
    """Draw a stream from a pool of labelled items.

    Args:
        schedule: Its arrivals have labels (`Schedule.named`).
        labels: The class of each item of the pool.
        known: The known classes. Items of the pool that are neither known nor arriving are not used.
        seed: The same seed gives the same stream.

    Raises:
        InvalidSchedule: A class of the schedule is not in the pool, or has no place in it.
    """
    rng = np.random.default_rng([seed, 0])
    order = np.random.default_rng([seed, 1]).permutation(len(labels)).tolist()
    piles: dict[str, list[int]] = {}
    for row in order:
        piles.setdefault(labels[row], []).append(row)
    _check_pool(schedule, set(piles), known)
    arriving = [arrival.label for arrival in schedule.arrivals]
    names = sorted(set(known) & piles.keys())
    shares = np.cumsum(schedule.shares(), axis=0)  # (A, N)
    which, pick = rng.random(schedule.length), rng.random(schedule.length)
    wanted = (which >= shares).sum(axis=0).tolist()  # A: none of the arrivals, so a known class
    weights = {s.label: along(s.weight, schedule.length) for s in schedule.shifts}

    rows: list[int] = []
    truth: list[str] = []
    ran_out: dict[str, int] = {}
    for n, arrival in enumerate(wanted):
        label = arriving[arrival] if arrival < len(arriving) else None
        if label is not None and not piles[label]:
            ran_out.setdefault(label, n)
            label = None
        if label is None:
            label = _pick_known(names, piles, schedule.mix, {k: w[n] for k, w in weights.items()}, pick[n])
        if label is None:
            break
        rows.append(piles[label].pop())
        truth.append(label)
    if not rows:
        raise InvalidSchedule(
            "The stream would have no item: at its first one no known class that has items left may come. Give some "
            "known class a weight above 0 there."
        )
    if schedule.mix == "uniform":  # else a class that is used up is so by the mix that was asked for
        last = {label: n for n, label in enumerate(truth)}
        ran_out |= {k: last[k] + 1 for k in names if not piles[k] and last[k] + 1 < len(rows)}
    return Stream(
        rows=np.asarray(rows, dtype=np.int64),
        truth=tuple(truth),
        drift=_drift(schedule, truth, known),
        ran_out=ran_out,
        schedule=schedule,
    )


def _pick_known(
    names: Sequence[str],
    piles: Mapping[str, Sequence[int]],
    mix: str,
    weights: Mapping[str, float],
    pick: float,
) -> str | None:
    """A known class by `pick` in [0, 1), or None where none has items left that may come."""
    chances = [(len(piles[k]) if mix == "pool" else bool(piles[k])) * weights.get(k, 1.0) for k in names]
    edges = list(itertools.accumulate(chances))
    if not edges or edges[-1] <= 0.0:
        return None
    target = pick * edges[-1]
    return next(k for k, edge, chance in zip(names, edges, chances, strict=True) if chance and target < edge)


def _drift(schedule: Schedule, truth: Sequence[str], known: Sequence[str]) -> dict[str, Float64s]:
    found: dict[str, Float64s] = {}
    for drift in schedule.drifts:
        own = np.isin(np.asarray(truth, dtype=np.str_), drift.labels or tuple(known))
        found.setdefault(drift.kind, np.zeros(len(truth)))
        found[drift.kind] += own * along(drift.strength, len(truth))
    return found


def _check_pool(schedule: Schedule, there: set[str], known: Sequence[str]) -> None:
    for arrival in schedule.arrivals:
        assert arrival.label is not None, "name the arrivals first"
        if arrival.label not in there:
            raise InvalidSchedule(f"The data has no item of the class {arrival.label!r} that is to arrive.")
        if arrival.label in known:
            raise InvalidSchedule(f"The class {arrival.label!r} is known, so it cannot arrive as a new one.")
    moved = {s.label for s in schedule.shifts}.union(*(drift.labels for drift in schedule.drifts))
    for label in sorted(moved):
        if label not in known or label not in there:
            raise InvalidSchedule(
                f"The schedule changes the known class {label!r}, which the data has no item of or the bundle does "
                f"not know. Known are: {', '.join(sorted(set(known) & there))}."
            )
