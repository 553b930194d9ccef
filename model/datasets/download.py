"""Fetch one file of a public data set and believe it only by its checksum.

The bytes stream into a temporary file beside their destination and are renamed there once the checksum fits,
so a file under its final name is always whole. The checksums are the publishers' own, which are MD5: good
against a broken transfer, and all there is.
"""

import hashlib
import tempfile
from pathlib import Path

import httpx

from model.datasets.labelled import DataError


def download(address: str, destination: Path, *, md5: str, client: httpx.Client) -> None:
    """Fetch `address` into `destination`, creating its folder.

    Args:
        address: where the file is published.
        destination: the file to write.
        md5: its checksum, lower-case hexadecimal.
        client: makes the one GET request.

    Raises:
        DataError: the network, the server, the disk or the checksum failed; names the address and the folder
            to put the file into by hand. Nothing is left behind.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".download-") as scratch:
            fetched = Path(scratch) / destination.name
            digest = _stream(address, fetched, client)
            if digest != md5:
                raise _by_hand(address, destination, f"what arrived has the MD5 {digest}, not {md5}")
            fetched.replace(destination)
    except httpx.HTTPError as error:
        raise _by_hand(address, destination, str(error) or type(error).__name__) from error
    except OSError as error:
        raise DataError(
            f"{destination} cannot be written ({error.strerror}). "
            "Choose a data folder that can be written to."
        ) from error


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, lower-case hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest()


def _stream(address: str, path: Path, client: httpx.Client) -> str:
    digest = _md5()
    with client.stream("GET", address) as response, path.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _by_hand(address: str, destination: Path, problem: str) -> DataError:
    return DataError(
        f"{address} could not be downloaded: {problem}. Try again, or download it by other means and put it "
        f"into the folder {destination.parent} as {destination.name}."
    )
