"""Progress bars, on a screen of paper."""

import io

import pytest
from rich.console import Console

from service.cli.progress import StagesBetweenQuestions, stages


@pytest.mark.parametrize("is_terminal", [True, False])
def test_stages(*, is_terminal: bool) -> None:
    """Every stage has a line with how far it is and what is noted."""
    paper = io.StringIO()
    with stages(Console(file=paper, width=100, force_terminal=is_terminal)) as progress:
        progress("train", 1, 4, "loss 2.0")
        progress("calibrate", 0, 1, "")
        progress("train", 4, 4, "loss 0.1")
    shown = paper.getvalue()

    assert "train" in shown
    assert "calibrate" in shown
    assert "4/4" in " ".join(shown.split()).replace("4 /4", "4/4")
    assert "loss 0.1" in shown
    assert "loss 2.0" not in shown.rpartition("train")[2]


def test_a_log_is_told_what_begins_and_what_ends() -> None:
    """At once, a line each: who reads the log of a container need not wait for the end."""
    paper = io.StringIO()
    with stages(Console(file=paper, width=20)) as progress:
        progress("train", 0, 40, "")

        assert "  train ...\n" == paper.getvalue()
        for epoch in range(1, 41):
            progress("train", epoch, 40, "a loss that is longer than the line")

        assert "  train ...\n  train      40/40 a loss that is longer than the line\n" == paper.getvalue()
        progress("write", 1, 1, "")

    assert "  write      1/1" == paper.getvalue().splitlines()[-1]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_notes_are_text_not_markup(*, is_terminal: bool) -> None:
    """A path with brackets is shown as it is."""
    paper = io.StringIO()
    with stages(Console(file=paper, width=100, force_terminal=is_terminal)) as progress:
        progress("write", 1, 1, "out/[/x] [bold]y")

    assert "out/[/x] [bold]y" in paper.getvalue()


def test_nothing_is_drawn_over_a_question() -> None:
    """Put away, bars stand where they are; the next step begins new ones."""
    paper = io.StringIO()
    with StagesBetweenQuestions(Console(file=paper, width=100)) as progress:
        progress("embed", 3, 3, "members")
        progress.put_away()
        before = paper.getvalue()
        progress.put_away()

        assert "members" in before
        assert before == paper.getvalue()
        progress("ids", 1, 1, "ids")

    assert "ids" in paper.getvalue().removeprefix(before)
    assert "members" not in paper.getvalue().removeprefix(before)
