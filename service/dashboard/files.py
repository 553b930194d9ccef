"""The files of the dashboard as they are served: read once, then looked up by name.

There is no path to be built from what a browser asks for: a name is in the table or it is not found, so nothing outside
of the two folders can ever be shown.

    /dashboard/js/main.js                ours: asked for again at each visit (ETag), since its name stays
    /dashboard/vendor/uplot-1.6.32/...   theirs: kept for ever, since the name has the version
"""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from service.dashboard.fetch import VENDOR, missing

STATIC: Final = Path(__file__).parent / "static"
PAGE: Final = "index.html"

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""By suffix; no other file is served."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One file. `is_immutable`: its name has its version, so what a browser has of it is right for ever."""

    body: bytes
    media_type: str
    is_immutable: bool

    @cached_property
    def etag(self) -> str:
        """Names these bytes; weak, since they may come compressed."""
        return f'W/"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @cached_property
    def gzipped(self) -> bytes:
        """The same bytes, compressed when first asked for; always the same."""
        return gzip.compress(self.body, 6, mtime=0)


class VendorMissing(Exception):
    """The libraries were not fetched; the message says what to run."""


def read_files(static: Path = STATIC, vendor: Path = VENDOR) -> Mapping[str, File]:
    """All files, by their path below `/dashboard/`.

    Raises:
        VendorMissing: There are libraries that were not fetched.
    """
    if absent := missing(vendor):
        names = " and ".join(f"{library.name} {library.version}" for library in absent)
        raise VendorMissing(
            f"The dashboard is not complete: {names} is missing. Run `python -m service.dashboard.fetch` (with a "
            "network, once) and start the service again. Everything else works; /docs has the API."
        )
    ours = {path: File(body=body, media_type=kind, is_immutable=False) for path, body, kind in _in(static)}
    theirs = {
        f"vendor/{path}": File(body=body, media_type=kind, is_immutable=True)
        for path, body, kind in _in(vendor)
    }
    return ours | theirs


def _in(folder: Path) -> Iterator[tuple[str, bytes, str]]:
    """(path, body, media type) of what may be served."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix in MEDIA_TYPES:
            yield file.relative_to(folder).as_posix(), file.read_bytes(), MEDIA_TYPES[file.suffix]
