"""Labelled data sets, by name or from a folder of the user's own.

    digits           comes with scikit-learn; no download
    mnist            70,000 digits of 28x28, downloaded into the data folder when absent
    fashion-mnist    70,000 articles of clothing of 28x28, likewise
    clinc150         23,700 short questions, 150 intents and "oos", likewise
    20newsgroups     18,000 posts to 20 discussion groups, likewise
    stackoverflow    20,000 titles of questions, 20 tags, likewise
    a folder         with four IDX files, see `model/datasets/idx.py`
    a file           of texts, csv, tsv or jsonl, given its columns, see `model/datasets/text_file.py`

Every loader returns the whole set in memory, official test part included; `model.datasets.split` decides what
is fitted on, what calibrates, and what stays unseen.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from model.datasets.clinc150 import load_clinc150
from model.datasets.digits import load_digits
from model.datasets.idx import load_idx
from model.datasets.labelled import DataError, LabelledData
from model.datasets.newsgroups import load_newsgroups
from model.datasets.published import PUBLISHED, load_published
from model.datasets.rows import form_of
from model.datasets.stackoverflow import load_stackoverflow
from model.datasets.text_file import load_text_file

__all__ = ["DATASETS", "TEXTS", "DataError", "LabelledData", "load_dataset"]

TEXTS: Mapping[str, Callable[..., LabelledData]] = {
    "clinc150": load_clinc150,
    "20newsgroups": load_newsgroups,
    "stackoverflow": load_stackoverflow,
}
"""The published data sets of texts: each is loaded from its folder, with a client for what is absent."""

DATASETS = ("digits", *PUBLISHED, *TEXTS)
_DOWNLOAD_TIMEOUT_S = 30.0


def load_dataset(
    name_or_path: str,
    *,
    data_dir: Path | None,
    label: str | None = None,
    text: str | None = None,
    transport: httpx.BaseTransport | None = None,
) -> LabelledData:
    """Load a data set.

    Args:
        name_or_path: one of `DATASETS`, or the path of a folder with four IDX files or of a file of texts. A
            name wins over a folder of the same name; write "./mnist" for the folder.
        data_dir: the folder that holds one folder for each downloaded data set. Needed for these only.
        label: the column of the classes, for a file.
        text: the column of the texts, for a file of texts.
        transport: carries the downloads; None is httpx's own.

    Returns:
        the whole data set, raw values.

    Raises:
        DataError: there is no such data set, or it cannot be read or downloaded; the message says what to do.
    """
    if name_or_path == "digits":
        return load_digits()
    if name_or_path in PUBLISHED or name_or_path in TEXTS:
        if data_dir is None:
            raise DataError(
                f"{name_or_path} needs a data folder to read from or download to. "
                "Name one with --data or FIRSTSEEN_DATA, or train on digits, which needs none."
            )
        with httpx.Client(transport=transport, follow_redirects=True, timeout=_DOWNLOAD_TIMEOUT_S) as client:
            folder = data_dir / name_or_path
            if name_or_path in TEXTS:
                return TEXTS[name_or_path](folder, client=client)
            return load_published(name_or_path, PUBLISHED[name_or_path], folder, client=client)
    folder = Path(name_or_path)
    if folder.is_file() and form_of(folder) is not None:
        if text is None or label is None:
            raise DataError(
                f"{folder.name} is a file of rows: name the columns of texts and of classes, "
                "such as --text question --label intent."
            )
        return load_text_file(folder, text=text, label=label)
    if not folder.is_dir():
        raise DataError(
            f"There is no data set {name_or_path!r}. Give one of {', '.join(DATASETS)}, the path of a folder "
            "with the four IDX files of a data set like MNIST, or of a csv, tsv or jsonl file of texts."
        )
    name = folder.resolve().name
    return load_idx(folder, name=name, source=f"IDX files of the folder {name}")
