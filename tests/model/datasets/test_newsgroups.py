import hashlib
import io
import tarfile
from pathlib import Path

import httpx
import pytest

from model.datasets.labelled import DataError, LabelledData
from model.datasets.newsgroups import body_of, load_newsgroups
from model.datasets.published_file import PublishedFile

POST = """From: someone@example.org
Subject: Re: orbits
Organization: Somewhere

In article <1@x> other@example.org writes:
> The moon is far away.
| Quoted otherwise.
It is not that far.

A second thought, which is as long as the first one
and goes on
and on.

--
Some One, someone@example.org
"""


def archive(posts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, raw in posts.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return stream.getvalue()


def loaded(folder: Path, raw: bytes) -> LabelledData:
    file = PublishedFile(name="x.tar.gz", address="https://x", sha256=hashlib.sha256(raw).hexdigest())
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=raw))
    return load_newsgroups(folder, client=httpx.Client(transport=transport), file=file)


def test_only_what_the_author_wrote_is_left() -> None:
    """No header, no quotation nor its announcement, no signature."""
    assert (
        "It is not that far.\n\nA second thought, which is as long as the first one\nand goes on\nand on."
        == body_of(POST)
    )


@pytest.mark.parametrize(
    ("post", "body"),
    [
        ("A: b\n\nshort", "short"),
        ("A: b\r\n\r\none\r\ntwo", "one\ntwo"),
        ("A: b\n\none\n\ntwo", "one\n\ntwo"),
        ("A: b\n\none\ntwo\n\nme", "one\ntwo"),
        ("A: b\n\none\n\n1\n2\n3\n4\n5\n6\n7\n8\n9", "one\n\n1\n2\n3\n4\n5\n6\n7\n8\n9"),
        ("A: b\n\n> all of it", ""),
        ("A: b\n\n-----\n", ""),
        ("no body", ""),
        ("", ""),
    ],
)
def test_short_posts(post: str, body: str) -> None:
    """A last part is a signature only where it is short beside the rest; nothing may be left."""
    assert body == body_of(post)


def test_groups_are_classes_and_empty_posts_are_left_out(tmp_path: Path) -> None:
    """In the order of the names, read as Latin-1, folders passed over."""
    data = loaded(
        tmp_path,
        archive(
            {
                "20news-bydate-train/sci.space/2": b"A: b\n\nCaf\xe9 on the moon",
                "20news-bydate-test/rec.autos/1": b"A: b\n\na car",
                "20news-bydate-test/rec.autos/3": b"A: b\n\n> quoted",
                "README": b"not a post",
            }
        ),
    )

    assert ["a car", "Café on the moon"] == data.x.tolist()
    assert ("rec.autos", "sci.space") == data.labels
    assert "nothing of 1 posts" in data.source


@pytest.mark.parametrize(
    "raw", [b"", b"no archive", archive({"a/b/c": b"x" * 5000})[:-60]], ids=["empty", "none", "cut"]
)
def test_a_broken_archive_is_refused(tmp_path: Path, raw: bytes) -> None:
    """With what to do."""
    with pytest.raises(DataError, match="is truncated or no archive"):
        loaded(tmp_path, raw)
