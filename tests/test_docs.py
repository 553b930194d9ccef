"""The documentation cannot rot: paths, targets, routes, settings, commands, messages and examples are checked.

A table that is made from the sources is compared as a whole; when it differs, the failure shows the new one.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import msgspec
import pytest
import typer
from typer.main import get_command

from service.api.failures import FAILURES
from service.app import create_app
from service.cli.main import app as command_line
from service.events import EventKind
from service.ingest.protocol import ClientMessage, StreamMessage, WatchMessage, schema
from service.ingest.session import IngestSession
from service.settings import CLIENT_VARIABLES, MIB, PREFIX, Settings
from tests.service import digits
from tests.service.processes import Serve

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "benchmarks/README.md")),
        *ROOT.glob("docs/**/*.md"),
    ]
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
TEXT = {name: page.read_text(encoding="utf-8") for name, page in zip(NAMES, PAGES, strict=True)}
README = TEXT["README.md"]

MADE_BY_RUNNING = ("firstseen-data", "bundles", "benchmarks/results", "demo.json", "firstseen-demo")
"""Paths that documentation names and that exist only after a command ran."""


def settings_table() -> str:
    """The README's table, from the source."""
    lines = ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{_shown(field.default)}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int) and default >= MIB and default % MIB == 0:
        return f"{default}"
    return str(default)


def close_codes_table() -> str:
    """The protocol page's table, from the source."""
    lines = [
        "| code | problem | meaning | again |",
        "|---|---|---|---|",
        "| 1000 | | all answered, after `end` | |",
    ]
    lines += [
        f"| {row.close_code} | `{row.name}` | {row.title} | {'yes' if row.can_retry else 'no'} |"
        for row in FAILURES
    ]
    return "\n".join(lines) + "\n"


def transitions_table() -> str:
    """The protocol page's table of all that can happen on /stream, from the source."""
    lines = ["| state | when | then | next state |", "|---|---|---|---|"]
    lines += [
        f"| {state.value} | {what.value} | {then.__doc__} | {after.value} |"
        for (state, what), (then, after) in IngestSession.transitions.items()
    ]
    return "\n".join(lines) + "\n"


def written_schema() -> str:
    """The JSON Schema of all messages, as its file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def blocks(text: str, language: str) -> list[str]:
    """All fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def running_blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, code) of the blocks that a comment marks as examples that run."""
    yield from re.findall(r"^<!-- runs -->\n```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_that_are_there(name: str) -> None:
    """Relative links only; those to other sites are not followed."""
    links = [
        link.partition("#")[0]
        for link in re.findall(r"\]\(([^)\s]+)\)", TEXT[name])
        if not link.startswith(("http://", "https://", "#"))
    ]

    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_paths_in_backquotes_are_there(name: str) -> None:
    """A file or folder of ours that documentation names exists."""
    named = re.findall(r"`((?:model|service|docs|benchmarks|tests|docker)/[\w./-]*)`", TEXT[name])
    named += re.findall(r"`(docker-compose\.yml|Makefile|pyproject\.toml|constraints\.txt)`", TEXT[name])

    assert [
        path for path in named if not path.startswith(MADE_BY_RUNNING) and not (ROOT / path).exists()
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_modules_that_are_run_are_there(name: str) -> None:
    """`python -m benchmarks.x` names a module of this repository."""
    modules = re.findall(r"python -m ((?:benchmarks|model|service)[\w.]*)", TEXT[name])

    assert [module for module in modules if not (ROOT / f"{module.replace('.', '/')}.py").exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_make_targets_exist(name: str) -> None:
    """Every `make x` in code can be made."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    code = re.findall(r"`([^`\n]+)`", TEXT[name]) + re.findall(r"^    (make .*)$", TEXT[name], re.MULTILINE)
    named = {target for line in code for target in re.findall(r"\bmake ([a-z0-9-]+)", line)}

    assert named - targets == set()


def test_the_two_commands_come_first() -> None:
    """A newcomer finds `make demo` and `make test` without scrolling."""
    top = "\n".join(README.splitlines()[:15])

    assert "make demo" in top
    assert "make test" in top


def test_the_settings_table_is_that_of_the_source() -> None:
    """Every variable with its default and description; the failure shows the table to paste."""
    found = re.search(r"<!-- settings -->\n(.*?)<!-- end of settings -->", README, re.DOTALL)

    assert found is not None
    assert settings_table() == found.group(1)


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_are_named_exist(name: str) -> None:
    """In a decision about refusing unknown settings an unknown one is the example."""
    named = {variable.rstrip("_") for variable in re.findall(r"\bFIRSTSEEN_[A-Z_]+", TEXT[name])}
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | {"FIRSTSEEN"} | CLIENT_VARIABLES
    known |= set(re.findall(r"FIRSTSEEN_[A-Z_]+", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    if name == "docs/decisions/009-unknown-settings.md":
        named.remove("FIRSTSEEN_FALSE_ALARM_RAT")

    assert named - known == set()


def test_the_close_codes_are_those_of_the_source() -> None:
    """One row a failure, in the order of the table; the failure shows the table to paste."""
    assert close_codes_table() in TEXT["docs/protocol.md"]


def test_the_transitions_are_those_of_the_source() -> None:
    """One row an arrow, in the order of the table; the failure shows the table to paste."""
    assert transitions_table() in TEXT["docs/protocol.md"]


def test_the_schema_is_that_of_the_source() -> None:
    """The failure shows the file to paste."""
    assert written_schema() == (ROOT / "docs/protocol.schema.json").read_text(encoding="utf-8")


def test_the_schema_takes_every_message_of_the_page_and_refuses_what_is_none() -> None:
    """Also without the sources, a client can be checked against it."""
    whole = schema()
    jsonschema.Draft202012Validator.check_schema(whole)
    is_message = jsonschema.Draft202012Validator(whole).is_valid
    messages = [json.loads(example) for example in blocks(TEXT["docs/protocol.md"], "json")]

    assert [message for message in messages if not is_message(message)] == []
    for message in messages:
        assert not is_message(message | {"type": "no such"})
    assert not is_message({"type": "ack"})


def test_every_event_is_described() -> None:
    """One row a kind of event, in order."""
    described = re.findall(
        r"^\| `(\w+)` \|", TEXT["docs/protocol.md"].partition("## `/watch`")[2], re.MULTILINE
    )

    assert [kind.value for kind in EventKind] == sorted(
        described[: len(EventKind)], key=[kind.value for kind in EventKind].index
    )


def test_every_message_of_the_protocol_has_an_example_that_decodes() -> None:
    """Each JSON block is a message as the service's own types have it, with no field missing or unknown."""
    examples = blocks(TEXT["docs/protocol.md"], "json")
    decoded = []
    for example in examples:
        kind = msgspec.json.decode(example)["type"]
        sort = next(s for s in (ClientMessage, StreamMessage, WatchMessage) if kind in _tags(s))
        message = msgspec.json.decode(example, type=sort)
        assert msgspec.json.decode(example) == msgspec.json.decode(msgspec.json.encode(message))
        decoded.append(kind)

    assert {tag for sort in (ClientMessage, StreamMessage, WatchMessage) for tag in _tags(sort)} == set(
        decoded
    )


def _tags(union: object) -> set[str]:
    return {member.__struct_config__.tag for member in union.__args__}


def test_every_command_and_option_that_is_shown_exists() -> None:
    """`firstseen x --y` in any page is one the command line has."""
    root = get_command(command_line)
    context = typer.Context(root)
    wrong = []
    for name, text in TEXT.items():
        for line in re.findall(
            r"\bfirstseen ((?:train|replay|serve|demo|inspect|classify|watch|events"
            r"|(?:state|dlq|keys|webhooks|clusters) (?=[a-z]+\b(?![|]))[a-z]+)\b[^`\n]*)",
            text,
        ):
            words = line.split("#")[0].split()
            command = root.get_command(context, words[0])
            if isinstance(command, typer.core.TyperGroup):
                command = command.get_command(context, words[1])
                assert command is not None, line
            options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            wrong += [(name, line, word) for word in words if word.startswith("--") and word not in options]

    assert wrong == []


def test_every_command_is_in_the_readme() -> None:
    """What nobody can find might as well not be there."""
    commands = get_command(command_line).list_commands(typer.Context(get_command(command_line)))

    assert [command for command in commands if f"firstseen {command}" not in README] == []


def test_every_route_that_is_shown_is_in_the_schema() -> None:
    """Addresses in examples, and GET, POST and WS in prose."""
    app = create_app(Settings.read({}), digits.bundle(), on_fatal=lambda _: None)
    routes = {re.sub(r"\{\w+\}", "x", path) for path in app.openapi()["paths"]} | {
        "/docs",
        "/stream",
        "/watch",
        "/",
    }
    served = {getattr(route, "path", "") for route in _flat(app.routes)}
    shown = {
        re.sub(r"\{\w+\}", "x", path.split("?")[0])
        for text in TEXT.values()
        for path in [
            *re.findall(r"(?:localhost|127\.0\.0\.1):8765(/[\w/{}]*)", text),
            *re.findall(r"\b(?:GET|POST|WS) (/[\w/{}]+)", text),
        ]
    }

    assert {"/classify", "/clusters", "/info"} <= shown
    assert shown - routes == set()
    assert {"/stream", "/watch"} <= served


def _flat(routes: list[object]) -> Iterator[object]:
    """All routes, those of included routers too."""
    for route in routes:
        yield route
        router = getattr(route, "original_router", route)
        yield from _flat(list(getattr(router, "routes", [])))


@pytest.mark.slow
def test_the_examples_of_the_readme_run(forked: Callable[..., Serve], tmp_path: Path) -> None:
    """Each block that is marked is run as it stands, but for the port, against a running service."""
    examples = list(running_blocks(README))
    outputs = []
    with forked(digits.bundle_dir(), tmp_path) as service:
        port = service.ready().url.rpartition(":")[2]
        for language, code in examples:
            command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
            done = subprocess.run(
                [*command, code.replace("8765", port)],
                capture_output=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            outputs.append(done.stdout)

    assert ["bash", "bash", "python", "python"] == [language for language, _ in examples]
    answer, reads, verdicts, frames = outputs
    shown = msgspec.json.decode(blocks(README, "json")[0])
    assert list(msgspec.json.decode(answer)) == list(shown)
    assert msgspec.json.decode(answer)["id"] == shown["id"]
    assert '"state_hash"' in reads
    assert "firstseen_verdicts_total" in reads
    assert len(verdicts.splitlines()) == 20
    kinds = [msgspec.json.decode(line)["type"] for line in frames.splitlines()]
    assert kinds[:2] == ["welcome", "verdicts"]


def test_the_changelog_has_a_place_for_what_is_new() -> None:
    """Under Unreleased, or under a version."""
    sections = re.findall(r"^## \[(.+?)\]", TEXT["CHANGELOG.md"], re.MULTILINE)

    assert sections
    assert sections[0] == "Unreleased" or re.fullmatch(r"\d+\.\d+\.\d+", sections[0])


@pytest.mark.parametrize("name", NAMES)
def test_no_page_names_a_path_of_some_machine(name: str) -> None:
    """Not of a developer's, and not of a container's build."""
    assert re.findall(r"(?<![\w.])/(?:home|root|Users|work|tmp|opt)/\S*", TEXT[name]) == []


def test_the_picture_is_there_and_small() -> None:
    """Plain text, so that a change of it can be read."""
    svg = (ROOT / "docs" / "images" / "discovery.svg").read_text(encoding="utf-8")

    assert svg.startswith("<svg ")
    assert len(svg) < 40_000


def test_the_tests_of_documentation_read_it_as_code_does() -> None:
    """Python examples parse."""
    for text in TEXT.values():
        for code in blocks(text, "python"):
            ast.parse(code)
