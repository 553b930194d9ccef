"""What a labelled stream holds, and when: the emergence schedule of a replay.

A `Schedule` is a value: how long the stream is, when each new class is among its items and with which share,
how the known classes' shares move, and how the known items themselves drift. `service/evaluation/labelled_stream.py`
draws a stream by it.

    class A      ......████████████████████████████      arrives and stays
    class B      ...............████████████████████     arrives later
    class C      .........█████........█████.........    comes, vanishes, comes back
    known        ███████████████████████████████████     whatever no new class takes

`shifts` multiply the chance of a known class by a weight that moves, down to 0 for a class that goes: label
shift. `drifts` name an item transform (`service/evaluation/drift.py`) and how strong it is when: covariate drift.
Neither is novelty. A stream without arrivals, the **null stream**, shows what is announced where nothing is new.

As a file, JSON or TOML, with the fields' names:

    length = 10000
    [[arrivals]]                 # without labels: the n-th is for the n-th unseen class
    share = 0.05
    spans = [[2000, 4000], [6000, 10000]]
    [[shifts]]                   # knots [item, weight], straight lines between them
    label = "0"
    weight = [[0, 1.0], [5000, 0.0]]
    [[drifts]]
    kind = "noise"
    strength = [[3000, 0.0], [8000, 0.3]]
"""

import dataclasses
import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pydantic

from service.errors import FirstseenError
from service.records import Bools, Float64s, Int64s

LONGEST = 10**8
"""Items of a schedule, at most; replays are of thousands."""

_MOST_DESCRIBED = 8
_LARGEST_VALUE = 1e6
_LAST_PLACE = 10**15

_STRICT = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)

Knots = tuple[tuple[int, float], ...]
"""(item, value) in order: straight lines between them, constant before the first and after the last."""

FIRST, SECOND, LAST = 0.2, 0.5, 0.8
"""Where in a standard stream the first and the second new class come, and the last of several."""

SHARE = 0.1
"""Share of each new class in a standard stream, as long as all of them together stay within half of it."""


class InvalidSchedule(FirstseenError):
    """A stream cannot be as the schedule says. The message says what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """When a new class is in the stream.

    Attributes:
        share: Its share of the items within its spans.
        spans: [start, stop) in items; several for a class that comes back.
        label: The class; None leaves it to the order of the unseen classes.
    """

    __pydantic_config__ = _STRICT

    share: float
    spans: tuple[tuple[int, int], ...]
    label: str | None = None

    def is_in(self, length: int) -> Bools:
        """Whether the class is in the stream, bool (length,)."""
        there = np.zeros(length, dtype=np.bool_)
        for start, stop in self.spans:
            there[start:stop] = True
        return there


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """A known class whose share moves: `weight` multiplies it; 0 is gone."""

    __pydantic_config__ = _STRICT

    label: str
    weight: Knots


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """Known items that change: `kind` names the transform, `labels` the classes; none named is all known ones."""

    __pydantic_config__ = _STRICT

    kind: str
    strength: Knots
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A stream to be drawn; see the top of this file. Positions count items from 0.

    Raises:
        InvalidSchedule: It cannot be; the message says what to change.
    """

    __pydantic_config__ = _STRICT

    length: int = 10_000
    arrivals: tuple[Arrival, ...] = ()
    shifts: tuple[Shift, ...] = ()
    drifts: tuple[Drift, ...] = ()
    mix: Literal["pool", "uniform"] = "pool"

    def __post_init__(self) -> None:
        if not 1 <= self.length <= LONGEST:
            raise InvalidSchedule(f"length must be 1 to {LONGEST:,} items, not {_counted(self.length)}.")
        for arrival in self.arrivals:
            _check_arrival(arrival, self.length)
        for shift in self.shifts:
            _check_knots(f"The weight of {shift.label!r}", shift.weight, least=0.0)
        for drift in self.drifts:
            _check_knots(f"The strength of the drift {drift.kind!r}", drift.strength, least=-_LARGEST_VALUE)
        _check_distinct("arrivals", [a.label for a in self.arrivals if a.label is not None])
        _check_distinct("shifts", [shift.label for shift in self.shifts])
        named = sum(arrival.label is not None for arrival in self.arrivals)
        if 0 < named < len(self.arrivals):
            raise InvalidSchedule(
                "Some arrivals have a label and some have none: give all of them one, or none."
            )
        starts, shares = self.share_of_new()
        if shares.max() >= 1.0:
            raise InvalidSchedule(
                f"At item {starts[shares.argmax()]} the new classes together have a share of {shares.max():.3g}, "
                "which leaves nothing to the known ones: lower some share, or let them come at different times."
            )

    def shares(self) -> Float64s:
        """The share of each arrival at each item: float64 (A, length)."""
        rows = [arrival.share * arrival.is_in(self.length) for arrival in self.arrivals]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), self.length)

    def share_of_new(self) -> tuple[Int64s, Float64s]:
        """The share of all arrivals together: int64 (P,) items from which it is another one, and it, float64 (P,).

        The first is item 0. However long the stream, there are two at most for each span.
        """
        ends = {min(end, self.length) for a in self.arrivals for span in a.spans for end in span}
        starts = np.array(sorted({0, *ends} - {self.length}), dtype=np.int64)
        shares = np.zeros(len(starts))
        for arrival in self.arrivals:
            for start, stop in arrival.spans:
                shares[(starts >= start) & (starts < min(stop, self.length))] += arrival.share
        return starts, shares

    def scaled(self, length: int) -> Self:
        """The same stream at another length: all positions in proportion, each span at least one item.

        Where spans of one item do not all fit, the last ones go, but never the first.
        """

        def to(position: int) -> int:
            return round(position * length / self.length)

        def knots(given: Knots) -> Knots:
            moved = {to(at): value for at, value in given}  # of two at one place the later one counts
            return tuple(moved.items())

        def spans(given: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
            moved: list[tuple[int, int]] = []
            for start, stop in given:
                first = max(min(to(start), length - 1), moved[-1][1] if moved else 0)
                moved.append((first, max(to(stop), first + 1)))
            return tuple(span for span in moved if span[0] < length)

        return dataclasses.replace(
            self,
            length=length,
            arrivals=tuple(dataclasses.replace(a, spans=spans(a.spans)) for a in self.arrivals),
            shifts=tuple(dataclasses.replace(s, weight=knots(s.weight)) for s in self.shifts),
            drifts=tuple(dataclasses.replace(d, strength=knots(d.strength)) for d in self.drifts),
        )

    def null(self) -> Self:
        """The same stream without anything new: shifts and drifts stay."""
        return dataclasses.replace(self, arrivals=())

    def named(self, unseen: Sequence[str]) -> Self:
        """Give arrivals without a label theirs: the n-th is for the n-th unseen class.

        Raises:
            InvalidSchedule: There are more arrivals than unseen classes, or one is for a class that is not unseen.
        """
        if len(self.arrivals) > len(unseen):
            raise InvalidSchedule(
                f"The schedule has {len(self.arrivals)} arrivals, and there are {len(unseen)} unseen classes "
                f"({', '.join(unseen) or 'none'}): name more with --unseen, or take arrivals out."
            )
        for arrival in self.arrivals:
            if arrival.label is not None and arrival.label not in unseen:
                raise InvalidSchedule(
                    f"The schedule lets the class {arrival.label!r} arrive, which is not one of the unseen ones "
                    f"({', '.join(unseen) or 'none'}): correct its label, or name it with --unseen."
                )
        pairs = zip(self.arrivals, unseen, strict=False)
        arrivals = tuple(dataclasses.replace(a, label=a.label or label) for a, label in pairs)
        return dataclasses.replace(self, arrivals=arrivals)


def standard(unseen: Sequence[str], *, length: int = 10_000, share: float | None = None) -> Schedule:
    """The default: the first new class comes at 20 %, the second at 50 %, further ones evenly up to 80 %.

    Args:
        unseen: The new classes in order of arrival; none gives the null stream.
        length: Items in all.
        share: Of each new class; None is 10 %, or less where all of them together would exceed half.
    """
    if not unseen:
        return Schedule(length=length)
    further = max(0, len(unseen) - 2)
    starts = [FIRST, SECOND, *(SECOND + (LAST - SECOND) * (n + 1) / further for n in range(further))]
    each = min(SHARE, 0.5 / len(unseen)) if share is None else share
    return Schedule(
        length=length,
        arrivals=tuple(
            Arrival(label=label, share=each, spans=((min(round(start * length), length - 1), length),))
            for label, start in zip(unseen, starts, strict=False)
        ),
    )


def describe(schedule: Schedule) -> str:
    """The schedule in one sentence for each of its parts."""
    lines = [f"{schedule.length:,} items"]
    for n, arrival in enumerate(schedule.arrivals[:_MOST_DESCRIBED]):
        spans = " and ".join(f"{start:,} to {stop:,}" for start, stop in arrival.spans)
        lines.append(f"new class {arrival.label or n + 1}: {arrival.share:.3g} of the items from {spans}")
    if len(schedule.arrivals) > _MOST_DESCRIBED:
        lines.append(f"{len(schedule.arrivals) - _MOST_DESCRIBED} more new classes")
    if not schedule.arrivals:
        lines.append("nothing new: a null stream")
    if schedule.mix == "uniform":
        lines.append("known classes equally likely")
    lines += [f"known class {s.label}: weight {_shown(s.weight)}" for s in schedule.shifts]
    lines += [
        f"{d.kind} on {', '.join(d.labels) or 'all known classes'}: strength {_shown(d.strength)}"
        for d in schedule.drifts
    ]
    return "; ".join(lines) + "."


_FROM_FILE = pydantic.TypeAdapter(Schedule)


def read_schedule(path: Path) -> Schedule:
    """Read a schedule from a JSON or TOML file.

    Raises:
        InvalidSchedule: It cannot be read, or is none; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InvalidSchedule(f"{path} cannot be read ({error.strerror}); give --schedule a file.") from error
    except (ValueError, RecursionError) as error:  # of both formats, and of UTF-8; nested without end
        raise InvalidSchedule(
            f"{path} is not {'JSON' if path.suffix == '.json' else 'TOML'}: {error}. "
            "A schedule is a .json or .toml file; service/evaluation/schedule.py opens with an example."
        ) from error
    return as_schedule(document, source=str(path))


def along(knots: Knots, length: int) -> Float64s:
    """The values at each item, float64 (length,)."""
    at, values = zip(*knots, strict=True)
    return np.asarray(np.interp(np.arange(length), at, values), dtype=np.float64)


def as_schedule(document: object, *, source: str) -> Schedule:
    """A schedule from plain values; `source` is what messages call it. Inverse of `dataclasses.asdict`.

    Raises:
        InvalidSchedule: A field is unknown, missing, of the wrong kind, or cannot be.
    """
    try:
        return _FROM_FILE.validate_json(json.dumps(document, default=str), strict=True)
    except RecursionError:
        raise InvalidSchedule(f"{source} is nested too deeply to be a schedule.") from None
    except InvalidSchedule as error:
        raise InvalidSchedule(f"{source}: {error}") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise InvalidSchedule(
            f"{source}: {'.'.join(map(str, first['loc'])) or 'the document'}: {first['msg']}."
        ) from None


def _shown(knots: Knots) -> str:
    return ", ".join(f"{value:.3g} at {at:,}" for at, value in knots)


def _counted(items: int) -> str:
    return f"{items:,}" if abs(items) < 10**18 else "a number of more than 18 digits"


def _check_arrival(arrival: Arrival, length: int) -> None:
    who = f"The arrival of {arrival.label!r}" if arrival.label is not None else "An arrival"
    if not 0.0 < arrival.share < 1.0:
        raise InvalidSchedule(f"{who} has a share of {arrival.share}; it must be above 0 and below 1.")
    if not arrival.spans:
        raise InvalidSchedule(f"{who} has no span: give it [[start, stop]], in items.")
    before = 0
    for start, stop in arrival.spans:
        if not before <= start < stop <= _LAST_PLACE:
            raise InvalidSchedule(
                f"{who} has the span [{_counted(start)}, {_counted(stop)}]: spans are in order and apart, none empty, "
                f"none beyond item {_LAST_PLACE:,}."
            )
        before = stop
    last = arrival.spans[-1][0]
    if last >= length:
        raise InvalidSchedule(
            f"{who} comes at item {_counted(last)}, and the stream ends before it: let it come earlier, or make the "
            f"stream longer than its {length:,} items."
        )


def _check_knots(who: str, knots: Knots, *, least: float) -> None:
    at = [place for place, _ in knots]
    if not knots or at != sorted(set(at)) or not 0 <= at[0] <= at[-1] <= _LAST_PLACE:
        raise InvalidSchedule(
            f"{who} needs knots [item, value] at places that rise from 0 or more, none beyond item {_LAST_PLACE:,}."
        )
    if not all(least <= value <= _LARGEST_VALUE for _, value in knots):
        raise InvalidSchedule(
            f"{who} has a value that cannot be: each must be a number from {least:,.0f} to {_LARGEST_VALUE:,.0f}."
        )


def _check_distinct(what: str, labels: Sequence[str]) -> None:
    twice = [label for label, n in Counter(labels).items() if n > 1]
    if twice:
        raise InvalidSchedule(f"{what} has the class {twice[0]!r} twice: give one entry all that it does.")
