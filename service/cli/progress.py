"""Progress bars for long work, one a stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class ReportsProgress(Protocol):
    """What the trainer reports to."""

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """`done` of `total` steps of `stage` are done; `note` says how it goes."""


@contextmanager
def stages(screen: Console) -> Iterator[ReportsProgress]:
    """A function that shows progress while the context is open."""
    columns = (
        TextColumn("  {task.description:<10}", markup=False),
        BarColumn(40),
        TextColumn("{task.completed:>4.0f}/{task.total:<4.0f} {task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(stage: str, done: int, total: int, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, note=note)
            bars.update(tasks[stage], completed=done, total=total, note=note)

        yield progress
