"""What commands that call a service have in common: their options, and how they end."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from service.cli.calling import ASKED_WRONGLY, REFUSED, SERVICE_AWAY, Call, calls, show_json
from service.client import GaveUp, Refused
from service.client.answers import Problem

app = typer.Typer()
RAISED: list[Exception] = []


@app.command()
@calls
def one(call: Call, word: Annotated[str, typer.Argument(help="A word.")], often: int = 2) -> None:
    """Say a word."""
    if RAISED:
        raise RAISED.pop()
    show_json({"said": [word] * often, "json": call.as_json})


def test_its_own_options_and_the_common_ones() -> None:
    """Both are read, and both are shown."""
    ended = CliRunner().invoke(app, ["hello", "--often", "1", "--json", "--patience", "3"])
    helped = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["--help"]).output

    assert (0, '{\n  "said": [\n    "hello"\n  ],\n  "json": true\n}\n') == (ended.exit_code, ended.stdout)
    assert "Say a word." in helped
    for option in ("A word.", "--often", "--json", "--url", "--stream", "--api-key", "--patience"):
        assert option in helped


def test_what_it_needs_is_asked_for() -> None:
    """As of any command."""
    assert ASKED_WRONGLY == CliRunner().invoke(app, []).exit_code


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (Refused("no", problem=Problem(kind="/problems/x", title="no", status=409, detail="no")), REFUSED),
        (
            Refused("no", problem=Problem(kind="/problems/x", title="no", status=403, detail="no")),
            ASKED_WRONGLY,
        ),
        (ValueError("no"), ASKED_WRONGLY),
        (GaveUp("no"), SERVICE_AWAY),
    ],
)
def test_what_goes_wrong_is_one_line(raised: Exception, status: int) -> None:
    """And a status that tells what kind of wrong."""
    RAISED.append(raised)
    ended = CliRunner().invoke(app, ["hello"])

    assert status == ended.exit_code
    assert "firstseen: no" in ended.stderr
    assert "" == ended.stdout
