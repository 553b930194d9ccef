"""How far it is, on a terminal: bytes where they are known, items, items a second, and what they were."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from service.lines.sources import Input, Place
from service.lines.tally import Tally

Show = Callable[[Place, Tally], None]


@contextmanager
def showing(
    screen: Console, inputs: Sequence[Input], counts: Mapping[str, int], now: Callable[[], float]
) -> Iterator[Show]:
    """A function that shows progress while the context is open; nothing where nobody looks.

    Args:
        screen: A terminal, or not.
        inputs: What is read.
        counts: Of the run that it goes on from.
        now: The clock.
    """
    if not screen.is_terminal:
        yield lambda *_: None
        return
    sizes = [os.fstat(one.file.fileno()).st_size if one.is_seekable else None for one in inputs]
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None
    bars = (BarColumn(20), TaskProgressColumn(), TimeRemainingColumn()) if total else ()
    started, before = now(), sum(counts.values())
    with Progress(
        *bars, TextColumn("{task.description}", markup=False), console=screen, transient=True
    ) as progress:
        task = progress.add_task("waiting for the first verdict", total=total)

        def show(place: Place, tally: Tally) -> None:
            rate = (tally.items - before) / max(now() - started, 1e-3)
            done = sum(known[: place.file]) + place.offset if total else 0
            progress.update(
                task, completed=done, description=f"{tally.items:,} items, {rate:,.0f}/s: {tally.line()}"
            )

        yield show
