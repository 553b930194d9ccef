"""A checkpoint is there as a whole or not at all."""

from pathlib import Path

import pytest

from service.lines.checkpoint import (
    VERSION,
    Checkpoint,
    CheckpointUnreadable,
    read_checkpoint,
    write_checkpoint,
)
from service.lines.sources import Fingerprint, Place

CHECKPOINT = Checkpoint(
    run="abc",
    fingerprints=(Fingerprint(size=3, digest="00"),),
    place=Place(file=0, offset=3, line=1),
    output=17,
    tail="11",
    counts={"known": 1},
)


def test_round_trip(tmp_path: Path) -> None:
    """What was written is read, the last one; nothing else is left in the folder."""
    path = tmp_path / "progress.json"
    write_checkpoint(path, Checkpoint(run="before", fingerprints=()))
    write_checkpoint(path, CHECKPOINT)

    assert CHECKPOINT == read_checkpoint(path)
    assert [path] == list(tmp_path.iterdir())


def test_none_yet(tmp_path: Path) -> None:
    """A run begins."""
    assert read_checkpoint(tmp_path / "none.json") is None


@pytest.mark.parametrize("said", [b"", b"{}", b'{"run": 1}', b"\xff", b"verdicts\n"])
def test_what_is_no_checkpoint_is_not_overwritten(tmp_path: Path, said: bytes) -> None:
    """It may be someone's file."""
    path = tmp_path / "letter.txt"
    path.write_bytes(said)

    with pytest.raises(CheckpointUnreadable, match="another --checkpoint"):
        read_checkpoint(path)
    assert said == path.read_bytes()


def test_a_newer_one(tmp_path: Path) -> None:
    """Is not guessed at."""
    path = tmp_path / "progress.json"
    write_checkpoint(path, Checkpoint(run="a", fingerprints=(), version=VERSION + 1))

    with pytest.raises(CheckpointUnreadable):
        read_checkpoint(path)


def test_a_folder_is_none(tmp_path: Path) -> None:
    """Nor is what cannot be read."""
    with pytest.raises(CheckpointUnreadable, match="cannot be read"):
        read_checkpoint(tmp_path)
