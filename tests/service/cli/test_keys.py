"""`firstseen keys`: what a person reads, what a program reads, beside a service and without one."""

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.tokens import PATTERN, read_token
from service.cli import main as cli
from service.cli.keys import seconds
from service.settings import Settings
from tests.service import digits
from tests.service.inside import running
from tests.service.keyed import looked_up_often
from tests.service.waiting import until

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fs-") as made:
        yield Path(made)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> Run:
    """Exit status, standard output and standard error of `firstseen keys ARGUMENTS`."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["firstseen", "keys", *arguments, "--data-dir", str(folder)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        assert isinstance(code, int)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def keys(run: Run) -> dict[str, dict[str, Any]]:
    """By id, as programs see them."""
    code, out, _ = run("list", "--json")
    assert 0 == code
    return {key["id"]: key for key in json.loads(out)["keys"]}


def test_add(run: Run) -> None:
    """The key alone is on standard output, and is shown this once; the list has everything else."""
    code, out, err = run(
        "add", "--scopes", "ingest", "--streams", "line-*", "--note", "line\x1b[31m 3", "--expires", "90d"
    )
    assert 0 == code
    assert re.fullmatch(PATTERN, out.strip())
    assert "shown this once" in err
    id = read_token(out.strip()).id
    _, shown, _ = run("list")
    key = keys(run)[id]

    assert id in shown
    assert out.strip()[12:] not in shown + json.dumps(key)
    assert "\x1b" not in shown
    assert (["ingest"], ["line-*"], "valid", None) == (
        key["scopes"],
        key["streams"],
        key["state"],
        key["last_used"],
    )
    assert key["expires"] > key["created"]


def test_defaults_and_json(run: Run) -> None:
    """It may send and read, everywhere and for ever; for programs, with the key."""
    _, out, _ = run(
        "add", "--json", "--items-per-s", "5", "--burst", "9", "--connections", "2", "--new-streams", "0"
    )
    told = json.loads(out)

    assert told["key"].startswith(f"fs_{told['id']}_")
    assert (["ingest", "read"], ["*"], None) == (told["scopes"], told["streams"], told["expires"])
    assert (5.0, 9, 2, 0) == (told["items_per_s"], told["burst"], told["connections"], told["new_streams"])


def test_revoke(run: Run) -> None:
    """It stays in the list as revoked, and can be forgotten."""
    _, out, _ = run("add")
    id = read_token(out.strip()).id
    assert 0 == run("revoke", id)[0]
    assert "revoked" == keys(run)[id]["state"]
    code, _, err = run("rotate", id)
    assert (1, True) == (code, "is revoked" in err)
    assert 0 == run("revoke", id, "--forget")[0]

    assert {} == keys(run)
    assert "There is no key." in run("list")[1]


def test_rotate(run: Run) -> None:
    """The new one may do the same, with the same lifetime; the old one works on for as long as was asked."""
    _, out, _ = run(
        "add", "--scopes", "curate", "--streams", "a,b", "--expires", "10d", "--items-per-s", "3", "--json"
    )
    old = json.loads(out)
    _, out, _ = run("rotate", old["id"], "--overlap", "12h", "--json")
    new = json.loads(out)
    listed = keys(run)

    assert old["id"] == new["replaces_family"] == listed[new["id"]]["replaces_family"]
    assert old["key"] != new["key"]
    same = ("scopes", "streams", "items_per_s")
    assert [old[name] for name in same] == [new[name] for name in same]
    assert listed[old["id"]]["expires"] < old["expires"] <= new["expires"]
    assert {"valid"} == {key["state"] for key in listed.values()}
    run("rotate", new["id"], "--overlap", "0s")
    assert "expired" == keys(run)[new["id"]]["state"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "--scopes", "write"), "ingest, read, curate, admin"),
        (("add", "--streams", "a b"), "letters, digits"),
        (("add", "--expires", "soon"), "like 90d or 12h"),
        (("add", "--burst", "3"), "--items-per-s"),
        (("add", "--note", "x" * 201), "200 characters"),
        (("rotate", "x", "--overlap", "-1d"), "like 90d"),
        (("add", "--redis-url", "redis://x"), "not both"),
    ],
)
def test_asked_wrongly(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """One message that says what to send, and nothing is made."""
    code, out, err = run(*arguments)

    assert code in (1, 2)
    assert said in re.sub(r"[\s│]+", " ", err)
    assert out == ""


def test_no_such_key(run: Run) -> None:
    """It is told which was meant, or where to look."""
    _, out, _ = run("add")
    id = read_token(out.strip()).id

    for command in ("revoke", "rotate"):
        assert (1, True) == (run(command, id[:4])[0], f"Did you mean {id}?" in run(command, id[:4])[2])
        assert "firstseen keys list" in run(command, "zzzz")[2]
    assert out.strip() not in run("revoke", out.strip())[2], "a whole key is not repeated"


def test_no_state(run: Run) -> None:
    """Where nothing was ever kept, there is nothing to list; nothing is made for that."""
    code, _, err = run("list")

    assert 1 == code
    assert "There is no state" in err


def test_beside_a_service(run: Run, folder: Path) -> None:
    """Through its socket: the first key closes an open service, and its use is seen."""
    with (
        looked_up_often(),
        running(Settings.read({}, data_dir=folder), digits.bundle()) as inside,
        httpx.Client(base_url=inside.url, trust_env=False) as http,
    ):
        assert 200 == http.get("/info").status_code
        code, out, _ = run("add", "--json")
        told = json.loads(out[out.index("{\n") :])  # behind what the service logs
        assert 0 == code
        until(lambda: http.get("/info").status_code == 401, "a key is needed")
        mine = {"authorization": f"Bearer {told['key']}"}
        assert 200 == http.get("/info", headers=mine).status_code
        stored = inside.app.state.context.access.keyring
        until(lambda: stored._stored.used.get(told["id"]), "its use is written")
        run("revoke", told["id"])
        until(lambda: http.get("/info", headers=mine).status_code == 401, "it has ended")


@given(st.text(max_size=8) | st.from_regex(r"[0-9]{1,6}[smhdw]", fullmatch=True))
def test_lengths_of_time(text: str) -> None:
    """A number and a unit, and nothing else."""
    try:
        found = seconds(text)
    except ValueError as wrong:
        assert "like 90d" in str(wrong)  # noqa: PT017 - either may happen
    else:
        assert (
            found
            == int(text.strip()[:-1])
            * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[text.strip()[-1]]
        )
