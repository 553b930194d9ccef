"""`firstseen state` as a person types it: on the folder of a service that was stopped, on one that runs, on none."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from model.bundle import Bundle
from service.cli import main as cli
from service.settings import Settings
from service.state.embedded import EmbeddedServer
from service.state.keys import Keys
from service.state.store import connect
from tests.service import digits
from tests.service.inside import running

runner = CliRunner()
ITEMS = digits.many("cli", 60)

Lived = tuple[Path, list[dict[str, Any]], str]
"""Folder, verdicts, hash of the state."""


def classify(url: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = httpx.post(
        f"{url}/classify", json={"items": items}, trust_env=False, timeout=30
    ).raise_for_status()
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def state_hash(url: str) -> str:
    found: str = httpx.get(f"{url}/info", trust_env=False, timeout=60).json()["state_hash"]
    return found


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The folder of a service that was stopped, its verdicts, and the hash of its state."""
    folder = tmp_path_factory.mktemp("state") / "data"
    settings = Settings.read({}, data_dir=folder, snapshot_every_items=20)
    with running(settings, digits.bundle()) as service:
        verdicts = classify(service.url, ITEMS[:30]) + classify(service.url, ITEMS[30:])
        found = state_hash(service.url)
    return folder, verdicts, found


def ask(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """The JSON of a command."""
    words = [str(word) for word in arguments]
    answer = runner.invoke(cli.app, ["state", words[0], str(digits.bundle_dir()), *words[1:], "--json"])
    assert status == answer.exit_code, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> str:
    """What a command that cannot be carried out says, on one line."""
    words = [str(word) for word in arguments]
    monkeypatch.setattr(sys, "argv", ["firstseen", "state", words[0], str(digits.bundle_dir()), *words[1:]])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert 1 == ended.value.code
    return " ".join(capsys.readouterr().err.split())


async def put(folder: Path, key: str) -> None:
    """A key that should not be there."""
    async with EmbeddedServer(folder) as server:
        client = connect(server.socket)
        await client.set(key, "?")
        await client.aclose()


@pytest.mark.parametrize("command", ["verify", "export", "import", "snapshot"])
def test_help(command: str) -> None:
    """Every command explains itself, with an example."""
    answer = runner.invoke(cli.app, ["state", command, "--help"])

    assert 0 == answer.exit_code
    assert f"Example: firstseen state {command}" in " ".join(answer.stdout.split())


def test_verify(lived: Lived) -> None:
    """Sound, and the hash is what the service said."""
    folder, _, live = lived
    found = ask("verify", "--data-dir", folder)

    assert (True, 61, live) == (found["ok"], found["seq"], found["state_hash"])
    assert {"log", "replay", "verdicts", "ids", "snapshots"} <= {check["name"] for check in found["checks"]}


def test_verify_for_people(lived: Lived) -> None:
    """One line a check, and the state at the end."""
    folder, _, live = lived
    answer = runner.invoke(cli.app, ["state", "verify", str(digits.bundle_dir()), "--data-dir", str(folder)])

    assert re.search(r"✓ log +\d+ entries", answer.stdout)
    assert answer.stdout.rstrip().endswith(f"sound; state {live}")


def test_round_trip(lived: Lived, tmp_path: Path, digits_bundle: Bundle) -> None:
    """Export, import elsewhere, snapshot, serve: every id has its verdict, and the state its hash."""
    folder, verdicts, live = lived
    file, copy = tmp_path / "digits.fsar", tmp_path / "copy"
    exported = ask("export", "--data-dir", folder, "--out", file)
    again = tmp_path / "again.fsar"
    ask("export", "--data-dir", folder, "--out", again)
    imported = ask("import", file, "--data-dir", copy)
    saved = ask("snapshot", "--data-dir", copy)
    checked = ask("verify", "--data-dir", copy)
    with running(Settings.read({}, data_dir=copy), digits_bundle) as service:
        assert live == state_hash(service.url)
        assert verdicts == classify(service.url, ITEMS)
        assert live == state_hash(service.url)

    assert file.read_bytes() == again.read_bytes()
    assert file.stat().st_size == exported["bytes"]
    assert (60, 61) == (exported["ids"], exported["seq"])
    assert exported["epoch"] < imported["epoch"]
    assert (True, live) == (imported["verified"]["ok"], imported["verified"]["state_hash"])
    assert 61 == saved["seq"]
    assert saved.keys() == {"seq", "size", "replayed", "trimmed", "seconds"}
    assert (True, live) == (checked["ok"], checked["state_hash"])


def test_another_name(lived: Lived, tmp_path: Path) -> None:
    """`--stream` names the copy; two streams live in one folder."""
    folder, _, live = lived
    file, copy = tmp_path / "digits.fsar", tmp_path / "copy"
    ask("export", "--data-dir", folder, "--out", file)
    ask("import", file, "--data-dir", copy)
    ask("import", file, "--data-dir", copy, "--stream", "second")

    assert live == ask("verify", "--data-dir", copy, "--stream", "second")["state_hash"]


def test_a_service_that_runs(
    tmp_path: Path,
    digits_bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its folder is its own, and through its socket it is verified and exported while it serves."""
    folder = tmp_path / "data"
    with running(Settings.read({}, data_dir=folder), digits_bundle) as service:
        classify(service.url, ITEMS[:20])
        told = refused(monkeypatch, capsys, "verify", "--data-dir", folder)
        url = re.search(r"--redis-url (unix://\S+)", told)
        assert url is not None, told
        live = ask("verify", "--redis-url", url[1])
        ask("export", "--redis-url", url[1], "--out", tmp_path / "live.fsar")
        held = refused(monkeypatch, capsys, "snapshot", "--redis-url", url[1])
        assert live["state_hash"] == state_hash(service.url)

    assert "is in use by process" in told
    assert "saves by itself" in held
    assert (tmp_path / "live.fsar").is_file()


class TestRefused:
    def test_no_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A folder without state is named, and not made."""
        told = refused(monkeypatch, capsys, "verify", "--data-dir", tmp_path / "none")

        assert f"There is no state in {tmp_path / 'none'}" in told
        assert not (tmp_path / "none").exists()

    def test_no_such_stream(
        self,
        lived: Lived,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Those that are there are listed, and none is made."""
        for command in ("verify", "snapshot"):
            told = refused(monkeypatch, capsys, command, "--data-dir", lived[0], "--stream", "other")
            assert "There is no stream other here. There is: default (of bundle " in told

    def test_an_import_that_has_not_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What it left is not taken for a stream."""
        keys = Keys("default", digits.bundle().manifest.bundle_id)
        asyncio.run(put(tmp_path, keys.staged(keys.head, "t")))

        assert "an import into it has not ended" in refused(
            monkeypatch, capsys, "verify", "--data-dir", tmp_path
        )

    def test_another_bundle(
        self,
        lived: Lived,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """The bundle that it is of is named."""
        arguments = ["state", "verify", str(digits.variant_dir()), "--data-dir", str(lived[0])]
        monkeypatch.setattr(sys, "argv", ["firstseen", *arguments])
        with pytest.raises(SystemExit):
            cli.main()

        assert digits.bundle().manifest.bundle_id in capsys.readouterr().err

    def test_files(
        self,
        lived: Lived,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """One that is there is not replaced; one that is cut is not imported, and makes no folder; none is none."""
        folder, copy = lived[0], tmp_path / "copy"
        file, cut = tmp_path / "digits.fsar", tmp_path / "cut.fsar"
        ask("export", "--data-dir", folder, "--out", file)
        cut.write_bytes(file.read_bytes()[:-30])

        assert "--force" in refused(monkeypatch, capsys, "export", "--data-dir", folder, "--out", file)
        assert "The file is cut" in refused(monkeypatch, capsys, "import", cut, "--data-dir", copy)
        assert "There is no file" in refused(monkeypatch, capsys, "import", "no.fsar", "--data-dir", copy)
        assert not copy.exists()
        ask("export", "--data-dir", folder, "--out", file, "--force")
        assert "is not empty: there is " in refused(monkeypatch, capsys, "import", file, "--data-dir", folder)

    def test_two_places(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """The state is in one of them."""
        told = refused(monkeypatch, capsys, "verify", "--data-dir", "x", "--redis-url", "redis://y")

        assert "not both" in told


def test_a_folder_that_is_asked_for_wins(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a Redis in the environment."""
    monkeypatch.setenv("FIRSTSEEN_REDIS_URL", "redis://nowhere.invalid")

    assert ask("verify", "--data-dir", lived[0])["ok"]


def test_what_is_no_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A head that is no head: verify says so as it says all, the others refuse."""
    asyncio.run(put(tmp_path, Keys("default", digits.bundle().manifest.bundle_id).head))
    found = ask("verify", "--data-dir", tmp_path, status=1)
    told = refused(monkeypatch, capsys, "export", "--data-dir", tmp_path, "--out", tmp_path / "x.fsar")

    assert ["keys"] == [check["name"] for check in found["checks"]]
    assert "is a string, which firstseen never writes" in told


def test_damage(lived: Lived, tmp_path: Path) -> None:
    """Exit status 1, and the check that failed; for people with a cross."""
    file, copy = tmp_path / "digits.fsar", tmp_path / "copy"
    ask("export", "--data-dir", lived[0], "--out", file)
    ask("import", file, "--data-dir", copy)

    asyncio.run(put(copy, "fs:{default}:bundle2"))
    found = ask("verify", "--data-dir", copy, status=1)
    answer = runner.invoke(cli.app, ["state", "verify", str(digits.bundle_dir()), "--data-dir", str(copy)])

    assert ["keys"] == [check["name"] for check in found["checks"] if check["outcome"] == "failed"]
    assert 1 == answer.exit_code
    assert "✗ keys       fs:{default}:bundle2 should not be there" in answer.stdout
    assert "NOT sound: 1 of 14 checks failed" in answer.stdout
