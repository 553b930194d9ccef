"""IDX: the format of MNIST and of the data sets made in its image.

An IDX file is one array of bytes behind a short header, often gzipped. All integers are big-endian
(LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist/):

    byte 0-1   0, 0
    byte 2     8: the values are unsigned bytes (other codes exist; the data sets read here never use them)
    byte 3     n, the number of dimensions
    byte 4..   n times a 4-byte dimension
    then       the values, last dimension fastest, and nothing behind them

A data set is a folder with four of them, each gzipped (".gz") or not:

    train-images-idx3-ubyte   (N, H, W)      train-labels-idx1-ubyte   (N,)
    t10k-images-idx3-ubyte    (M, H, W)      t10k-labels-idx1-ubyte    (M,)

The official train and test parts are joined, in this order: what must stay unseen is decided by class and by
split (`model/datasets/split.py`), not by file.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.datasets.labelled import DataError, LabelledData
from model.inputs import ImageInput

PARTS = ("train", "t10k")
FILES = tuple(f"{part}-{kind}" for part in PARTS for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
_UNSIGNED_BYTE = 8


def find_file(folder: Path, name: str) -> Path | None:
    """Return `folder/name` or, failing that, `folder/name.gz`; None where neither is a file."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, unzipped on the way where its name ends in ".gz".

    Args:
        path: the file.
        dimensions: how many the array must have: 1 for labels, 3 for images.

    Returns:
        uint8, with the dimensions the header states.

    Raises:
        DataError: the file cannot be read, is no such array, or is longer or shorter than its header says.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _bad(path, f"is truncated or no gzip file ({error})") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
    if len(raw) < 4:
        raise _bad(path, f"is truncated: {len(raw)} bytes are no header")
    zeros, code, n = struct.unpack(">HBB", raw[:4])
    if zeros != 0 or code != _UNSIGNED_BYTE or n != dimensions:
        wanted = f"00 00 08 {dimensions:02x}"
        raise _bad(
            path,
            f"starts with {raw[:4].hex(' ')}, not with {wanted} (unsigned bytes, {dimensions} dimensions)",
        )
    header = 4 + 4 * n
    if len(raw) < header:
        raise _bad(path, f"is truncated: {len(raw)} bytes where the header alone takes {header}")
    shape = struct.unpack(f">{n}I", raw[4:header])
    expected = header + math.prod(shape)
    if len(raw) != expected:
        fault = "is truncated" if len(raw) < expected else "has bytes behind its end"
        raise _bad(path, f"{fault}: {len(raw)} bytes where the header's {shape} take {expected}")
    return np.frombuffer(raw, dtype=np.uint8, offset=header).reshape(shape)


def load_idx(folder: Path, *, name: str, source: str, labels: Sequence[str] | None = None) -> LabelledData:
    """Load the four IDX files of a folder as one data set.

    Args:
        folder: where they lie.
        name: short name of the data set.
        source: where it comes from.
        labels: the name of class 0, 1, ...; by default the class numbers that occur, in order, as strings.

    Returns:
        x float32 (N, 1, H, W) in 0..255, the train part first.

    Raises:
        DataError: a file is missing, broken, or does not fit the others.
    """
    images, classes = [], []
    for part in PARTS:
        image_path, label_path = (_required(folder, file) for file in FILES if file.startswith(part))
        images.append(read_idx(image_path, dimensions=3))
        classes.append(read_idx(label_path, dimensions=1))
        if len(images[-1]) != len(classes[-1]):
            raise _bad(
                label_path, f"has {len(classes[-1])} labels for {len(images[-1])} images in {image_path.name}"
            )
        if images[-1].shape[1:] != images[0].shape[1:]:
            raise _bad(
                image_path, f"has images of {images[-1].shape[1:]}, the train part of {images[0].shape[1:]}"
            )
        if 0 in images[-1].shape:
            raise _bad(image_path, f"holds no pixels: its dimensions are {images[-1].shape}")
    x, numbers = np.concatenate(images), np.concatenate(classes)
    if labels is None:
        present, y = np.unique(numbers.astype(np.int64), return_inverse=True)
        labels = [str(number) for number in present]
    else:
        y = numbers.astype(np.int64)
        if int(numbers.max()) >= len(labels):
            raise _bad(folder, f"has a class {int(numbers.max())}, but {name} has only {len(labels)} classes")
    return LabelledData(
        name=name,
        input=ImageInput(shape=(1, *x.shape[1:]), minimum=0, maximum=255),
        x=x.astype(np.float32)[:, np.newaxis],
        y=np.asarray(y, dtype=np.int64),
        labels=tuple(labels),
        source=source,
    )


def _required(folder: Path, file: str) -> Path:
    path = find_file(folder, file)
    if path is None:
        raise DataError(f"{folder} has no {file} or {file}.gz. Put the four files {', '.join(FILES)} there.")
    return path


def _bad(path: Path, problem: str) -> DataError:
    return DataError(f"{path} {problem}. Replace it with an undamaged copy.")
