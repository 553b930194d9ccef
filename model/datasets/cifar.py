"""CIFAR-10: 60,000 colour photographs of 32x32, ten classes; the published archive, or arrays in an .npz.

The archive is a .tar.gz with six files of 10,000 records (https://www.cs.toronto.edu/~kriz/cifar.html):

    data_batch_1.bin ... data_batch_5.bin, test_batch.bin
    a record: 1 byte class, then 3 x 1024 bytes, red, green, blue, each 32 rows of 32

A folder with an .npz that has x_train, y_train, x_test, y_test (`model/datasets/npz.py`) is used as it is: the
set as other tools keep it, or a part of it.

Reference:
    Krizhevsky: Learning Multiple Layers of Features from Tiny Images. 2009.
"""

import tarfile
import zlib
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

from model.datasets.download import download, file_md5
from model.datasets.labelled import DataError, LabelledData
from model.datasets.npz import images_of, read_npz
from model.inputs import ImageInput

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEMBERS = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32


def load_cifar10(folder: Path, *, client: httpx.Client, md5: str = MD5) -> LabelledData:
    """Load CIFAR-10 from a folder: its one .npz, or the published archive, downloaded where it is absent.

    Args:
        folder: where the file is, or is to be put.
        client: used only where it is absent.
        md5: of the archive.

    Returns:
        x float32 (N, 3, 32, 32) in 0..255, the train part first.

    Raises:
        DataError: the folder has several .npz files, the download failed, or a file is broken.
    """
    arrays = sorted(folder.glob("*.npz"))
    if len(arrays) > 1:
        raise DataError(f"{folder} has {len(arrays)} .npz files. Leave one, or train on its path.")
    if arrays:
        found = read_npz(arrays[0])
        found.setdefault("class_names", np.array(LABELS))
        return images_of(
            found, path=arrays[0], name="cifar10", source=f"CIFAR-10, {ADDRESS}, as {arrays[0].name}"
        )
    archive = folder / ADDRESS.rpartition("/")[2]
    if not archive.is_file():
        download(ADDRESS, archive, md5=md5, client=client)
    elif file_md5(archive) != md5:
        raise DataError(
            f"{archive} is not the published file: its MD5 is not {md5}. Delete it, and it is downloaded again."
        )
    records = read_archive(archive)
    return LabelledData(
        name="cifar10",
        input=ImageInput(shape=_SHAPE, minimum=0, maximum=255),
        x=records[:, 1:].reshape(-1, *_SHAPE).astype(np.float32),
        y=records[:, 0].astype(np.int64),
        labels=LABELS,
        source=ADDRESS,
    )


def read_archive(path: Path) -> NDArray[np.uint8]:
    """Read the records of all six files, in order: uint8 (N, 3073). Nothing is unpacked to disk.

    Raises:
        DataError: the archive is broken or lacks a file.
    """
    found: dict[str, NDArray[np.uint8]] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in MEMBERS and member.isreg():
                    stream = archive.extractfile(member)
                    raw = b"" if stream is None else stream.read()
                    if not raw or len(raw) % _RECORD:
                        raise _bad(path, f"has {name} of {len(raw)} bytes, no multiple of {_RECORD}")
                    found[name] = np.frombuffer(raw, dtype=np.uint8).reshape(-1, _RECORD)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise _bad(path, f"cannot be read ({error})") from error
    absent = [name for name in MEMBERS if name not in found]
    if absent:
        raise _bad(path, f"has no {absent[0]}")
    records = np.concatenate([found[name] for name in MEMBERS])
    if int(records[:, 0].max()) >= len(LABELS):
        raise _bad(path, f"has a class {int(records[:, 0].max())}, and CIFAR-10 has {len(LABELS)}")
    return records


def _bad(path: Path, problem: str) -> DataError:
    return DataError(f"{path} {problem}. Replace it with an undamaged copy.")
