"""StackOverflow: 20,000 titles of questions, 1,000 for each of 20 tags.

Two files of lines: the titles, and the number of each one's tag from 1.

Reference:
    Xu et al., Short Text Clustering via Convolutional Neural Networks. VSM-NLP workshop, NAACL 2015; the
    titles were published by Kaggle.
"""

from pathlib import Path

import httpx

from model.datasets.labelled import DataError, LabelledData
from model.datasets.published_file import PublishedFile, obtain
from model.datasets.texts import text_data

_ADDRESS = (
    "https://raw.githubusercontent.com/jacoxu/StackOverflow/7c207f51e649fff9e4736610b9d44431bb7ccf00/rawText/"
)
TITLES = PublishedFile(
    name="title_StackOverflow.txt",
    address=f"{_ADDRESS}title_StackOverflow.txt",
    sha256="56fdb3932c6a2e35c1943b8a3d3c1cf51901fc1139e51b1587091898ffb22e86",
)
TAGS = PublishedFile(
    name="label_StackOverflow.txt",
    address=f"{_ADDRESS}label_StackOverflow.txt",
    sha256="ac6b52afbf696611680f8ea944be682bcdf1979b62fde2b5fa2a9dcc6ab8d7d3",
)
LABELS = (
    "wordpress",
    "oracle",
    "svn",
    "apache",
    "excel",
    "matlab",
    "visual-studio",
    "cocoa",
    "osx",
    "bash",
    "spring",
    "hibernate",
    "scala",
    "sharepoint",
    "ajax",
    "qt",
    "drupal",
    "linq",
    "haskell",
    "magento",
)


def load_stackoverflow(
    folder: Path, *, client: httpx.Client, titles: PublishedFile = TITLES, tags: PublishedFile = TAGS
) -> LabelledData:
    """Load the titles from a folder, downloading what is absent.

    Args:
        folder: where the two files are, or are to be put.
        client: used only for what is absent.
        titles: the file of titles; another one for tests.
        tags: the file of tags, likewise.

    Returns:
        20,000 texts in the files' order.

    Raises:
        DataError: a download failed, or a file is broken or not the published one.
    """
    paths = [obtain(file, folder, client=client) for file in (titles, tags)]
    try:
        texts, numbers = (path.read_text(encoding="utf-8").splitlines() for path in paths)
        labels = [LABELS[int(number) - 1] for number in numbers]
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{paths[1]} is not a list of tags from 1 to {len(LABELS)} ({error}). Delete it; it is downloaded again."
        ) from error
    if len(texts) != len(labels):
        raise DataError(
            f"{paths[0]} has {len(texts)} titles and {paths[1].name} {len(labels)} tags. Delete both; they are "
            "downloaded again."
        )
    return text_data(
        texts, labels, name="stackoverflow", source=f"Titles of Stack Overflow, {titles.address}"
    )
