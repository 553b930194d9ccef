"""The commands of the demo's upgrade: shown before they run, and what fails ends the demo. All of it: test_demo.py."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from service.cli.demo_upgrade import StepFailed, export_named, firstseen


async def test_a_step_that_fails_is_told() -> None:
    """As the command that it was, to be tried again."""
    screen = io.StringIO()
    with pytest.raises(StepFailed, match="status 2: firstseen nonsense 'of mine'"):
        await firstseen(Console(file=screen, width=100), "nonsense", "of mine")

    assert "firstseen nonsense 'of mine'" in screen.getvalue()


async def test_a_service_that_has_stopped_is_not_exported(tmp_path: Path) -> None:
    """Nothing is run."""
    with pytest.raises(StepFailed, match="has stopped"):
        await export_named(tmp_path, Console(file=io.StringIO()))
