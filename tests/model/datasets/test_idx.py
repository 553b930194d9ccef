import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.datasets.idx import FILES, find_file, load_idx, read_idx
from model.datasets.labelled import DataError


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_folder(folder: Path, *, train: list[int], test: list[int], side: int = 2) -> None:
    """Write the four files; every image is filled with its running number."""
    start = 0
    for part, numbers in (("train", train), ("t10k", test)):
        images = np.repeat(np.arange(start, start + len(numbers), dtype=np.uint8), side * side)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images.reshape(-1, side, side)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.array(numbers, dtype=np.uint8)))
        start += len(numbers)


@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=3), data=st.data())
def test_reading_undoes_writing(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], data: st.DataObject
) -> None:
    """Any array of bytes comes back, gzipped or not."""
    size = int(np.prod(shape))
    array = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), dtype=np.uint8).reshape(shape)
    folder = tmp_path_factory.mktemp("idx")
    (folder / "plain").write_bytes(idx_bytes(array))
    (folder / "zipped.gz").write_bytes(gzip.compress(idx_bytes(array)))

    for name in ("plain", "zipped.gz"):
        np.testing.assert_array_equal(array, read_idx(folder / name, dimensions=len(shape)), strict=True)


@given(cut=st.integers(0, 27), zipped=st.booleans())
def test_a_truncated_file_is_named(
    tmp_path_factory: pytest.TempPathFactory, cut: int, *, zipped: bool
) -> None:
    """A file cut anywhere, in its zipped form or before it was zipped, is refused by name."""
    raw = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    path = tmp_path_factory.mktemp("cut") / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(raw)[:cut] if zipped else raw[:cut])

    with pytest.raises(DataError, match=r"images.*truncated"):
        read_idx(path, dimensions=3)
    path.write_bytes(gzip.compress(raw[:cut]) if zipped else raw[:cut])
    with pytest.raises(DataError, match=r"images.*truncated"):
        read_idx(path, dimensions=3)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"\x00\x00\x08\x01" + struct.pack(">I", 2) + b"abc", "has bytes behind its end"),
        (b"\x00\x00\x08\x01" + struct.pack(">I", 2**32 - 1) + b"abc", "is truncated"),
        (b"\x00\x00\x0d\x01" + struct.pack(">I", 2) + b"ab", "starts with 00 00 0d 01, not with 00 00 08 01"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 1, 1, 2) + b"ab", "starts with 00 00 08 03"),
        (b"\x00\x01\x08\x01" + struct.pack(">I", 2) + b"ab", "starts with 00 01 08 01"),
        (b"<html>not found</html>", "starts with 3c 68 74 6d"),
        (gzip.compress(b"\x00\x00\x08\x01", mtime=0), "starts with 1f 8b"),
    ],
)
def test_what_is_no_idx_file_is_refused(tmp_path: Path, raw: bytes, problem: str) -> None:
    """Wrong magic, wrong dimensions, wrong length: the file is named with what is wrong."""
    (tmp_path / "labels").write_bytes(raw)

    with pytest.raises(DataError, match=f"labels {problem}.*Replace it"):
        read_idx(tmp_path / "labels", dimensions=1)


def test_a_flipped_gzip_file_is_refused(tmp_path: Path) -> None:
    """A gzip file whose content does not fit its checksum, or that is none, is refused by name."""
    raw = bytearray(gzip.compress(idx_bytes(np.zeros(1000, dtype=np.uint8))))
    raw[-6] ^= 1
    (tmp_path / "labels.gz").write_bytes(raw)
    (tmp_path / "plain.gz").write_bytes(b"no gzip")

    for name in ("labels.gz", "plain.gz"):
        with pytest.raises(DataError, match=name):
            read_idx(tmp_path / name, dimensions=1)


def test_a_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    """A path that cannot be opened is named, and permissions are suggested."""
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path, dimensions=1)


def test_the_parts_are_joined_in_order(tmp_path: Path) -> None:
    """The train part comes first, images keep their labels, values stay raw."""
    write_folder(tmp_path, train=[1, 0, 1], test=[0, 1])
    data = load_idx(tmp_path, name="mine", source="tests")

    np.testing.assert_array_equal(np.arange(5, dtype=np.float32), data.x[:, 0, 0, 0], strict=True)
    np.testing.assert_array_equal(np.array([1, 0, 1, 0, 1]), data.y)
    assert data.input.shape == (1, 2, 2)
    assert (data.input.minimum, data.input.maximum) == (0, 255)


def test_class_numbers_are_the_labels(tmp_path: Path) -> None:
    """Numbers that start at 1 or leave gaps are kept as names, in numerical order."""
    write_folder(tmp_path, train=[10, 2, 26], test=[2])
    data = load_idx(tmp_path, name="letters", source="tests")

    assert data.labels == ("2", "10", "26")
    assert [data.labels[k] for k in data.y] == ["10", "2", "26", "2"]


def test_class_names_replace_numbers(tmp_path: Path) -> None:
    """Given names stand for class 0, 1, ...; a class beyond them is refused."""
    write_folder(tmp_path, train=[1, 0], test=[1])

    assert load_idx(tmp_path, name="m", source="t", labels=["cat", "dog"]).labels == ("cat", "dog")
    with pytest.raises(DataError, match="has a class 1, but m has only 1 classes"):
        load_idx(tmp_path, name="m", source="t", labels=["cat"])


@pytest.mark.parametrize("name", FILES)
def test_all_four_files_are_needed(tmp_path: Path, name: str) -> None:
    """The missing file is named, with and without .gz, and so is the folder."""
    write_folder(tmp_path, train=[0, 1], test=[0])
    (tmp_path / name).unlink()

    with pytest.raises(DataError, match=rf"{tmp_path.name} has no {name} or {name}\.gz\. Put the four files"):
        load_idx(tmp_path, name="m", source="t")


def test_files_must_fit_each_other(tmp_path: Path) -> None:
    """Labels for fewer images, test images of another size, or no pixels at all: refused by name."""
    write_folder(tmp_path, train=[0, 1], test=[0])
    labels, images = tmp_path / "train-labels-idx1-ubyte", tmp_path / "t10k-images-idx3-ubyte"
    right = labels.read_bytes()
    labels.write_bytes(idx_bytes(np.zeros(1, dtype=np.uint8)))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte has 1 labels for 2 images"):
        load_idx(tmp_path, name="m", source="t")

    labels.write_bytes(right)
    images.write_bytes(idx_bytes(np.zeros((1, 3, 3), dtype=np.uint8)))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte has images of \(3, 3\)"):
        load_idx(tmp_path, name="m", source="t")


def test_a_part_without_items_is_refused(tmp_path: Path) -> None:
    """An empty part has no pixels to learn from."""
    write_folder(tmp_path, train=[0, 1], test=[])

    with pytest.raises(DataError, match="t10k-images-idx3-ubyte holds no pixels"):
        load_idx(tmp_path, name="m", source="t")


def test_the_unzipped_file_is_preferred(tmp_path: Path) -> None:
    """Where both forms lie in the folder the plain one is read; where neither does there is no file."""
    (tmp_path / "a").touch()
    (tmp_path / "a.gz").touch()
    (tmp_path / "b.gz").touch()

    assert [tmp_path / "a", tmp_path / "b.gz", None] == [find_file(tmp_path, name) for name in "abc"]
