"""Which item crashed the engine? The decisions of that search, without the doing.

A batch that crashed the engine holds, as a rule, one guilty item among innocent ones. The search tries it again in
halves, from the left, so that items are decided in the order they came in:

    [a b c d]  crashes
    [a b]      passes: a and b have their verdicts
    [c d]      crashes
    [c]        crashes, for the third time, now alone: c is guilty
    [d]        passes

One guilty item among B costs about 2 log2 B tries. It is convicted when it has crashed at least twice (`ENOUGH`), and
once alone; one that came alone is tried alone again. Being short of memory says less: other programs need some, too.
It takes one crash more, after a pause.

Before anybody is accused, the engine is asked to do what it is known to be able to do (the bundle's golden items). If
it fails at that, it is not the item: the graphics card is lost, or memory is gone, and without this a whole stream
would go into quarantine. And at most `PER_MINUTE` items are convicted in a minute: what needs more than that is no
matter of single items, and a person should look.

Reference for the search: delta debugging without its combinations, A. Zeller and R. Hildebrandt, "Simplifying and
Isolating Failure-Inducing Input", 2002: guilt is taken to be one item's alone.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

ENOUGH: Final = 2
"""Crashes, the last one alone, that convict an item."""

ENOUGH_SHORT_OF_MEMORY: Final = 3
"""... when the last one was for want of memory."""

PAUSE_S: Final = 0.5
"""Before an item that found no memory is tried again."""

PER_MINUTE: Final = 10
"""Convictions in any minute; at the next one the stream pauses."""

_MINUTE_S: Final = 60.0
_REASON_CHARACTERS: Final = 300


class Next(Enum):
    """What to do after a crash."""

    SPLIT = "try the halves"
    AGAIN = "try the item alone again"
    QUARANTINE = "the item is guilty"
    ENGINE_FAILS = "it is not the item: the engine fails at anything"
    TOO_MANY = "guilty, and one too many: pause, and call a person"


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What is known when something crashed.

    items: in the part that crashed; crashes: of its only item, this one included (0 where there are several);
    is_short_of_memory: of which kind it was; is_engine_well: whether it can still do what it surely could;
    has_room: whether another item may be convicted in this minute.
    """

    items: int
    crashes: int
    is_short_of_memory: bool
    is_engine_well: bool
    has_room: bool


def decide(seen: Circumstances) -> Next:
    """The whole rule."""
    if not seen.is_engine_well:
        return Next.ENGINE_FAILS
    if seen.items > 1:
        return Next.SPLIT
    if seen.crashes < (ENOUGH_SHORT_OF_MEMORY if seen.is_short_of_memory else ENOUGH):
        return Next.AGAIN
    return Next.QUARANTINE if seen.has_room else Next.TOO_MANY


class Search:
    """One batch on its way through the engine: which items to try next, in order of arrival.

    Until something crashes that is the batch as a whole.
    """

    def __init__(self, count: int, *, crashes: Mapping[int, int] | None = None, at_most: int = 0) -> None:
        """Of `count` items, from 0.

        Args:
            count: Items of the batch.
            crashes: Those that crashed before, and how often. They are tried alone.
            at_most: Items to try together, 0 for any number.
        """
        self._crashes = [0] * count
        self._parts: deque[range] = deque()
        if not crashes and not at_most:  # nearly always
            if count:
                self._parts.append(range(count))
            return
        for n, before in (crashes or {}).items():
            self._crashes[n] = before
        for n, before in enumerate(self._crashes):
            last = self._parts[-1] if self._parts else None
            joins = last is not None and not before and not self._crashes[last.start]
            if last is not None and joins and (not at_most or len(last) < at_most):
                self._parts[-1] = range(last.start, n + 1)
            else:
                self._parts.append(range(n, n + 1))

    @property
    def part(self) -> range | None:
        """What to try now; None when all is settled."""
        return self._parts[0] if self._parts else None

    def settled(self) -> None:
        """The part has its verdicts, or was convicted."""
        self._parts.popleft()

    def crashes_of(self, item: int) -> int:
        """How often this item was in what crashed."""
        return self._crashes[item]

    def crashed(self, *, is_short_of_memory: bool, is_engine_well: bool, has_room: bool) -> Next:
        """The part crashed: what now? An engine that fails at anything counts against no item."""
        part = self._parts[0]
        if is_engine_well:
            for item in part:
                self._crashes[item] += 1
        then = decide(
            Circumstances(
                items=len(part),
                crashes=self._crashes[part.start] if len(part) == 1 else 0,
                is_short_of_memory=is_short_of_memory,
                is_engine_well=is_engine_well,
                has_room=has_room,
            )
        )
        if then is Next.SPLIT:
            self._parts.popleft()
            half = part.start + (len(part) + 1) // 2
            self._parts.extendleft([range(half, part.stop), range(part.start, half)])
        return then


class Convictions:
    """How many there were lately. Times are those of any clock that only goes forward, in seconds."""

    def __init__(self) -> None:
        self._at: deque[float] = deque()

    def has_room(self, now: float) -> bool:
        """Whether one more is bearable."""
        while self._at and self._at[0] <= now - _MINUTE_S:
            self._at.popleft()
        return len(self._at) < PER_MINUTE

    def add(self, now: float) -> None:
        """One more."""
        self._at.append(now)


def is_short_of_memory(error: BaseException) -> bool:
    """Whether memory was missing, the processor's or a graphics card's (known by name: this file knows no torch)."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, MemoryError) or "OutOfMemoryError" in names


def reason_of(error: BaseException) -> str:
    """Type and first line of the message: short, printable, for people."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _REASON_CHARACTERS else text[: _REASON_CHARACTERS - 3] + "..."
