"""The client as a package: what it needs, and that its page tells the truth."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import service.client as package
from service.client import Client
from tests.service import digits
from tests.service.inside import Inside

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

_BARE = """
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in "torch numpy sklearn scipy numba redis model fastapi pydantic".split():
            raise ImportError(f"{name} is not there")


sys.meta_path.insert(0, Blocker())
from service.client import AsyncClient, Client, StreamClient

with Client(sys.argv[1]) as client:
    x = client.info().input["example"]
    print(client.classify_one({"id": "bare", "x": x}).id)
    print([answer.id for answer in client.stream([{"id": f"bare-{n}", "x": x} for n in range(3)])])
    print(type(next(client.watch())).__name__)
"""


def run(code: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTSEEN_")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**environ, "PYTHONPATH": str(ROOT), **environment},
    )


def test_it_needs_nothing_of_what_the_service_is_made_of(service: Inside) -> None:
    """No torch, numpy, scikit-learn, numba, redis: classify, stream and watch work where they are not installed."""
    ended = run(_BARE, service.url)

    assert 0 == ended.returncode, ended.stderr
    assert ["bare", "['bare-0', 'bare-1', 'bare-2']", "Clusters"] == ended.stdout.splitlines()


def test_all_names_are_there() -> None:
    """And sorted."""
    assert sorted(package.__all__) == package.__all__
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.parametrize("n", range(len(EXAMPLES)))
def test_the_examples_of_the_page_run(service: Inside, tmp_path: Path, n: int) -> None:
    """Each by itself, as it stands but for the address."""
    code = EXAMPLES[n].replace("http://127.0.0.1:8765", service.url)
    (tmp_path / "digits.jsonl").write_text("\n".join(str(digits.raw(k)) for k in range(5)) + "\n")
    ended = run(f"import os; os.chdir({str(tmp_path)!r})\n{code}")

    assert 0 == ended.returncode, f"{code}\n{ended.stderr}"


def test_the_page_names_all_there_is() -> None:
    """Every public name, and every call of the client."""
    calls = [name for name in vars(Client) if not name.startswith("_")]

    assert [name for name in [*package.__all__, *calls] if f"`{name}" not in PAGE] == []
    assert all(ast.parse(example) for example in EXAMPLES)
