"""The table of libraries: exact versions, whole hashes, and the names under which the page asks for them."""

import re

import pytest

from service.dashboard.files import STATIC
from service.dashboard.libraries import LIBRARIES, Library


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_it_is_pinned(library: Library) -> None:
    """A version is a version, a hash is of 64 bytes, and its licence comes along."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", library.version)
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", library.integrity)
    assert "LICENSE.txt" in library.files.values()
    assert f"{library.name}/-/{library.name}-{library.version}.tgz" == library.archive


def test_the_page_asks_for_what_is_fetched_and_for_no_more() -> None:
    """Another version needs another address: one that was forgotten would be found here."""
    text = "\n".join(p.read_text(encoding="utf-8") for p in STATIC.rglob("*") if p.suffix in {".html", ".js"})
    asked = set(re.findall(r"vendor/([\w.-]+/[\w.-]+)\"", text))
    fetched = {f"{library.folder}/{name}" for library in LIBRARIES for name in library.files.values()}

    assert asked == {path for path in fetched if not path.endswith(".txt")}
