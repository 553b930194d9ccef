"""Labelled data sets, by name or from a folder of the user's own.

    digits           comes with scikit-learn; no download
    mnist            70,000 digits of 28x28, downloaded into the data folder when absent
    fashion-mnist    70,000 articles of clothing of 28x28, likewise
    a path           a folder with four IDX files, see `model/datasets/idx.py`

Every loader returns the whole set in memory, official test part included; `model.datasets.split` decides what
is fitted on, what calibrates, and what stays unseen.
"""

from pathlib import Path

import httpx

from model.datasets.digits import load_digits
from model.datasets.idx import load_idx
from model.datasets.labelled import DataError, LabelledData
from model.datasets.published import PUBLISHED, load_published

__all__ = ["DATASETS", "DataError", "LabelledData", "load_dataset"]

DATASETS = ("digits", *PUBLISHED)
_DOWNLOAD_TIMEOUT_S = 30.0


def load_dataset(
    name_or_path: str, *, data_dir: Path | None, transport: httpx.BaseTransport | None = None
) -> LabelledData:
    """Load a data set.

    Args:
        name_or_path: one of `DATASETS`, or the path of a folder with four IDX files. A name wins over a
            folder of the same name; write "./mnist" for the folder.
        data_dir: the folder that holds one folder for each downloaded data set. Needed for these only.
        transport: carries the downloads; None is httpx's own.

    Returns:
        the whole data set, raw values.

    Raises:
        DataError: there is no such data set, or it cannot be read or downloaded; the message says what to do.
    """
    if name_or_path == "digits":
        return load_digits()
    if name_or_path in PUBLISHED:
        if data_dir is None:
            raise DataError(
                f"{name_or_path} needs a data folder to read from or download to. "
                "Name one with --data or FIRSTSEEN_DATA, or train on digits, which needs none."
            )
        with httpx.Client(transport=transport, follow_redirects=True, timeout=_DOWNLOAD_TIMEOUT_S) as client:
            published = PUBLISHED[name_or_path]
            return load_published(name_or_path, published, data_dir / name_or_path, client=client)
    folder = Path(name_or_path)
    if not folder.is_dir():
        raise DataError(
            f"There is no data set {name_or_path!r}. Give one of {', '.join(DATASETS)}, "
            "or the path of a folder with the four IDX files of a data set like MNIST."
        )
    name = folder.resolve().name
    return load_idx(folder, name=name, source=f"IDX files of the folder {name}")
