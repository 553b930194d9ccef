"""Progress bars for long work, one a stage."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, Self

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
