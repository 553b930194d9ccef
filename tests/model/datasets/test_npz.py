"""Arrays in a file: shapes, ranges, classes, and no pickle."""

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.format as npy
import pytest

from model.datasets import DataError, LabelledData
from model.datasets import npz as module
from model.datasets.npz import classes_of, holds_images, images_of, read_npz
from model.datasets.table import table_of_vectors


def load(path: Path, **arrays: Any) -> LabelledData:
    np.savez(path, **arrays)
    return images_of(read_npz(path), path=path, name="set", source="tests")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "set.npz"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 5, 6), (1, 5, 6)),
        ((2, 5, 6, 1), (1, 5, 6)),
        ((2, 5, 6, 3), (3, 5, 6)),
        ((2, 3, 5, 6), (3, 5, 6)),
    ],
)
def test_images_come_channels_first(path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Grey or colour, channels last or first."""
    data = load(path, x=np.zeros(shape, dtype=np.uint8), y=[0, 1])

    assert expected == data.input.shape
    assert data.x.dtype == np.float32


def test_a_pixel_keeps_its_place(path: Path) -> None:
    """Channels last become channels first, not a reshaped jumble."""
    x = np.zeros((1, 4, 5, 3), dtype=np.uint8)
    x[0, 1, 2, 2] = 9

    assert load(path, x=x, y=["a"]).x[0, 2, 1, 2] == 9


def test_the_parts_are_joined(path: Path) -> None:
    """The train part comes first; classes in a column are taken as they are."""
    x = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    data = load(
        path, x_train=x[:2], y_train=[[1], [0]], x_test=x[2:], y_test=[[1]], class_names=["cat", "dog"]
    )

    assert x.reshape(3, 1, 2, 2).tolist() == data.x.tolist()
    assert [data.labels[k] for k in data.y] == ["dog", "cat", "dog"]


@pytest.mark.parametrize(
    ("values", "maximum"),
    [
        (np.array([0, 0.5, 1.0]), 1),
        (np.array([0, 1, 2], dtype=np.uint8), 255),
        (np.array([0.0, 255.0]), 255),
        (np.array([0, 256], dtype=np.uint16), 65535),
        (np.array([False, True]), 1),
    ],
)
def test_the_range_is_the_smallest_usual_one(path: Path, values: Any, maximum: int) -> None:
    """Values to 1, to 255 or to 65535."""
    assert maximum == load(path, x=np.resize(values, (2, 2, 2)), y=[0, 1]).input.maximum


@pytest.mark.parametrize("y", [["b", "a", "b"], [7, 3, 7], [7.0, 3.0, 7.0]])
def test_classes_are_numbered_in_order(path: Path, y: list[Any]) -> None:
    """Text or whole numbers; class 0 is the first in order."""
    np.savez(path, x=np.zeros((3, 2)), y=y)
    numbers, labels = classes_of(read_npz(path), path=path)

    assert numbers.tolist() == [1, 0, 1]
    assert tuple(sorted({str(v).removesuffix(".0") for v in y})) == labels


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"a": [1]}, "has the arrays a.*Name the items x"),
        ({}, "has the arrays none"),
        ({"x_test": np.zeros((1, 2, 2)), "y_test": [1]}, "Name the items x"),
        ({"x": np.zeros((2, 2, 2)), "y": [1]}, r"has 1 labels for x of shape \(2, 2, 2\)"),
        ({"x": np.zeros((2, 2, 2)), "y": [1.5, 2]}, "has y as float64"),
        ({"x": np.full((1, 2, 2), "1"), "y": [1]}, "has x as <U1, not numbers"),
        ({"x": np.zeros((1, 9, 9, 5)), "y": [1]}, r"has x of shape \(1, 9, 9, 5\)"),
        ({"x": np.zeros((1, 0, 2)), "y": [1]}, "images without pixels"),
        ({"x": np.full((1, 2, 2), -1), "y": [1]}, "has values from -1 to -1"),
        ({"x": np.full((1, 2, 2), np.nan), "y": [1]}, "has values from nan"),
        ({"x": np.zeros((1, 2, 2)), "y": [3], "class_names": ["a"]}, "has classes 3 to 3, and 1 class_names"),
        (
            {"x_train": np.zeros((1, 2)), "y_train": [1], "x_test": np.zeros((1, 3)), "y_test": [1]},
            "has items of",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_named(path: Path, arrays: dict[str, Any], problem: str) -> None:
    """What is wrong and what to write instead."""
    with pytest.raises(DataError, match=problem):
        load(path, **arrays)


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        ([1e300, 0], r"has a class 0 or 1e\+300 in y.*Number them from 0"),
        ([-1e19, 0], r"has a class -1e\+19 or 0 in y"),
        (np.array([2**64 - 1, 0], dtype=np.uint64), r"has a class 0 or 1.84467e\+19 in y"),
    ],
)
def test_class_numbers_that_no_int64_holds_are_refused(path: Path, y: Any, problem: str) -> None:
    """They would come back as other numbers, negative ones even."""
    with pytest.raises(DataError, match=problem):
        load(path, x=np.zeros((2, 2, 2)), y=y)


@pytest.mark.parametrize(
    "names", [np.array("ab"), np.array([["a"], ["b"]]), np.array([b"a", b"b"]), np.array([0.5, 1])]
)
@pytest.mark.parametrize("which", ["class_names", "columns"])
def test_names_that_are_no_list_of_texts_are_refused(path: Path, which: str, names: Any) -> None:
    """One text, a table of texts, bytes, fractions."""
    np.savez(path, x=np.zeros((2, 2)), y=[0, 1], **{which: names})
    arrays = read_npz(path)

    with pytest.raises(DataError, match=rf"has {which} as .* Write one text a name"):
        table_of_vectors(arrays, path=path, name="set", source="tests")


def test_whole_numbers_can_be_names(path: Path) -> None:
    """Of classes: they become their text."""
    assert ("7", "9") == load(path, x=np.zeros((2, 2, 2)), y=[0, 1], class_names=[7, 9]).labels


@pytest.mark.parametrize("name", ["x" * 201, "half a character \ud800"])
def test_a_column_that_no_manifest_can_name_is_refused(path: Path, name: str) -> None:
    """Before anything is trained."""
    arrays = {"x": np.zeros((2, 2)), "y": np.array([0, 1]), "columns": np.array(["a", name])}

    with pytest.raises(DataError, match=r"has a column called .* Rename it"):
        table_of_vectors(arrays, path=path, name="set", source="tests")


def as_npy(array: Any) -> bytes:
    raw = io.BytesIO()
    np.save(raw, array)
    return raw.getvalue()


def header(shape: str, data: bytes = b"") -> bytes:
    """An .npy whose header says what it likes."""
    words = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    words += b" " * (-(len(words) + 11) % 64) + b"\n"
    return npy.magic(1, 0) + len(words).to_bytes(2, "little") + words + data


Y = as_npy(np.arange(2))


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            {"x.npy": header("(2, 1099511627776)")},
            r"has arrays of 16,384\.0 GiB, and at most 16 GiB are read",
        ),
        ({"x.npy": header(f"({2**62}, {2**62})")}, r"has arrays of 2\^60 bytes and more"),
        ({"x.npy": header("(2, True)", b"\0" * 16)}, r"has the shape \(2, True\)"),
        ({"x.npy": header("(-1, 5)")}, r"has the shape \(-1, 5\)"),
        ({"x.npy": header("(2, 1.5)")}, "cannot be read as arrays"),
        ({"x.npy": header("(" * 4000 + ")" * 4000)}, "cannot be read as arrays"),
        ({"x.npy": header("(2, 3)", b"\0" * 8)}, "cannot be read as arrays"),
        ({"x.npy": npy.MAGIC_PREFIX + b"\x09\x00" + b"\0" * 100}, "cannot be read as arrays"),
        ({"x.npy": b"hello"}, "cannot be read as arrays"),
        ({"x.npy": b""}, "cannot be read as arrays"),
        ({"x": b"hello", "y": b""}, "has the arrays y.*Name the items x"),
        ({"x": as_npy(np.zeros((2, 2)))}, "has the arrays y.*Name the items x"),
    ],
)
def test_hostile_members_are_refused(path: Path, members: dict[str, bytes], problem: str) -> None:
    """By the header, before anything as large as it says is asked for, and by both readers of it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in ({"y.npy": Y} | members).items():
            archive.writestr(name, raw)

    with pytest.raises(DataError, match=problem):
        read_npz(path)
    with contextlib.suppress(DataError):
        holds_images(path)  # a header may be sound, and the rest not


@pytest.mark.parametrize(("place", "value"), [(8, 1), (10, 99)])
def test_an_archive_that_is_encrypted_or_packed_oddly_is_refused(path: Path, place: int, value: int) -> None:
    """By both readers, with the file."""
    np.savez(path, x=np.zeros((2, 2)), y=[0, 1])
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"PK\x01\x02") + place] |= value
    path.write_bytes(raw)

    for read in (read_npz, holds_images):
        with pytest.raises(DataError, match=r"set\.npz cannot be read as arrays"):
            read(path)


def test_what_unpacks_to_more_than_the_bound_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All arrays that are wanted count together; others do not."""
    np.savez_compressed(path, x=np.zeros((2, 1000)), y=[0, 1], other=np.zeros(10_000))
    monkeypatch.setattr(module, "LARGEST_BYTES", 16_016)
    assert read_npz(path)["x"].shape == (2, 1000)

    monkeypatch.setattr(module, "LARGEST_BYTES", 16_015)
    with pytest.raises(DataError, match="Write fewer items, or a smaller dtype"):
        read_npz(path)


def test_what_memory_does_not_hold_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may have less than the bound."""

    def fails(*_: object, **__: object) -> None:
        raise MemoryError

    np.savez(path, x=np.zeros((2, 2)), y=[0, 1])
    monkeypatch.setattr(module.np.lib.format, "read_array", fails)
    with pytest.raises(DataError, match="does not fit into memory"):
        read_npz(path)


def test_pickled_objects_are_refused(path: Path) -> None:
    """An array of objects could run code when it is read."""
    np.savez(path, x=np.array([{}], dtype=object), y=[1])

    with pytest.raises(DataError, match="cannot be read as arrays"):
        read_npz(path)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 no zip", b"x,y\n1,2\n", b"\x93NUMPY"])
def test_other_files_are_refused(path: Path, raw: bytes) -> None:
    """Whatever a file with that name holds."""
    path.write_bytes(raw)

    with pytest.raises(DataError, match=str(path)):
        read_npz(path)


def test_one_array_is_no_archive(tmp_path: Path) -> None:
    """An .npy has no classes."""
    np.save(tmp_path / "set.npy", np.zeros(3))

    with pytest.raises(DataError, match="is one array"):
        read_npz(tmp_path / "set.npy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_are_told_from_vectors_by_the_header(path: Path, save: Any) -> None:
    """Also where the set comes in parts, and without reading the items."""
    save(path, x_train=np.zeros((2, 3, 3)), y_train=[0, 1])
    assert holds_images(path)

    save(path, x=np.zeros((2, 3)), y=[0, 1])
    assert not holds_images(path)

    save(path, a=[1])
    with pytest.raises(DataError, match="Name the items x"):
        holds_images(path)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 no zip", b"x,y\n"])
def test_what_has_no_header_is_named(path: Path, raw: bytes) -> None:
    """As when it is read whole."""
    path.write_bytes(raw)

    with pytest.raises(DataError, match="cannot be read as arrays"):
        holds_images(path)
