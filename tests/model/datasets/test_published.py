import gzip
import hashlib
import struct
from pathlib import Path

import httpx
import pytest

from model.datasets.idx import FILES
from model.datasets.labelled import DataError
from model.datasets.published import Published, load_published

ADDRESS = "https://example.org/set/"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Four small IDX files, two classes, by their names without .gz."""
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 2, 2) + bytes(range(8))
    labels = struct.pack(">HBBI", 0, 8, 1, 2) + bytes([0, 1])
    return {name: images if "images" in name else labels for name in FILES}


@pytest.fixture(scope="module")
def zipped(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: gzip.compress(raw, mtime=0) for name, raw in files.items()}


@pytest.fixture(scope="module")
def published(zipped: dict[str, bytes]) -> Published:
    md5 = {name: hashlib.md5(raw, usedforsecurity=False).hexdigest() for name, raw in zipped.items()}
    return Published(address=ADDRESS, md5=md5, labels=("cat", "dog"))


class Server:
    """Serves the zipped files and remembers what was asked for."""

    def __init__(self, zipped: dict[str, bytes]) -> None:
        self.zipped = zipped
        self.asked: list[str] = []
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = str(request.url).removeprefix(ADDRESS).removesuffix(".gz")
        self.asked.append(name)
        return httpx.Response(200, content=self.zipped[name])


def test_absent_files_are_downloaded_once(
    tmp_path: Path, zipped: dict[str, bytes], published: Published
) -> None:
    """The first load fetches all four files, the second none; both give the same data."""
    server = Server(zipped)
    first = load_published("pets", published, tmp_path / "pets", client=server.client)
    second = load_published("pets", published, tmp_path / "pets", client=server.client)

    assert list(FILES) == server.asked
    assert (first.x == second.x).all()
    assert first.labels == ("cat", "dog")
    assert first.source == ADDRESS


def test_only_what_is_absent_is_downloaded(
    tmp_path: Path, files: dict[str, bytes], zipped: dict[str, bytes], published: Published
) -> None:
    """A file already there, zipped or not, is used as it is."""
    (tmp_path / f"{FILES[0]}.gz").write_bytes(zipped[FILES[0]])
    (tmp_path / FILES[1]).write_bytes(files[FILES[1]])
    server = Server(zipped)
    load_published("pets", published, tmp_path, client=server.client)

    assert list(FILES[2:]) == server.asked


def test_another_file_under_the_name_is_refused(
    tmp_path: Path, files: dict[str, bytes], zipped: dict[str, bytes], published: Published
) -> None:
    """A zipped file that is not the published one is named, with how to get the right one; it is kept."""
    other = gzip.compress(files[FILES[0]] + b"more", mtime=0)
    (tmp_path / f"{FILES[0]}.gz").write_bytes(other)

    with pytest.raises(DataError, match=f"{FILES[0]}.gz is not the published file.*Delete it"):
        load_published("pets", published, tmp_path, client=Server(zipped).client)
    assert other == (tmp_path / f"{FILES[0]}.gz").read_bytes()
