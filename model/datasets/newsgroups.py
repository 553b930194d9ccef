"""20 Newsgroups: some 18,000 posts to 20 discussion groups, the "bydate" version, train and test part joined.

A post says too much: its header names the group, the software and the organisation, a signature the author, and
a quotation what another post said. What is learnt from these does not hold for tomorrow's posts, so they are
taken out, as the literature does since scikit-learn's `remove=("headers", "footers", "quotes")`:

    header      everything up to the first empty line
    signature   the last part after an empty line or a line of dashes, where it is short beside the rest
    quotation   lines that begin with > or |, and the line that announces them ("... writes:")

Posts of which nothing is left are left out, some 3 in 100. The archive is read in place, never unpacked.

Reference:
    Lang, NewsWeeder: learning to filter netnews. ICML 1995; the bydate version by Rennie,
    http://qwone.com/~jason/20Newsgroups/.
"""

import re
import tarfile
import zlib
from pathlib import Path

import httpx

from model.datasets.labelled import DataError, LabelledData
from model.datasets.published_file import PublishedFile, obtain
from model.datasets.texts import text_data

FILE = PublishedFile(
    name="20news-bydate.tar.gz",
    address="https://ndownloader.figshare.com/files/5975967",
    sha256="8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610",
    repacked=("ffead941a4433074b5eb26fa5c7943c4fe02a9a3c97c93ec3d9aa665676cb8d8",),
)
_ANNOUNCES = re.compile(r"(writes|wrote|says|said)(:| in )|^In article|^Quoted from", re.IGNORECASE)
_LONGEST_SIGNATURE_LINES = 8


def load_newsgroups(folder: Path, *, client: httpx.Client, file: PublishedFile = FILE) -> LabelledData:
    """Load the posts from a folder, downloading the archive where it is absent.

    Args:
        folder: where the archive is, or is to be put.
        client: used only for what is absent.
        file: the archive; another one for tests.

    Returns:
        the posts in alphabetical order of their names in the archive, test part first.

    Raises:
        DataError: the download failed, or the archive is broken or not the published one.
    """
    path = obtain(file, folder, client=client)
    posts: list[tuple[str, str, str]] = []
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                parts = member.name.split("/")
                stream = archive.extractfile(member) if member.isfile() and len(parts) >= 3 else None
                if stream is not None:
                    text = body_of(stream.read().decode("latin-1"))
                    posts.append((member.name, parts[-2], text))
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{path} is truncated or no archive ({error}). Delete it; it is downloaded again."
        ) from error
    posts.sort()
    told = [(group, text) for _, group, text in posts if text]
    empty = len(posts) - len(told)
    return text_data(
        [text for _, text in told],
        [group for group, _ in told],
        name="20newsgroups",
        source=f"20 Newsgroups by date, {file.address}; without headers, signatures and quotations, which leaves "
        f"nothing of {empty} posts",
    )


def body_of(post: str) -> str:
    """Return what the author of a post wrote in it, stripped; possibly nothing."""
    _, _, body = post.replace("\r\n", "\n").partition("\n\n")
    own = [
        line
        for line in body.split("\n")
        if not line.lstrip().startswith((">", "|")) and not _ANNOUNCES.search(line)
    ]
    return "\n".join(_without_signature(own)).strip()


def _without_signature(lines: list[str]) -> list[str]:
    """Cut the last block of a post, if a break sets it off and it is short."""
    while lines and not lines[-1].strip(" -"):
        lines = lines[:-1]
    breaks = [n for n, line in enumerate(lines) if not line.strip(" -")]
    if breaks and breaks[-1] > 0 and len(lines) - breaks[-1] - 1 <= _LONGEST_SIGNATURE_LINES:
        rest = lines[: breaks[-1]]
        if any(line.strip() for line in rest) and len(lines) - len(rest) <= len(rest):
            return rest
    return lines
