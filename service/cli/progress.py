"""Progress of long work: a bar a stage on a terminal, and elsewhere a line when a stage begins and one when it ends.

Bars in a file are drawn when all is over, so whoever reads the log of a container would be told nothing for minutes.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text


class ReportsProgress(Protocol):
    """What the trainer reports to."""

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """`done` of `total` steps of `stage` are done; `note` says how it goes."""


@contextmanager
def stages(screen: Console) -> Iterator[ReportsProgress]:
    """A function that shows progress while the context is open."""
    if not screen.is_terminal:
        yield _in_lines(screen)
        return
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


def _in_lines(screen: Console) -> ReportsProgress:
    told: set[tuple[str, bool]] = set()

    def progress(stage: str, done: int, total: int, note: str) -> None:
        """What is in between is not told."""
        is_done = done >= total
        if (stage, is_done) not in told:
            told.add((stage, is_done))
            line = f"  {stage:<10} {done}/{total} {note}".rstrip() if is_done else f"  {stage} ..."
            screen.print(Text(line), soft_wrap=True)

    return progress


class StagesBetweenQuestions:
    """The same, put away while a person is asked: bars that go on being drawn would cover the question."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._shown = ExitStack()
        self._progress: ReportsProgress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.put_away()

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """As of `stages`; bars that were put away begin anew."""
        if self._progress is None:
            self._progress = self._shown.enter_context(stages(self._screen))
        self._progress(stage, done, total, note)

    def put_away(self) -> None:
        """What is shown stays, and is drawn no more."""
        self._shown.close()
        self._progress = None
