"""Labelled data sets, by name or from a folder of the user's own.

    digits           comes with scikit-learn; no download
    mnist            70,000 digits of 28x28, downloaded into the data folder when absent
    fashion-mnist    70,000 articles of clothing of 28x28, likewise
    clinc150         23,700 short questions, 150 intents and "oos", likewise
    20newsgroups     18,000 posts to 20 discussion groups, likewise
    stackoverflow    20,000 titles of questions, 20 tags, likewise
    cifar10          60,000 colour photographs of 32x32, likewise
    nsl-kdd          47,736 connections of a network, normal and 39 attacks, likewise
    a folder         of PNG and JPEG images, a sub-folder a class, see `model/datasets/images.py`; or with four
                     IDX files, see `model/datasets/idx.py`
    an export        the folder that `firstseen export` wrote, see `model/datasets/exported.py`; another data set may
                     be put beside it
    a file           of texts, csv, tsv or jsonl, given its columns, see `model/datasets/text_file.py`; a table,
                     csv, tsv, jsonl or parquet, given its label, see `model/datasets/table.py`; arrays of images
                     or vectors, npz, see `model/datasets/npz.py`

Every loader returns the whole set in memory, official test part included; `model.datasets.split` decides what
is fitted on, what calibrates, and what stays unseen.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from model.datasets.cifar import load_cifar10
from model.datasets.clinc150 import load_clinc150
from model.datasets.digits import load_digits
from model.datasets.exported import beside as put_beside
from model.datasets.exported import export_kind, is_export, known_to, load_export
from model.datasets.idx import FILES, find_file, load_idx
from model.datasets.images import LIST_FILE, is_image_folder, load_images
from model.datasets.labelled import DataError, LabelledData, shown
from model.datasets.newsgroups import load_newsgroups
from model.datasets.npz import holds_images, images_of, read_npz
from model.datasets.nsl_kdd import load_nsl_kdd
from model.datasets.published import PUBLISHED, load_published
from model.datasets.rows import form_of
from model.datasets.stackoverflow import load_stackoverflow
from model.datasets.table import load_table, table_of_vectors
from model.datasets.table_file import is_table, open_table
from model.datasets.text_file import load_text_file

__all__ = [
    "DATASETS",
    "TEXTS",
    "DataError",
    "LabelledData",
    "input_kind",
    "is_file",
    "is_folder",
    "load_dataset",
]

TEXTS: Mapping[str, Callable[..., LabelledData]] = {
    "clinc150": load_clinc150,
    "20newsgroups": load_newsgroups,
    "stackoverflow": load_stackoverflow,
}
"""The published data sets of texts: each is loaded from its folder, with a client for what is absent."""

DATASETS = ("digits", *PUBLISHED, "cifar10", *TEXTS, "nsl-kdd")
_DOWNLOAD_TIMEOUT_S = 30.0
_ARRAYS = ".npz"


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no path can have is one that is not there, where pathlib fails."""
    return os.path.isfile(path)  # noqa: PTH113  # see above


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, likewise."""
    return os.path.isdir(path)  # noqa: PTH112  # see above


def input_kind(name_or_path: str, *, text: str | None = None) -> str:
    """Say which kind of input a data set has, without reading its items: "image", "text" or "table".

    Args:
        name_or_path: as for `load_dataset`.
        text: the column of the texts; a file for which one is given is one of texts.

    Raises:
        DataError: an .npz file cannot be read. What is not there counts as images; `load_dataset` says so.
    """
    path = Path(name_or_path)
    if name_or_path not in DATASETS and is_folder(path) and is_export(path):
        return export_kind(path)
    if name_or_path in TEXTS or text is not None:
        return "text"
    if name_or_path == "nsl-kdd" or (name_or_path not in DATASETS and is_file(path) and is_table(path)):
        return "table"
    if name_or_path not in DATASETS and is_file(path) and path.suffix.lower() == _ARRAYS:
        return "image" if holds_images(path) else "table"
    return "image"


def load_dataset(
    name_or_path: str,
    *,
    data_dir: Path | None,
    label: str | None = None,
    text: str | None = None,
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    image_size: int | None = None,
    beside: str | None = None,
    transport: httpx.BaseTransport | None = None,
) -> LabelledData:
    """Load a data set.

    Args:
        name_or_path: one of `DATASETS`, or the path of a folder or file as listed above. A name wins over a
            folder of the same name; write "./mnist" for the folder.
        data_dir: the folder that holds one folder for each downloaded data set. Needed for these only.
        label: the column of the classes, for a file, for a folder of images with a list, and for nsl-kdd.
        text: the column of the texts, for a file of texts.
        categories: columns of a table to take as categories, though they hold numbers.
        drop: columns of a table to leave out.
        image_size: the side that the images of a folder are brought to.
        beside: for an export: a data set to put beside it, which the options above are then of.
        transport: carries the downloads; None is httpx's own.

    Returns:
        the whole data set, raw values.

    Raises:
        DataError: there is no such data set, it cannot be read or downloaded, or it does not take an option; the
            message says what to do.
    """
    path = Path(name_or_path)
    given = {
        name
        for name, value in (
            ("label", label), ("text", text), ("categories", categories), ("drop", drop), ("image-size", image_size)
        )
        if value not in (None, ())
    }  # fmt: skip
    if name_or_path not in DATASETS and is_folder(path) and is_export(path):
        export = load_export(path, decided_only=beside is not None)
        if beside is None:
            _check_options(path.name, given, takes=())
            return export
        other = load_dataset(
            beside,
            data_dir=data_dir,
            label=label,
            text=text,
            categories=categories,
            drop=drop,
            image_size=image_size,
            transport=transport,
        )
        return put_beside(export, other, known_to(path))
    if beside is not None:
        raise DataError(
            f"Only what `firstseen export` wrote can have a data set beside it, and {shown(name_or_path)} is no such "
            "folder. Leave --with out."
        )
    if name_or_path == "digits":
        _check_options(name_or_path, given, takes=())
        return load_digits()
    if name_or_path in DATASETS:
        _check_options(name_or_path, given, takes=("label",) if name_or_path == "nsl-kdd" else ())
        if data_dir is None:
            raise DataError(
                f"{name_or_path} needs a data folder to read from or download to. "
                "Name one with --data or FIRSTSEEN_DATA, or train on digits, which needs none."
            )
        with httpx.Client(transport=transport, follow_redirects=True, timeout=_DOWNLOAD_TIMEOUT_S) as client:
            return _load_published(name_or_path, data_dir / name_or_path, client=client, label=label)
    if is_file(path):
        if text is not None and form_of(path) is not None:
            _check_options(path.name, given, takes=("label", "text"))
            if label is None:
                raise DataError(
                    f"{path.name} has a column of texts: name the one of classes with --label, too."
                )
            return load_text_file(path, text=text, label=label)
        return _load_file(path, given, label=label, categories=categories, drop=drop)
    if not is_folder(path):
        raise DataError(
            f"There is no data set {shown(name_or_path)}. Give one of {', '.join(DATASETS)}; the path of a folder of "
            "images, a sub-folder a class, or with the four IDX files of a data set like MNIST; or of a file: csv, "
            "tsv, jsonl, parquet or npz."
        )
    return _load_folder(path, given, size=image_size, label=label)


def _load_published(name: str, folder: Path, *, client: httpx.Client, label: str | None) -> LabelledData:
    if name in TEXTS:
        return TEXTS[name](folder, client=client)
    if name == "cifar10":
        return load_cifar10(folder, client=client)
    if name == "nsl-kdd":
        return load_nsl_kdd(folder, client=client, label=label)
    return load_published(name, PUBLISHED[name], folder, client=client)


def _load_folder(path: Path, given: set[str], *, size: int | None, label: str | None) -> LabelledData:
    """Load images or IDX files."""
    name = path.resolve().name
    holds_idx = not is_image_folder(path) and any(find_file(path, file) for file in FILES)
    _check_options(name, given, takes=() if holds_idx else ("label", "image-size"))
    if holds_idx:
        return load_idx(path, name=name, source=f"IDX files of the folder {name}")
    if not is_image_folder(path):
        raise DataError(
            f"{path} has no PNG or JPEG in it or in a sub-folder, and no IDX file. Put the images of each class, as "
            ".png, .jpg or .jpeg, into a sub-folder with its name (others, such as .webp, converted); or all of them, "
            f"with a {LIST_FILE} of the columns file and label."
        )
    return load_images(path, name=name, size=size, label=label)


def _load_file(
    path: Path, given: set[str], *, label: str | None, categories: Sequence[str], drop: Sequence[str]
) -> LabelledData:
    """Load a table or arrays."""
    name = path.name.partition(".")[0] or path.name
    if is_table(path):
        _check_options(path.name, given, takes=("label", "categories", "drop"))
        table = open_table(path)
        return load_table(table, called=path.name, name=name, label=label, categories=categories, drop=drop)
    if path.suffix.lower() != _ARRAYS:
        raise DataError(
            f"{path.name} is no data set by its name: give a csv, tsv, jsonl, parquet or npz file."
        )
    _check_options(path.name, given, takes=())
    arrays, source = read_npz(path), f"The arrays of the file {path.name}"
    if arrays["x"].ndim == 2:
        return table_of_vectors(arrays, path=path, name=name, source=source)
    return images_of(arrays, path=path, name=name, source=source)


def _check_options(name: str, given: set[str], *, takes: Sequence[str]) -> None:
    """Refuse what would be given in vain."""
    for option in sorted(given.difference(takes)):
        raise DataError(
            f"{name} takes no --{option}{' beside --text' if 'text' in given and option != 'text' else ''}. "
            "Leave it out."
        )
