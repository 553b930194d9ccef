"""What is shown on a terminal, and that nothing is where nobody looks."""

import io
from pathlib import Path

from rich.console import Console

from service.lines.parsing import Format
from service.lines.progress import showing
from service.lines.sources import Place, open_input
from service.lines.tally import Tally


def shown(tmp_path: Path, *, is_terminal: bool) -> str:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"[1]\n" * 10)
    screen = Console(file=io.StringIO(), force_terminal=is_terminal, width=160, color_system=None)
    one = open_input(path, stdin=io.BytesIO, format=Format.AUTO, drawn="")
    clock = iter(range(100))
    with one.file, showing(screen, [one], {"known": 2}, lambda: float(next(clock))) as show:
        show(Place(offset=20, line=5), Tally({"known": 5, "outlier": 2}, []))
    file = screen.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_on_a_terminal(tmp_path: Path) -> None:
    """Share of the bytes, items, those of this run a second, and what they were."""
    text = shown(tmp_path, is_terminal=True)

    assert "50%" in text
    assert "7 items, 5/s: 5 known, 0 cluster, 2 outlier" in text


def test_elsewhere(tmp_path: Path) -> None:
    """A log file gets none of it."""
    assert "" == shown(tmp_path, is_terminal=False)
