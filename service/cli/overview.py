"""How the help of all commands is laid out: by what one wants to do, and in paragraphs.

`firstseen --help` has a part for each purpose, in the order in which a newcomer meets them. And typer keeps the ends of
a docstring's lines, which are wider than most terminals: every other line would be a short one. So a paragraph is made
one line here, and wrapped where it is shown.
"""

import inspect
from collections.abc import Mapping
from typing import Final

import typer

from service.cli import (
    backtest,
    classify,
    clusters,
    dlq,
    events,
    export,
    keys,
    state,
    upgrade,
    watch,
    webhooks,
)

PARTS: Final = tuple(
    part.app
    for part in (classify, watch, events, clusters, webhooks, dlq, keys, state, export, backtest, upgrade)
)
"""What is in files of its own, in order."""

PURPOSES: Final[Mapping[str, tuple[str, ...]]] = {
    "See it": ("demo",),
    "Train, and look before you serve": ("train", "inspect", "replay"),
    "Serve, and ask a service": (
        "serve",
        "classify",
        "watch",
        "events",
        "clusters",
        "webhooks",
        "dlq",
        "keys",
    ),
    "The state of a stream": ("state", "export", "backtest", "upgrade"),
}
"""Commands by purpose."""

_PURPOSE_OF = {name: purpose for purpose, names in PURPOSES.items() for name in names}
_ORDER = list(_PURPOSE_OF)


def arrange(app: typer.Typer) -> None:
    """Put commands in order and under their purpose, and paragraphs into one line each, in all groups."""
    for command in app.registered_commands:
        assert command.callback is not None
        command.help = in_paragraphs(command.help or inspect.getdoc(command.callback) or "")
        command.rich_help_panel = _PURPOSE_OF.get(_name(command), command.rich_help_panel)
    app.registered_commands.sort(key=lambda one: _rank(_name(one)))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        arrange(group.typer_instance)
        group.rich_help_panel = _PURPOSE_OF.get(str(group.typer_instance.info.name), group.rich_help_panel)


def in_paragraphs(text: str) -> str:
    """Without the ends of lines that are within a paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


def _name(command: typer.models.CommandInfo) -> str:
    return command.name or command.callback.__name__  # type: ignore[union-attr]  # typer's decorator sets it


def _rank(name: str) -> int:
    """Commands of a group stay as they are."""
    return _ORDER.index(name) if name in _PURPOSE_OF else len(_ORDER)
