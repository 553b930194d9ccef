"""One file of a public data set: from the data folder, or fetched into it, and in both cases the right one.

MNIST and its kin have a module of their own (`model/datasets/published.py`), since their files come zipped or
not. A data set of any other form lists its files as `PublishedFile`s and reads what `obtain` returns. The
SHA-256 are of the files as they were when this was written: a publisher who changes one gives another data
set, on which figures measured here say nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import httpx

from model.datasets.download import download, file_digest
from model.datasets.labelled import DataError


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file.

    Attributes:
        name: in the data set's folder.
        address: where it is published.
        sha256: of the published file.
        repacked: of archives made anew from the very same content, which are as good.
    """

    name: str
    address: str
    sha256: str
    repacked: tuple[str, ...] = ()


def obtain(file: PublishedFile, folder: Path, *, client: httpx.Client) -> Path:
    """Return the path of the file in `folder`, after a download where it was absent.

    Raises:
        DataError: the download failed, or what lies there is another file.
    """
    path = folder / file.name
    if not path.is_file():
        download(file.address, path, sha256=file.sha256, client=client)
        return path
    try:
        digest = file_digest(path, "sha256")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
    if digest not in (file.sha256, *file.repacked):
        raise DataError(
            f"{path} is not the published file: its SHA-256 is not {file.sha256}. "
            "Delete it, and it is downloaded again."
        )
    return path
