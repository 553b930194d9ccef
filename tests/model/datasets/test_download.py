import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from model.datasets.download import download, file_digest, file_md5
from model.datasets.labelled import DataError

ADDRESS = "https://example.org/set/images.gz"
CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer))


class BrokenStream(httpx.SyncByteStream):
    """A connection that dies half way."""

    def __iter__(self) -> Iterator[bytes]:
        yield CONTENT[:1000]
        raise httpx.ReadError("connection reset by peer")


def unreachable(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route to host")


def test_a_file_arrives_whole(tmp_path: Path) -> None:
    """The folder is made, the bytes are those sent, and no temporary file stays."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url)))
        return httpx.Response(200, content=CONTENT)

    with client(answer) as http:
        download(ADDRESS, tmp_path / "new" / "images.gz", md5=MD5, client=http)

    assert asked == [("GET", ADDRESS)]
    assert (tmp_path / "new" / "images.gz").read_bytes() == CONTENT
    assert [tmp_path / "new" / "images.gz"] == list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda _: httpx.Response(404), "404"),
        (lambda _: httpx.Response(500), "500"),
        (lambda _: httpx.Response(200, stream=BrokenStream()), "connection reset by peer"),
        (lambda _: httpx.Response(200, content=CONTENT[:-1]), "MD5"),
        (lambda _: httpx.Response(200, content=b""), "MD5"),
        (unreachable, "no route to host"),
    ],
)
def test_a_failed_download_says_what_to_do_by_hand(
    tmp_path: Path, answer: Callable[[httpx.Request], httpx.Response], problem: str
) -> None:
    """Whatever fails, the message has the address, the cause and the folder, and nothing is left behind."""
    with client(answer) as http, pytest.raises(DataError, match=problem) as refused:
        download(ADDRESS, tmp_path / "set" / "images.gz", md5=MD5, client=http)

    assert str(refused.value).startswith(f"{ADDRESS} could not be downloaded: ")
    assert f"put it into the folder {tmp_path / 'set'} as images.gz." in str(refused.value)
    assert list((tmp_path / "set").iterdir()) == []


def test_a_sha256_will_do_as_well(tmp_path: Path) -> None:
    """A publisher without a checksum of its own is believed by ours, and by nothing less."""
    with client(lambda _: httpx.Response(200, content=CONTENT)) as http:
        download(ADDRESS, tmp_path / "images.gz", sha256=SHA256, client=http)
        with pytest.raises(DataError, match=f"has the SHA-256 {SHA256}, not {'0' * 64}"):
            download(ADDRESS, tmp_path / "other.gz", sha256="0" * 64, client=http)

    assert SHA256 == file_digest(tmp_path / "images.gz", "sha256")
    assert not (tmp_path / "other.gz").exists()


def test_a_failed_download_keeps_what_was_there(tmp_path: Path) -> None:
    """An older file under the same name is only replaced by a whole one."""
    (tmp_path / "images.gz").write_bytes(b"older")

    with client(lambda _: httpx.Response(200, content=b"junk")) as http, pytest.raises(DataError):
        download(ADDRESS, tmp_path / "images.gz", md5=MD5, client=http)
    assert (tmp_path / "images.gz").read_bytes() == b"older"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """When the data folder is a file, the message asks for another folder."""
    (tmp_path / "data").write_text("precious")

    with (
        client(unreachable) as http,
        pytest.raises(DataError, match=r"cannot be written.*Choose a data folder"),
    ):
        download(ADDRESS, tmp_path / "data" / "images.gz", md5=MD5, client=http)


def test_the_checksum_of_a_file_is_its_md5(tmp_path: Path) -> None:
    """The MD5 of nothing is the known one, and a long file is read whole."""
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_bytes(CONTENT)

    assert file_md5(tmp_path / "empty") == "d41d8cd98f00b204e9800998ecf8427e"
    assert file_md5(tmp_path / "full") == MD5
