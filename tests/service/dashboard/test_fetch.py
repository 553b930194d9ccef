"""Fetching the libraries: the right bytes or none, once, and a clear word when it cannot be done."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from service.dashboard.fetch import CannotFetch, fetch, main, missing
from service.dashboard.libraries import Library


def archive_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return out.getvalue()


ARCHIVE = archive_of({"package/a.js": b"a", "package/evil/../../x.js": b"x", "package/LICENSE": b"free"})


def library(archive: bytes = ARCHIVE, version: str = "1.0.0", **files: str) -> Library:
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    return Library(
        name="thing.js",
        version=version,
        integrity=f"sha512-{digest}",
        files=files or {"package/a.js": "thing.js", "package/LICENSE": "LICENSE.txt"},
    )


def test_only_the_named_files(tmp_path: Path) -> None:
    """From the address of the version, into a folder of the version; no path of the archive is used."""
    asked: list[str] = []

    def get(url: str) -> bytes:
        asked.append(url)
        return ARCHIVE

    fetch(get, vendor=tmp_path / "v", libraries=(library(),), registry="https://mirror.example/npm/")

    assert ["https://mirror.example/npm/thing.js/-/thing.js-1.0.0.tgz"] == asked
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert ["v/thing-1.0.0/.integrity", "v/thing-1.0.0/LICENSE.txt", "v/thing-1.0.0/thing.js"] == found
    assert b"a" == (tmp_path / "v/thing-1.0.0/thing.js").read_bytes()


def test_once(tmp_path: Path) -> None:
    """What is there is not asked for again; what is half there is."""
    asked: list[str] = []

    def get(url: str) -> bytes:
        asked.append(url)
        return ARCHIVE

    for _ in range(2):
        fetch(get, vendor=tmp_path, libraries=(library(),))
    assert 1 == len(asked)
    (tmp_path / "thing-1.0.0/thing.js").unlink()
    fetch(get, vendor=tmp_path, libraries=(library(),))

    assert 2 == len(asked)
    assert () == missing(tmp_path, (library(),))


def test_another_version_takes_the_place_of_the_old(tmp_path: Path) -> None:
    """Nothing is left that nobody asks for."""
    fetch(lambda _: ARCHIVE, vendor=tmp_path, libraries=(library(),))
    fetch(lambda _: ARCHIVE, vendor=tmp_path, libraries=(library(version="2.0.0"),))

    assert ["thing-2.0.0"] == [p.name for p in tmp_path.iterdir()]


def test_wrong_bytes_are_not_written(tmp_path: Path) -> None:
    """One byte is enough."""
    with pytest.raises(CannotFetch, match=r"is not thing\.js 1\.0\.0 as it was published"):
        fetch(lambda _: ARCHIVE + b"\0", vendor=tmp_path, libraries=(library(),))

    assert [] == list(tmp_path.iterdir())


def test_a_file_that_is_not_in_it(tmp_path: Path) -> None:
    """Our table is wrong then, and nothing counts as fetched."""
    wrong = library(ARCHIVE, **{"package/b.js": "b.js"})
    with pytest.raises(CannotFetch, match="This is a bug in firstseen"):
        fetch(lambda _: ARCHIVE, vendor=tmp_path, libraries=(wrong,))

    assert (wrong,) == missing(tmp_path, (wrong,))


def test_without_a_network(tmp_path: Path) -> None:
    """It says what to do, and what goes on without it."""

    def get(_: str) -> bytes:
        raise OSError("Network is unreachable")

    with pytest.raises(CannotFetch, match=r"Network is unreachable.*--registry"):
        fetch(get, vendor=tmp_path, libraries=(library(),))


def test_a_registry_that_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command ends with 1 and one sentence."""
    monkeypatch.setattr(
        "service.dashboard.fetch.fetch.__kwdefaults__", {**fetch.__kwdefaults__, "vendor": tmp_path}
    )

    assert 1 == main(["--registry", "file:///etc"])
    assert "https://" in capsys.readouterr().err
