"""One soak: a real service, everybody at once, memory looked at every second, and in the end everything counted.

Its horizon of ids, its snapshots and its number of open streams are small, so that all that is bounded reaches its
bound in the first minutes: what grows after that is a leak.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.service import digits
from tests.service.processes import Launch, Serve
from tests.service.waiting import until
from tests.soak import clients
from tests.soak.book import Book
from tests.soak.slope import Slope, slope_of

MB = 1e6
WARM_UP = 1 / 3
"""Share of the time that is not looked at, at least: nor are the items until all that is bounded is full."""

BOUND_MB_PER_MINUTE = {"service": 1.0, "store": 1.0}
"""A slope that is surely over this is a leak."""

FEWEST_POINTS = 120
"""Before so many seconds after the warm-up nothing is said of slopes: what is bounded has to reach its bound first."""

SETTINGS = {"dedup_horizon": 20_000, "snapshot_every_items": 5_000, "max_streams": 4}
FULL_AFTER_ITEMS = 2 * SETTINGS["dedup_horizon"]
"""So many ids are remembered at most."""

_TELL_EVERY_S = 15.0
_LAST_S = 60.0
_BAD_LEVELS = ("error", "critical")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of it."""

    minutes: float
    answers: dict[str, int]
    provoked: dict[str, int]
    wrong: list[str]
    counted: int
    asked: int = 0
    memory: dict[str, dict[str, float]]
    slopes: dict[str, Slope] = field(default_factory=dict)

    @property
    def leaks(self) -> list[str]:
        """Whose memory surely grows."""
        return [
            who
            for who, slope in self.slopes.items()
            if slope.n >= FEWEST_POINTS and slope.exceeds(BOUND_MB_PER_MINUTE[who])
        ]

    @property
    def is_good(self) -> bool:
        """Nothing wrong, nothing lost or doubled, nothing that grows."""
        return not self.wrong and not self.leaks

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return {
            "ok": self.is_good,
            "minutes": round(self.minutes, 2),
            "items": self.counted,
            "asked": self.asked,
            "answers": self.answers,
            "provoked": self.provoked,
            "wrong": self.wrong,
            "leaks": self.leaks,
            "memory_mb": self.memory,
            "mb_per_minute": {
                who: {"slope": round(s.per_unit, 4), "error": round(s.error, 4), "n": s.n}
                for who, s in self.slopes.items()
            },
        }


def first_to_look_at(t: Sequence[float], items: Sequence[int], seconds: float) -> int:
    """Where the warm-up is over: the first of the points that count, or how many there are."""
    points = enumerate(zip(t, items, strict=True))
    is_warm = (n for n, (at, done) in points if at >= seconds * WARM_UP and done >= FULL_AFTER_ITEMS)
    return next(is_warm, len(t))


class _Memory:
    """Resident memory of the service and of its store, once a second."""

    def __init__(self, service: Serve) -> None:
        self._processes = {"service": psutil.Process(service.process.pid), "store": service.store()}
        self.t: list[float] = []
        self.items: list[int] = []
        self.mb: dict[str, list[float]] = {who: [] for who in self._processes}

    def look(self, t: float, items: int) -> None:
        self.t.append(t)
        self.items.append(items)
        for who, process in self._processes.items():
            self.mb[who].append(process.memory_info().rss / MB)

    def slopes(self, seconds: float) -> dict[str, Slope]:
        """MB a minute, after the warm-up."""
        first = first_to_look_at(self.t, self.items, seconds)
        minutes = [t / 60 for t in self.t[first:]]
        return {who: slope_of(minutes, mb[first:]) for who, mb in self.mb.items()}

    def figures(self) -> dict[str, dict[str, float]]:
        """At the start, at the end, and the most."""
        return {
            who: {"first": round(mb[0], 1), "last": round(mb[-1], 1), "most": round(max(mb), 1)}
            for who, mb in self.mb.items()
        }


def soak(*, seconds: float, seed: int, tell: Callable[[str], None], launch: Launch | None = None) -> Report:
    """Soak a service for so long. launch: how it is started; None is as a person does."""
    with (
        tempfile.TemporaryDirectory(prefix="fs-soak-") as folder,
        Serve(digits.bundle_dir(), Path(folder), launch=launch, **SETTINGS) as service,
    ):
        service.ready()
        return asyncio.run(_soak(service, seconds=seconds, rng=random.Random(seed), tell=tell))


async def _soak(service: Serve, *, seconds: float, rng: random.Random, tell: Callable[[str], None]) -> Report:
    book = Book()
    memory = _Memory(service)
    started = time.monotonic()
    tasks = {
        asyncio.create_task(client(f"{client.__name__}-{n}", service.url, book, random.Random(rng.random())))
        for client, many in clients.ALL
        for n in range(many)
    }
    told = 0.0
    while (t := time.monotonic() - started) < seconds and not book.wrong:
        memory.look(t, book.items)
        if t - told >= _TELL_EVERY_S:
            told = t
            tell(_line(t, book, memory))
        ended, _ = await asyncio.wait(tasks, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            book.note_wrong(f"a client ended: {task.exception()!r}")
        tasks -= ended
    book.is_over = True
    _, left = await asyncio.wait(tasks, timeout=_LAST_S) if tasks else (set(), set())
    for task in left:
        book.note_wrong(f"a client does not end: {task}")
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return _report(service, book, memory, time.monotonic() - started)


def _report(service: Serve, book: Book, memory: _Memory, seconds: float) -> Report:
    info = until(lambda: None if (found := service.get("/info"))["stale"] else found, "all is told")
    counted = sum(info["verdicts"].values())
    if service.process.poll() is not None:
        book.note_wrong("the service ended")
    for line in service.events:
        if line.get("level") in _BAD_LEVELS:
            book.note_wrong(f"the service logged {line}")
    if info["quarantined"]:
        book.note_wrong(f"{info['quarantined']} items are in quarantine")
    if counted != book.items:
        book.note_wrong(f"{book.items} ids were answered, and the service counted {counted}")
    answers = Counter[str]()
    for name, n in book.answers.items():
        answers[name.rpartition("-")[0]] += n
    return Report(
        minutes=seconds / 60,
        answers=dict(answers),
        provoked=dict(book.provoked),
        wrong=book.wrong,
        counted=counted,
        asked=book.asked,
        memory=memory.figures(),
        slopes=memory.slopes(seconds),
    )


def _line(t: float, book: Book, memory: _Memory) -> str:
    mb = ", ".join(f"{who} {values[-1]:.0f} MB" for who, values in memory.mb.items())
    return f"{t / 60:5.1f} min  {book.items:>9,} items  {mb}  provoked {book.provoked.total():,}"
