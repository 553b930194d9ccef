"""Arrays in an .npz file as a data set: images or vectors.

    x         images (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 to 4, or vectors (N, F)
    y         the class of each item: whole numbers, or text

or, in the two parts that published sets often come in, `x_train`, `y_train`, `x_test`, `y_test`, which are joined
in this order. `class_names`, text (K,), names the classes 0..K-1 of whole numbers. `columns`, text (F,), names the
values of a vector. Other arrays are left alone.

The range of images is the smallest of 0..1, 0..255 and 0..65535 that holds all values. Vectors become a table of
numbers (`model/datasets/table.py`), of any range and with NaN for what is missing.

An .npz can hold pickled objects, which numpy would run; such arrays are refused. It can say that an array is larger
than any memory, or unpack to that: headers are read first, and more than 16 GiB are not read. (An .npz is a zip of
.npy files, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.)
"""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.datasets.labelled import DataError, LabelledData
from model.inputs import ImageInput

LARGEST_BYTES = 16 * 2**30
"""Of the arrays that are read, unpacked."""

_RANGES = (1, 255, 65535)
_MOST_CHANNELS = 4
_VECTORS = 2

_NPY = ".npy"
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # as 2.0, but that names of fields may be any Unicode
}
_UNSOUND = (ValueError, TypeError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise on hostile or broken files. A RuntimeError is zipfile's word for an encrypted one,
and, of its kinds, a NotImplementedError for one packed in an odd way, a RecursionError for a header without end."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class _Member:
    """What the header of an array in the archive says: its file there, its shape, and how many bytes that makes."""

    file: str
    shape: tuple[int, ...]
    bytes: int


def read_npz(path: Path) -> Arrays:
    """Read x and y, parts joined, and `class_names` and `columns` where they are there.

    Returns:
        "x": (N, ...) of numbers, "y": (N,) of whole numbers or text, and the names.

    Raises:
        DataError: the file is no such archive, or x and y do not fit together.
    """
    with _opened(path) as archive:
        members = _headers(archive)
        names = _parts(path, list(members))
        extra = [name for name in ("class_names", "columns") if name in members]
        wanted = [*names["x"], *names["y"], *extra]
        total = sum(members[name].bytes for name in wanted)
        if total > LARGEST_BYTES:
            raise _bad(
                path,
                f"has arrays of {_sized(total)}, and at most {LARGEST_BYTES >> 30} GiB are read",
                "Write fewer items, or a smaller dtype.",
            )
        loaded = {name: _array(archive, members[name]) for name in wanted}
    x_parts = [loaded[name] for name in names["x"]]
    y_parts = [_column(path, name, loaded[name]) for name in names["y"]]
    for name, x, y in zip(names["x"], x_parts, y_parts, strict=True):
        if x.dtype.kind not in "biuf":
            raise _bad(path, f"has {name} as {x.dtype}, not numbers", "Write it as numbers.")
        if x.ndim == 0 or len(x) != len(y):
            raise _bad(path, f"has {len(y)} labels for {name} of shape {x.shape}", "Write one label an item.")
        if x.shape[1:] != x_parts[0].shape[1:]:
            raise _bad(path, f"has items of {x.shape[1:]} and of {x_parts[0].shape[1:]}", "Write one shape.")
    return {
        "x": np.concatenate(x_parts),
        "y": np.concatenate(y_parts),
        **{name: loaded[name] for name in extra},
    }


def holds_images(path: Path) -> bool:
    """Whether x has the dimensions of images; its header is read, and nothing else.

    Raises:
        DataError: the file is no such archive.
    """
    with _opened(path) as archive:
        members = _headers(archive)
        return len(members[_parts(path, list(members))["x"][0]].shape) > _VECTORS


def images_of(arrays: Arrays, *, path: Path, name: str, source: str) -> LabelledData:
    """Make a data set of images from arrays.

    Args:
        arrays: of `read_npz`, x with three or four dimensions.
        path: named in errors.
        name: short name of the data set.
        source: where it comes from.

    Raises:
        DataError: the shape is not that of images, or a value is negative, not finite or over 65535.
    """
    x = _channels_first(path, arrays["x"])
    y, labels = classes_of(arrays, path=path)
    if x.size == 0:
        raise _bad(path, f"has images without pixels: {x.shape}", "Write images.")
    low, high = float(x.min()), float(x.max())
    if not 0 <= low <= high <= _RANGES[-1]:
        raise _bad(path, f"has values from {low:g} to {high:g}", "Write values from 0 to 1, 255 or 65535.")
    return LabelledData(
        name=name,
        input=ImageInput(shape=x.shape[1:], minimum=0, maximum=next(top for top in _RANGES if high <= top)),
        x=np.ascontiguousarray(x, dtype=np.float32),
        y=y,
        labels=labels,
        source=source,
    )


def classes_of(arrays: Arrays, *, path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the classes of y: int64 (N,), and the names of those that occur, in order.

    Raises:
        DataError: a class has no name among `class_names`.
    """
    found, y = np.unique(arrays["y"], return_inverse=True)
    if "class_names" not in arrays or found.dtype.kind == "U":
        return y.reshape(-1).astype(np.int64), tuple(map(str, found))
    names = names_of(arrays, "class_names", path=path)
    if len(found) and not 0 <= int(found[0]) <= int(found[-1]) < len(names):
        raise _bad(path, f"has classes {found[0]} to {found[-1]}, and {len(names)} class_names", "Name all.")
    return y.reshape(-1).astype(np.int64), tuple(names[k] for k in found)


def names_of(arrays: Arrays, which: str, *, path: Path) -> list[str]:
    """Return the names in the array "class_names" or "columns", which must be there.

    Raises:
        DataError: it is no list of texts or whole numbers.
    """
    names = arrays[which]
    if names.ndim != 1 or names.dtype.kind not in "iuU":
        raise _bad(path, f"has {which} as {names.dtype} {names.shape}", "Write one text a name: (K,) of str.")
    return list(map(str, names.tolist()))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the archive; whatever is wrong with it, inside or when it is opened, is a `DataError`."""
    try:
        with path.open("rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                raise _bad(path, "is one array, not an archive", "Write it with numpy.savez(x=..., y=...).")
            with zipfile.ZipFile(file) as archive:
                yield archive
    except DataError:
        raise
    except MemoryError as error:
        raise _bad(path, "does not fit into memory", "Write fewer items, or a smaller dtype.") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}). Check it and its permissions."
        ) from error
    except _UNSOUND as error:
        raise _bad(
            path, f"cannot be read as arrays ({error})", "Write it with numpy.savez, no objects."
        ) from error


def _headers(archive: zipfile.ZipFile) -> dict[str, _Member]:
    """Read the headers of all arrays, by name; of what is no array there is none.

    Raises:
        ValueError, RuntimeError, OSError: an array has no sound header.
    """
    found = {}
    for file in archive.namelist():
        if not file.endswith(_NPY):
            continue
        with archive.open(file) as member:
            version = np.lib.format.read_magic(member)
            if version not in _READERS:
                raise ValueError(f"{file} is of version {version} of the format")
            shape, _, dtype = _READERS[version](member)
        if not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{file} has the shape {shape}")
        found[file.removesuffix(_NPY)] = _Member(
            file=file, shape=shape, bytes=math.prod(shape) * dtype.itemsize
        )
    return found


def _array(archive: zipfile.ZipFile, member: _Member) -> NDArray[Any]:
    with archive.open(member.file) as file:
        found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return found


def _sized(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count < 2**60 else "2^60 bytes and more"


def _parts(path: Path, names: list[str]) -> dict[str, list[str]]:
    """Return which arrays hold the items and which the labels."""
    if {"x", "y"} <= set(names):
        return {"x": ["x"], "y": ["y"]}
    parts = [part for part in ("train", "test") if {f"x_{part}", f"y_{part}"} <= set(names)]
    if "train" not in parts:
        raise _bad(
            path,
            f"has the arrays {', '.join(sorted(names)) or 'none'}",
            "Name the items x and their classes y, or x_train and y_train.",
        )
    return {letter: [f"{letter}_{part}" for part in parts] for letter in "xy"}


def _column(path: Path, name: str, y: NDArray[Any]) -> NDArray[Any]:
    """Return labels as (N,), of whole numbers or text."""
    flat = y.reshape(len(y)) if y.ndim == 2 and y.shape[1] == 1 else y
    is_whole = flat.dtype.kind in "iu" or (
        flat.dtype.kind == "f" and np.isfinite(flat).all() and (flat == np.round(flat)).all()
    )
    if is_whole and flat.size and not -(2.0**63) <= float(flat.min()) <= float(flat.max()) < 2.0**63:
        raise _bad(path, f"has a class {flat.min():g} or {flat.max():g} in {name}", "Number them from 0.")
    if is_whole:
        flat = flat.astype(np.int64)
    if flat.ndim != 1 or flat.dtype.kind not in "biuU":
        raise _bad(path, f"has {name} as {y.dtype} {y.shape}", "Write one whole number or text an item.")
    return flat.astype(np.int64) if flat.dtype.kind in "biu" else flat


def _channels_first(path: Path, x: NDArray[Any]) -> NDArray[Any]:
    """Bring images to (N, C, H, W)."""
    if x.ndim == 3:
        return x[:, np.newaxis]
    if x.ndim == 4 and 1 <= x.shape[3] <= _MOST_CHANNELS:
        return x.transpose(0, 3, 1, 2)
    if x.ndim == 4 and 1 <= x.shape[1] <= _MOST_CHANNELS:
        return x
    raise _bad(
        path, f"has x of shape {x.shape}", "Write images (N, H, W) or (N, H, W, C), or vectors (N, F)."
    )


def _bad(path: Path, problem: str, remedy: str) -> DataError:
    return DataError(f"{path} {problem}. {remedy}")
