"""Arrays in an .npz file as a data set: images or vectors.

    x         images (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 to 4, or vectors (N, F)
    y         the class of each item: whole numbers, or text

or, in the two parts that published sets often come in, `x_train`, `y_train`, `x_test`, `y_test`, which are joined
in this order. `class_names`, text (K,), names the classes 0..K-1 of whole numbers. `columns`, text (F,), names the
values of a vector. Other arrays are left alone.

The range of images is the smallest of 0..1, 0..255 and 0..65535 that holds all values. Vectors become a table of
numbers (`model/datasets/table.py`), of any range and with NaN for what is missing.

An .npz can hold pickled objects, which numpy would run; such arrays are refused.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.datasets.labelled import DataError, LabelledData
from model.inputs import ImageInput

_RANGES = (1, 255, 65535)
_MOST_CHANNELS = 4
_VECTORS = 2

Arrays = dict[str, NDArray[Any]]


def read_npz(path: Path) -> Arrays:
    """Read x and y, parts joined, and `class_names` and `columns` where they are there.

    Returns:
        "x": (N, ...) of numbers, "y": (N,) of whole numbers or text, and the names.

    Raises:
        DataError: the file is no such archive, or x and y do not fit together.
    """
    with _reading(path), path.open("rb") as file:  # numpy leaves open what is no archive
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise _bad(path, "is one array, not an archive", "Write it with numpy.savez(x=..., y=...).")
        names = _parts(path, archive.files)
        extra = [name for name in ("class_names", "columns") if name in archive.files]
        loaded = {name: archive[name] for name in [*names["x"], *names["y"], *extra]}
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
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = [name.removesuffix(".npy") for name in archive.namelist()]
        with archive.open(f"{_parts(path, members)['x'][0]}.npy") as member:
            version = np.lib.format.read_magic(member)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            return len(read(member)[0]) > _VECTORS


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
    names = arrays.get("class_names")
    if names is None or found.dtype.kind == "U":
        return y.reshape(-1).astype(np.int64), tuple(map(str, found))
    if len(found) and not 0 <= int(found[0]) <= int(found[-1]) < len(names):
        raise _bad(path, f"has classes {found[0]} to {found[-1]}, and {len(names)} class_names", "Name all.")
    return y.reshape(-1).astype(np.int64), tuple(str(names[k]) for k in found)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of whatever goes wrong inside what is wrong with the file."""
    try:
        yield
    except DataError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError) as error:
        raise _bad(
            path, f"cannot be read as arrays ({error})", "Write it with numpy.savez, no objects."
        ) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}). Check it and its permissions."
        ) from error


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
    if flat.dtype.kind == "f" and np.isfinite(flat).all() and (flat == np.round(flat)).all():
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
