"""What commands say is one line of text, whatever is in it."""

import io

import pytest
import structlog
from rich.console import Console

from service.cli.telling import ended, only_warnings_logged, say, tame, why
from service.client import Refused
from service.client.answers import Problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, ü", "plain, ü"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
    ],
)
def test_tame(text: str, expected: str) -> None:
    """What drives a terminal, or turns text around, is shown and not done."""
    assert expected == tame(text)


def test_a_line_is_a_line() -> None:
    """However long, with what looks like markup, and a command ends with its status."""
    screen = Console(file=io.StringIO(), width=20)
    say(screen, "[bold]" + "x" * 100)
    end = ended(screen, "why\n", 3)

    assert isinstance(screen.file, io.StringIO)
    assert ["[bold]" + "x" * 100, "firstseen: why\\n"] == screen.file.getvalue().splitlines()
    assert 3 == end.exit_code


def test_a_command_logs_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside its result, not in it; and afterwards all is as it was."""
    before = structlog.get_config()
    with only_warnings_logged():
        structlog.get_logger().info("runtime")
        structlog.get_logger().warning("few_files")
    out, err = capsys.readouterr()

    assert "" == out
    assert "few_files" in err
    assert "runtime" not in err
    assert before == structlog.get_config()


@pytest.mark.parametrize(("kind", "helps"), [("unauthorized", True), ("forbidden", False), (None, False)])
def test_where_a_key_goes(kind: str | None, helps: bool) -> None:
    """Who has none at a command line is told where it goes."""
    problem = None if kind is None else Problem(kind=f"/problems/{kind}", title="", status=401, detail="no")

    assert helps is ("FIRSTSEEN_API_KEY" in why(Refused("no.", problem)))
