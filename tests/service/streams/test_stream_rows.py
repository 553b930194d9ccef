"""What is told of a stream in a list."""

import pytest

from service.state.names import StoredStream
from service.streams.stream_rows import StreamRow, row_of


@pytest.mark.parametrize(
    ("failure", "owner", "seq", "reason"),
    [
        (None, None, 7, "not open here; its first use opens it"),
        (None, "host-1", 7, "another process (host-1) owns the stream"),
        (None, None, None, "its state is of bundle b"),
        ("no snapshot is intact", None, 7, "no snapshot is intact"),
        ("no snapshot is intact", "host-1", None, "no snapshot is intact"),
    ],
)
def test_one_that_is_not_open(failure: str | None, owner: str | None, seq: int | None, reason: str) -> None:
    """Is not ready, for the reason that says most."""
    stored = StoredStream(name="a", bundle_id="b", seq=seq, epoch=3, owner=owner)

    assert StreamRow(name="a", ready=False, reason=reason, seq=seq, epoch=3) == row_of(
        "a", stream=None, failure=failure, stored=stored
    )
