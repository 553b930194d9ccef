"""`firstseen dlq` against a running service: what a person reads, what a program reads, and what goes wrong."""

import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.access.rights import Scope
from service.cli import dlq as cli_dlq
from service.cli import main as cli
from service.settings import Settings
from tests.service import digits
from tests.service.crashing import WHITE, Crashing, fragile
from tests.service.inside import Inside, running
from tests.service.keyed import key_of, put

_numbers = itertools.count()


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Inside, Crashing]]:
    with fragile() as both:
        yield both


@pytest.fixture
def odd() -> str:
    """An id that is hard to print, hard to put into an address, and no other test's."""
    return f"a/b?c=\x1b[31m{next(_numbers)}"


@pytest.fixture
def url(both: tuple[Inside, Crashing], odd: str) -> Iterator[str]:
    """The service with one item in quarantine."""
    inside, net = both
    with httpx.Client(base_url=inside.url, trust_env=False, timeout=60) as http:
        assert 422 == http.post("/classify", json={"id": odd, "x": WHITE}).status_code
        yield inside.url
        http.delete("/dlq", params={"all": "true"})
    net.is_mended = False


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `firstseen dlq ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["firstseen", "dlq", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str) -> None:
    """A line an item, with nothing in it that drives a terminal."""
    status = run(monkeypatch, "list", "--url", url)
    shown = capsys.readouterr().out

    assert 0 == status
    assert r"a/b?c=\x1b[31m" in shown
    assert "ZeroDivisionError: the darkest pixel" in shown
    assert "256" in shown
    assert "\x1b" not in shown


def test_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, odd: str
) -> None:
    """For programs, the id as it is."""
    assert 0 == run(monkeypatch, "list", "--json", "--url", url)
    shown = capsys.readouterr().out
    (letter,) = json.loads(shown[shown.index("{\n") :])["items"]  # behind what the service logs

    assert odd == letter["id"]


def test_retry(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    odd: str,
    both: tuple[Inside, Crashing],
) -> None:
    """Exits 1 while it crashes the engine; once mended prints the verdict."""
    assert 1 == run(monkeypatch, "retry", odd, "--url", url)
    assert "in quarantine" in capsys.readouterr().err
    both[1].is_mended = True
    assert 0 == run(monkeypatch, "retry", odd, "--url", url)
    assert "seq" in capsys.readouterr().out
    assert 0 == run(monkeypatch, "list", "--url", url)
    assert "Nothing is in quarantine." in capsys.readouterr().out


def test_drop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, odd: str
) -> None:
    """One, or all; what is not there is said."""
    assert 0 == run(monkeypatch, "drop", odd, "--url", url)
    assert "Dropped 1 item." in capsys.readouterr().out
    assert 1 == run(monkeypatch, "drop", odd, "--url", url)
    assert "There is no item" in capsys.readouterr().err
    assert 0 == run(monkeypatch, "drop", "--all", "--url", url)
    assert "Dropped 0 items." in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("drop",), ("drop", "a", "--all"), ("retry",)])
def test_asked_wrongly(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    """An item, or all: exit status 2."""
    assert 2 == run(monkeypatch, *arguments)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1", "firstseen serve"),
        ("127.0.0.1", "give one like http://127.0.0.1:8765"),
    ],
)
def test_no_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, message: str
) -> None:
    """One line that says what to do, and exit status 1."""
    assert 1 == run(monkeypatch, "list", "--url", url)
    assert message in " ".join(capsys.readouterr().err.split())


def test_something_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], both: tuple[Inside, Crashing]
) -> None:
    """What answers, but is no firstseen, or not at this path, is named."""
    assert 1 == run(monkeypatch, "list", "--url", f"{both[0].url}/docs")
    assert "/docs" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "retry", "drop"])
def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Every command explains itself, and states its default address."""
    assert 0 == run(monkeypatch, command, "--help")
    assert "http://127.0.0.1:8765" in capsys.readouterr().out


def test_other_items_are_not_touched(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Dropping all forgets no verdict."""
    verdict = httpx.post(f"{url}/classify", json={"id": "good", "x": digits.raw()}, trust_env=False).json()
    assert 0 == run(monkeypatch, "drop", "--all", "--url", url)

    again = httpx.post(f"{url}/classify", json={"id": "good", "x": digits.raw()}, trust_env=False).json()
    assert verdict == again


def test_letters_are_read_page_by_page() -> None:
    """However many there are."""
    pages = {
        "": {"items": [{"id": "a"}], "next": "a"},
        "a": {"items": [{"id": "b"}], "next": "b"},
        "b": {"items": [{"id": "c"}], "next": None},
    }

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=pages[request.url.params["after"]])

    with httpx.Client(transport=httpx.MockTransport(handler), base_url="http://service") as service:
        assert ["a", "b", "c"] == [letter["id"] for letter in cli_dlq._letters(service)]


def test_a_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the service needs one it is told how; with one, as an option or in the environment, it does its work."""
    key, text = key_of(scopes=frozenset({Scope.ADMIN}))
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        put(Path(folder), key)
        with running(Settings.read({}, data_dir=Path(folder)), digits.bundle()) as inside:
            assert 1 == run(monkeypatch, "list", "--url", inside.url)
            assert "firstseen keys add" in capsys.readouterr().err
            assert 0 == run(monkeypatch, "list", "--url", inside.url, "--api-key", text)
            assert 1 == run(monkeypatch, "list", "--url", inside.url, "--api-key", text[:-1])
            assert "copy it whole" in capsys.readouterr().err
            monkeypatch.setenv("FIRSTSEEN_API_KEY", text)
            assert 0 == run(monkeypatch, "drop", "--all", "--url", inside.url)
            assert "Dropped 0 items." in capsys.readouterr().out
