"""Every example of docs/http.md is run as it stands, but for the port, and gets verdicts, or what its part is about."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.api.formats.table import BODY_FORMS
from tests.service.inside import Inside

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^## ([^\n]+)\n|^```(bash|python)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


SHOWN = {
    "Compression": "results",
    "What a dashboard draws": "cursor",
    "Clusters and decisions": "decisions",
    "The stream as a table": "labelled_by",
}
"""What examples print that give no verdict."""


def titled() -> list[tuple[str, str, str]]:
    """(title of its part, language, code) of each example."""
    found, title = [], ""
    for heading, language, code in EXAMPLES:
        title = heading or title
        if code:
            found.append((title, language, code))
    return found


@pytest.mark.parametrize(("title", "language", "code"), titled(), ids=lambda value: str(value)[:20])
def test_example(service: Inside, title: str, language: str, code: str) -> None:
    """It ends well, and what it prints has a verdict in it, or what its part is about."""
    command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
    done = subprocess.run(
        [*command, code.replace("8765", str(service.port))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert "/problems/" not in done.stdout
    assert SHOWN.get(title, "novelty") in done.stdout, done.stdout
    if title == "Lines":
        assert 3 == len(done.stdout.splitlines())


@pytest.mark.parametrize("form", BODY_FORMS, ids=lambda form: form.media_type)
def test_every_form_has_its_place(form: object) -> None:
    """By all its names."""
    for name in (form.media_type, *form.aliases):  # type: ignore[attr-defined]
        assert f"`{name}`" in PAGE
