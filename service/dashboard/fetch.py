"""`python -m service.dashboard.fetch`: get the page's libraries into `service/dashboard/vendor/`, once.

    registry ─► archive ─► SHA-512 as in libraries.py? ─► the named files ─► vendor/NAME-VERSION/
                                 │ no
                                 ▼
                          nothing is written

A folder is complete when its last file, `.integrity`, says what was taken; what is complete is left alone, and the
registry is not asked. A folder that no library has any more is removed. Only the standard library is needed, so that an
image can do this before anything is installed. Proxies are those of the environment, as `urllib` has them.
"""

import argparse
import base64
import hashlib
import io
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from service.dashboard.libraries import LIBRARIES, Library

VENDOR: Final = Path(__file__).parent / "vendor"
REGISTRY: Final = "https://registry.npmjs.org"

_DONE: Final = ".integrity"
_LARGEST_BYTES: Final = 32 * 1024 * 1024
_TIMEOUT_S: Final = 60.0

Get = Callable[[str], bytes]
"""The body at an address. OSError: it cannot be had."""


class CannotFetch(Exception):
    """A library cannot be had, or is not the one that was asked for."""


def missing(vendor: Path = VENDOR, libraries: Sequence[Library] = LIBRARIES) -> tuple[Library, ...]:
    """The libraries that are not there, or not completely."""
    return tuple(library for library in libraries if not _is_there(vendor / library.folder, library))


def fetch(
    get: Get,
    *,
    vendor: Path = VENDOR,
    libraries: Sequence[Library] = LIBRARIES,
    registry: str = REGISTRY,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Get what is missing, and remove what is not wanted any more.

    Raises:
        CannotFetch: The registry cannot be reached, or gives something else; the message says what to do.
    """
    for library in missing(vendor, libraries):
        url = f"{registry.rstrip('/')}/{library.archive}"
        tell(f"{library.name} {library.version} from {url} ...")
        try:
            archive = get(url)
        except OSError as error:
            raise CannotFetch(
                f"{url} cannot be had ({error}). The dashboard needs it, once; the rest of firstseen does not. Run "
                "`python -m service.dashboard.fetch` where there is a network, with --registry if npm has a mirror."
            ) from error
        _check(archive, library, url)
        _unpack(archive, library, vendor / library.folder)
    if vendor.is_dir():
        wanted = {library.folder for library in libraries}
        for old in vendor.iterdir():
            if old.is_dir() and old.name not in wanted:
                shutil.rmtree(old)


def _is_there(folder: Path, library: Library) -> bool:
    done = folder / _DONE
    return (
        done.is_file()
        and done.read_text(encoding="ascii").strip() == library.integrity
        and all((folder / name).is_file() for name in library.files.values())
    )


def _check(archive: bytes, library: Library, url: str) -> None:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if digest != library.integrity:
        raise CannotFetch(
            f"{url} is not {library.name} {library.version} as it was published: its {digest} should be "
            f"{library.integrity}. Nothing was written; ask another registry (--registry)."
        )


def _unpack(archive: bytes, library: Library, folder: Path) -> None:
    """Only the files that are named; no path of the archive is ever used to write."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        for path, name in library.files.items():
            try:
                member = packed.extractfile(path)
            except KeyError:
                member = None
            if member is None:
                raise CannotFetch(
                    f"{library.name} {library.version} has no file {path}. This is a bug in firstseen."
                )
            (folder / name).write_bytes(member.read())
    (folder / _DONE).write_text(library.integrity + "\n", encoding="ascii")


def _download(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise OSError("a registry has an address that starts with https://")
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked above
        body: bytes = answer.read(_LARGEST_BYTES + 1)
    if len(body) > _LARGEST_BYTES:
        raise OSError(f"it is larger than {_LARGEST_BYTES} bytes")
    return body


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m service.dashboard.fetch",
        description="Get the libraries of the dashboard. Does nothing where they are already.",
    )
    parser.add_argument("--registry", default=REGISTRY, help="npm's, or a mirror of it (%(default)s)")
    asked = parser.parse_args(arguments)
    try:
        fetch(_download, registry=asked.registry, tell=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 - a command
    except CannotFetch as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
