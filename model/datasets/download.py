"""Fetch one file of a public data set and believe it only by its checksum.

The bytes stream into a temporary file beside their destination and are renamed there once the checksum fits,
so a file under its final name is always whole. Where publishers give a checksum it is theirs, an MD5: good
against a broken transfer, and all there is. Where they give none it is a SHA-256 of ours.
"""

import hashlib
import tempfile
from pathlib import Path

import httpx

from model.datasets.labelled import DataError


def download(
    address: str,
    destination: Path,
    *,
    client: httpx.Client,
    md5: str | None = None,
    sha256: str | None = None,
) -> None:
    """Fetch `address` into `destination`, creating its folder.

    Args:
        address: where the file is published.
        destination: the file to write.
        client: makes the one GET request.
        md5: its checksum, lower-case hexadecimal; this or
        sha256: that one, likewise.

    Raises:
        DataError: the network, the server, the disk or the checksum failed; names the address and the folder
            to put the file into by hand. Nothing is left behind.
    """
    algorithm, expected = ("sha256", sha256) if sha256 is not None else ("md5", md5)
    assert expected is not None, "a download without a checksum is not believed"
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".download-") as scratch:
            fetched = Path(scratch) / destination.name
            digest = _stream(address, fetched, client, algorithm)
            if digest != expected:
                name = {"md5": "MD5", "sha256": "SHA-256"}[algorithm]
                raise _by_hand(address, destination, f"what arrived has the {name} {digest}, not {expected}")
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
    return file_digest(path, "md5")


def file_digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, lower-case hexadecimal: "md5" or "sha256"."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: _new(algorithm)).hexdigest()


def _stream(address: str, path: Path, client: httpx.Client, algorithm: str) -> str:
    digest = _new(algorithm)
    with client.stream("GET", address) as response, path.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _new(algorithm: str) -> "hashlib._Hash":
    return hashlib.new(algorithm, usedforsecurity=False)


def _by_hand(address: str, destination: Path, problem: str) -> DataError:
    return DataError(
        f"{address} could not be downloaded: {problem}. Try again, or download it by other means and put it "
        f"into the folder {destination.parent} as {destination.name}."
    )
