import hashlib
from pathlib import Path

import httpx
import pytest

from model.datasets.labelled import DataError, LabelledData
from model.datasets.published_file import PublishedFile
from model.datasets.stackoverflow import LABELS, load_stackoverflow


def loaded(folder: Path, titles: str, tags: str) -> LabelledData:
    files = {
        f"https://x/{name}": (name, text.encode())
        for name, text in (("titles.txt", titles), ("tags.txt", tags))
    }
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=files[str(request.url)][1]))
    published = [
        PublishedFile(name=name, address=address, sha256=hashlib.sha256(raw).hexdigest())
        for address, (name, raw) in files.items()
    ]
    return load_stackoverflow(
        folder, client=httpx.Client(transport=transport), titles=published[0], tags=published[1]
    )


def test_each_title_gets_the_name_of_its_tag(tmp_path: Path) -> None:
    """Tags count from 1."""
    data = loaded(tmp_path, "What is LINQ?\nUndo a commit\nWhy two?\n", "18\n3\n18\n")

    assert ["What is LINQ?", "Undo a commit", "Why two?"] == data.x.tolist()
    assert ["linq", "svn", "linq"] == [data.labels[k] for k in data.y]
    assert 20 == len(set(LABELS))


@pytest.mark.parametrize(
    ("titles", "tags", "says"),
    [
        ("a\nb\n", "1\n21\n", "not a list of tags from 1 to 20"),
        ("a\nb\n", "1\nx\n", "not a list of tags from 1 to 20"),
        ("a\nb\n", "1\n", "has 2 titles and tags.txt 1 tags"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, titles: str, tags: str, says: str) -> None:
    """With what to do."""
    with pytest.raises(DataError, match=says):
        loaded(tmp_path, titles, tags)
