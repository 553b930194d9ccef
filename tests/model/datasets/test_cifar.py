"""CIFAR-10: the published archive and arrays of it, made small here."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import httpx
import numpy as np
import pytest

from model.datasets import DataError
from model.datasets.cifar import ADDRESS, LABELS, MEMBERS, load_cifar10, read_archive

ARCHIVE = "cifar-10-binary.tar.gz"


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, raw in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


def batches() -> dict[str, bytes]:
    """Twelve records, two a file: classes 0, 1, ... and a red first pixel that tells them apart."""
    records = np.zeros((12, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(12) % 10
    records[:, 1] = np.arange(12)
    return {name: records[2 * i : 2 * i + 2].tobytes() for i, name in enumerate(MEMBERS)}


def client(raw: bytes | None = None) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        assert raw is not None, f"{request.url} must not be asked for"
        assert str(request.url) == ADDRESS
        return httpx.Response(200, content=raw)

    return httpx.Client(transport=httpx.MockTransport(answer))


def md5(raw: bytes) -> str:
    return hashlib.md5(raw, usedforsecurity=False).hexdigest()


def test_the_archive_is_downloaded_once(tmp_path: Path) -> None:
    """The first load fetches it, the second does not ask; files are in their order."""
    raw = archive(dict(reversed(batches().items())))
    first = load_cifar10(tmp_path / "cifar10", client=client(raw), md5=md5(raw))
    again = load_cifar10(tmp_path / "cifar10", client=client(), md5=md5(raw))

    assert first.x[:, 0, 0, 0].tolist() == list(range(12))
    assert first.x.shape == (12, 3, 32, 32)
    assert first.labels == LABELS
    np.testing.assert_array_equal(first.x, again.x)


def test_another_archive_is_refused(tmp_path: Path) -> None:
    """A file under the archive's name that is not the published one is named."""
    (tmp_path / ARCHIVE).write_bytes(archive(batches()))

    with pytest.raises(DataError, match="is not the published file"):
        load_cifar10(tmp_path, client=client())


def test_arrays_are_used_as_they_are(tmp_path: Path) -> None:
    """An .npz in the folder wins; its classes get their usual names."""
    np.savez(
        tmp_path / "part.npz",
        x_train=np.zeros((3, 32, 32, 3), dtype=np.uint8),
        y_train=[3, 5, 3],
        x_test=np.full((1, 32, 32, 3), 255, dtype=np.uint8),
        y_test=[0],
    )
    data = load_cifar10(tmp_path, client=client())

    assert data.input.shape == (3, 32, 32)
    assert [data.labels[k] for k in data.y] == ["cat", "dog", "cat", "airplane"]


def test_two_files_of_arrays_are_one_too_many(tmp_path: Path) -> None:
    """Which is meant is not guessed."""
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", x=np.zeros((1, 32, 32, 3)), y=[1])

    with pytest.raises(DataError, match=r"has 2 \.npz files"):
        load_cifar10(tmp_path, client=client())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"test_batch.bin": b"123"}, r"has test_batch\.bin of 3 bytes"),
        ({"test_batch.bin": bytes([10]) + bytes(3072)}, "has a class 10"),
        ({"test_batch.bin": None}, r"has no test_batch\.bin"),
    ],
)
def test_a_broken_archive_is_named(tmp_path: Path, change: dict[str, bytes | None], problem: str) -> None:
    """What does not fit is said."""
    files = {name: raw for name, raw in (batches() | change).items() if raw is not None}
    (tmp_path / ARCHIVE).write_bytes(archive(files))

    with pytest.raises(DataError, match=problem):
        read_archive(tmp_path / ARCHIVE)


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    """Half of it is refused."""
    raw = archive(batches())
    (tmp_path / ARCHIVE).write_bytes(raw[: len(raw) // 2])

    with pytest.raises(DataError, match="cannot be read"):
        read_archive(tmp_path / ARCHIVE)


@pytest.mark.skipif("FIRSTSEEN_DATA" not in os.environ, reason="needs CIFAR-10: set FIRSTSEEN_DATA")
def test_the_real_arrays_load() -> None:
    """Ten classes in equal numbers, colour, full range."""
    data = load_cifar10(Path(os.environ["FIRSTSEEN_DATA"]) / "cifar10", client=client())

    assert data.labels == LABELS
    assert data.x.shape[1:] == (3, 32, 32)
    assert len(set(np.bincount(data.y))) == 1
    assert (data.x.min(), data.x.max()) == (0, 255)
