import hashlib
from pathlib import Path

import httpx
import pytest

from model.datasets.labelled import DataError
from model.datasets.published_file import PublishedFile, obtain

CONTENT = b"forty-two"
FILE = PublishedFile(
    name="a.txt",
    address="https://example.org/a.txt",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    repacked=(hashlib.sha256(b"packed anew").hexdigest(),),
)


def client(content: bytes | None) -> httpx.Client:
    """A server with that content, or none that can be reached."""

    def answer(request: httpx.Request) -> httpx.Response:
        if content is None:
            raise httpx.ConnectError(f"{request.url} must not be asked for")
        return httpx.Response(200, content=content)

    return httpx.Client(transport=httpx.MockTransport(answer))


def test_what_is_absent_is_fetched_once(tmp_path: Path) -> None:
    """Then it is there."""
    first = obtain(FILE, tmp_path / "set", client=client(CONTENT))
    again = obtain(FILE, tmp_path / "set", client=client(None))

    assert tmp_path / "set" / "a.txt" == first == again
    assert CONTENT == first.read_bytes()


def test_the_same_content_in_another_archive_will_do(tmp_path: Path) -> None:
    """One that is known."""
    (tmp_path / "a.txt").write_bytes(b"packed anew")

    assert obtain(FILE, tmp_path, client=client(None)).exists()


def test_another_file_is_refused_and_kept(tmp_path: Path) -> None:
    """From the disk, with what to do; from the net, with what arrived."""
    (tmp_path / "a.txt").write_bytes(b"mine")

    with pytest.raises(DataError, match=r"a\.txt is not the published file.*Delete it"):
        obtain(FILE, tmp_path, client=client(None))
    assert b"mine" == (tmp_path / "a.txt").read_bytes()
    with pytest.raises(DataError, match="what arrived has the SHA-256"):
        obtain(FILE, tmp_path / "new", client=client(b"other"))
