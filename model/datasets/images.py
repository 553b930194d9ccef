"""A folder of PNG and JPEG files as a data set: one sub-folder a class, or a list of files with their classes.

    animals/cat/1.png  animals/cat/2.jpg  animals/dog/a.jpeg         the folder's name is the class
    animals/1.png  animals/2.jpg  animals/labels.csv                 columns "file" and "label"

What becomes of a file `model/inputs/picture.py` says: upright, on white, the largest square in its middle resized to
size x size, values 0..255. A service does the same with pictures that are sent to it. The set is grey,
(1, size, size), when red, green and blue are equal in every image, else (3, size, size).

Files are the user's own, but pictures come from anywhere: only the decoders for PNG and JPEG run, an image of more
than 64 million pixels is refused by its header before a pixel is decoded, and one that ends early or does not
decode is refused. Every refusal names the file. Other files beside the images (a README, a thumbnail cache) are
left out and counted in the set's `source`; links to folders are not followed.
"""

import csv
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.datasets.labelled import DataError, LabelledData
from model.inputs import ImageInput
from model.inputs.picture import BadPicture, TooManyPixels, read_picture

SUFFIXES = (".png", ".jpg", ".jpeg")
LIST_FILE = "labels.csv"
DEFAULT_SIZE = 32
SIZES = (4, 512)
MOST_PIXELS = 64_000_000
_FILE_COLUMN = "file"
_LABEL_COLUMN = "label"


def is_image_folder(folder: Path) -> bool:
    """Whether the folder holds a list of images, or images in itself or in a folder right below it."""
    return (folder / LIST_FILE).is_file() or any(
        _is_image(path) or (_is_class(path) and any(map(_is_image, path.iterdir())))
        for path in folder.iterdir()
    )


def load_images(
    folder: Path, *, name: str, size: int | None = None, label: str | None = None
) -> LabelledData:
    """Load a folder of images.

    Args:
        folder: one sub-folder a class, or images with a `labels.csv`, which wins where it is there.
        name: short name of the data set.
        size: side of the square every image is brought to, 4 to 512; None is 32.
        label: the column of `labels.csv` that has the classes; None is "label".

    Returns:
        x float32 (N, C, size, size) in 0..255, C 1 for grey and 3 for colour; classes in alphabetical order,
        files in the order of their names, or of the list.

    Raises:
        DataError: the folder has no classes, or a file cannot be decoded; names the file.
    """
    side = DEFAULT_SIZE if size is None else size
    if not SIZES[0] <= side <= SIZES[1]:
        raise DataError(f"The image size must be {SIZES[0]} to {SIZES[1]} pixels a side, not {side}.")
    try:
        if (folder / LIST_FILE).is_file():
            files, labels = _listed(folder, label or _LABEL_COLUMN)
            others = 0
        elif label is not None:
            raise DataError(
                f"{folder} has no {LIST_FILE} with a column {label!r}. Put it there, or leave out --label."
            )
        else:
            files, labels, others = _in_folders(folder)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}). Check its permissions."
        ) from error
    pixels = np.empty((len(files), side, side, 3), dtype=np.uint8)
    for i, file in enumerate(files):
        pixels[i] = read_image(file, side)
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())
    x = pixels[..., :1] if grey else pixels
    names, y = np.unique(np.array(labels), return_inverse=True)
    left_out = f"; {others} other files left out" if others else ""
    return LabelledData(
        name=name,
        input=ImageInput(shape=(x.shape[3], side, side), minimum=0, maximum=255),
        x=np.ascontiguousarray(x.transpose(0, 3, 1, 2), dtype=np.float32),
        y=y.astype(np.int64),
        labels=tuple(map(str, names)),
        source=f"{len(files)} {'grey' if grey else 'colour'} images of the folder {name}, the middle square of each "
        f"resized to {side}x{side}{left_out}",
    )


def read_image(path: Path, side: int) -> NDArray[np.uint8]:
    """Decode one file and bring it to a square: see the top of this file.

    Returns:
        uint8 (side, side, 3), red, green, blue.

    Raises:
        DataError: it is too large or does not decode; names the file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large and odd files; the large are refused
        try:
            return read_picture(path, height=side, width=side, most_pixels=MOST_PIXELS)
        except TooManyPixels as error:
            raise _bad(path, str(error), "Make it smaller.") from error
        except BadPicture as error:
            raise _bad(path, str(error)) from error


def _in_folders(folder: Path) -> tuple[list[Path], list[str], int]:
    """Return the images in the sub-folders, their classes, and how many other files there were."""
    files: list[Path] = []
    labels: list[str] = []
    others = 0
    for child in sorted(folder.iterdir()):
        if not _is_class(child):
            if _is_image(child):
                raise DataError(
                    f"{child} lies beside the class folders. Move it into one, or add a {LIST_FILE} with the "
                    "columns file and label."
                )
            others += not child.name.startswith(".")
            continue
        here = sorted(child.iterdir())
        found = [path for path in here if _is_image(path)]
        if not found:
            raise DataError(
                f"{child} holds no PNG or JPEG files. Put the images of the class {child.name!r} there, or remove it."
            )
        files += found
        labels += [child.name] * len(found)
        others += sum(not path.name.startswith(".") for path in here) - len(found)
    if not files:
        raise DataError(f"{folder} has no folder for each class with PNG or JPEG files, and no {LIST_FILE}.")
    return files, labels, others


def _listed(folder: Path, label: str) -> tuple[list[Path], list[str]]:
    """Return the files that `labels.csv` lists, and their classes."""
    path = folder / LIST_FILE
    files: list[Path] = []
    labels: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.DictReader(text, strict=True)
            columns: Sequence[str] = rows.fieldnames or []
            for column in (_FILE_COLUMN, label):
                if column not in columns:
                    raise DataError(
                        f"{path} has no column {column!r}; it has {', '.join(columns) or 'none'}."
                    )
            for row in rows:
                file, name = row[_FILE_COLUMN], row[label]
                if not file or not name:
                    raise DataError(f"{path}, line {rows.line_num}: a file and its {label} are needed.")
                files.append(_inside(folder, file, f"{path}, line {rows.line_num}"))
                labels.append(name)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8 ({error}). Save it as one.") from error
    if not files:
        raise DataError(f"{path} lists no files.")
    return files, labels


def _inside(folder: Path, file: str, where: str) -> Path:
    """Return a listed file, refusing what is not there or not in the folder."""
    path = folder / file
    if "\0" in file or Path(file).is_absolute() or ".." in Path(file).parts:
        raise DataError(f"{where}: {file!r} is not inside the folder. Give names relative to it.")
    if not path.is_file():
        raise DataError(f"{where}: there is no file {file!r} in the folder.")
    return path


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _is_class(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _bad(
    path: Path, problem: str, remedy: str = "Replace it with an undamaged copy, or remove it."
) -> DataError:
    return DataError(f"{path} {problem}. {remedy}")
