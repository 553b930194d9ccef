"""How far a run came: a small file that is replaced as a whole, after the output it speaks of is on disk.

    write verdicts ─► fsync output ─► write new checkpoint ─► fsync ─► rename over the old

Killed anywhere in between, the checkpoint says less than the output has, never more; the rest is cut off and done
again.
"""

import os
from pathlib import Path

import msgspec

from service.errors import ClientError
from service.lines.sources import Fingerprint, Place

VERSION = 1


class CheckpointUnreadable(ClientError):
    """The file is no checkpoint of this version of firstseen."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run came.

    Attributes:
        run: Drawn when it began; ids of a pipe's items come from it.
        fingerprints: Of the inputs, in order.
        place: In the input.
        output: Bytes of the output.
        tail: Digest of the end of these (`service.lines.output`).
        counts: By kind of answer, for the summary.
        stream: Where the items go; "" is the default one.
    """

    run: str
    fingerprints: tuple[Fingerprint, ...]
    place: Place = Place()
    output: int = 0
    tail: str = ""
    counts: dict[str, int] = {}
    stream: str = ""
    version: int = VERSION


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint; None where there is none yet.

    Raises:
        CheckpointUnreadable: The file is something else.
    """
    try:
        said = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointUnreadable(f"{path} cannot be read: {error.strerror}.") from None
    try:
        found = msgspec.json.decode(said, type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if found is None or found.version != VERSION:
        raise CheckpointUnreadable(
            f"{path} is no checkpoint of this firstseen; give another --checkpoint, or remove it to begin anew."
        )
    return found


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint, durably; the output must be on disk already.

    Raises:
        OSError: It cannot be written.
    """
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(msgspec.json.encode(checkpoint) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
