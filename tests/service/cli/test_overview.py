"""Help is laid out for who reads it: a purpose, an order, paragraphs, and an example to begin with."""

import re
from collections.abc import Iterator

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from service.cli.main import app
from service.cli.overview import PURPOSES, in_paragraphs

ROOT = get_command(app)
assert isinstance(ROOT, TyperGroup)


def leaves(command: TyperCommand | TyperGroup, path: str) -> Iterator[tuple[str, TyperCommand]]:
    """Every command that does something, by what is typed."""
    if isinstance(command, TyperGroup):
        for name, part in command.commands.items():
            yield from leaves(part, f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(leaves(ROOT, "firstseen"))


def test_every_command_has_a_purpose() -> None:
    """And none is named there that is not."""
    named = [name for names in PURPOSES.values() for name in names]

    assert sorted(ROOT.commands) == sorted(named)


def test_the_overview_is_in_the_order_of_a_newcomer() -> None:
    """Purposes one after the other, commands within them, and the demo first."""
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    wanted = [name for purpose, names in PURPOSES.items() for name in (purpose, *(f"│ {n} " for n in names))]
    places = [shown.find(name) for name in wanted]

    assert -1 not in places
    assert sorted(places) == places


@pytest.mark.parametrize("path", COMMANDS)
def test_help_is_of_paragraphs(path: str) -> None:
    """A line ends where the terminal does, not where the source did."""
    paragraphs = (COMMANDS[path].help or "").split("\n\n")

    assert paragraphs[0]
    assert not [paragraph for paragraph in paragraphs if "\n" in paragraph]


@pytest.mark.parametrize("path", COMMANDS)
def test_help_teaches_by_an_example(path: str) -> None:
    """One to copy, of this very command."""
    assert f"Example: [bold]{path}" in (COMMANDS[path].help or "")


def test_paragraphs_are_kept_apart() -> None:
    """Lines within one are joined; none and an empty text are nothing."""
    assert "One two.\n\nThree four." == in_paragraphs("One\n    two.\n\n    Three\n    four.\n")
    assert "" == in_paragraphs("")


@pytest.mark.parametrize("path", COMMANDS)
def test_nothing_of_help_is_lost_in_brackets(path: str) -> None:
    """What stands in brackets is shown, but for what makes it bold."""
    command = COMMANDS[path]
    said = [command.help or "", *(getattr(param, "help", None) or "" for param in command.params)]
    taken = {tag for text in said for tag in re.findall(r"(?<!\\)\[([a-z/][^\]]*)\]", text)}

    assert taken <= {"bold", "/bold"}
