"""Checksums of batches."""

from dataclasses import replace

import pytest

from service.state.batches import Append, LogRecord, checksums, read_entry
from service.state.errors import LogCorrupt

BATCH = Append(first_seq=10, count=2, payload=b"p\xff", verdicts=[("a", b"1"), ("b", b"2")])


@pytest.mark.parametrize(
    "other",
    [
        replace(BATCH, first_seq=11),
        replace(BATCH, count=3),
        replace(BATCH, payload=b"p"),
        replace(BATCH, verdicts=[("a", b"1")]),
        replace(BATCH, verdicts=[("b", b"2"), ("a", b"1")]),
        replace(BATCH, verdicts=[("a", b"1b"), ("", b"2")]),
        replace(BATCH, verdicts=[("a1", b""), ("b", b"2")]),
    ],
)
def test_everything_counts(other: Append) -> None:
    """Any difference between two batches shows in their checksums, also one that only moves a boundary."""
    assert checksums(BATCH) != checksums(other)


def test_equal_batches() -> None:
    """An equal batch, made anew, has the same checksums: that is what makes it a resend."""
    again = Append(first_seq=10, count=2, payload=b"p\xff", verdicts=(("a", b"1"), ("b", b"2")))

    assert checksums(BATCH) == checksums(again)


def test_entry_is_read_back() -> None:
    """An entry gives the record that was appended."""
    fields = {b"n": b"2", b"p": b"p\xff", b"s": checksums(BATCH), b"e": b"1"}

    assert LogRecord(first_seq=10, count=2, payload=b"p\xff") == read_entry(b"10-1", fields)


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        (b"11-1", {}),
        (b"10-1", {b"n": b"3"}),
        (b"10-1", {b"p": b"q\xff"}),
        (b"10-1", {b"s": bytes(32)}),
        (b"10-1", {b"n": b"two"}),
    ],
)
def test_changed_entries(entry: bytes, change: dict[bytes, bytes]) -> None:
    """An entry under another id, or with a changed field, is refused by its id."""
    fields = {b"n": b"2", b"p": b"p\xff", b"s": checksums(BATCH), b"e": b"1"} | change

    with pytest.raises(LogCorrupt, match=entry.decode()):
        read_entry(entry, fields)


@pytest.mark.parametrize("lost", [b"n", b"p", b"s"])
def test_entry_that_lacks_a_field(lost: bytes) -> None:
    """An entry without one of its fields is refused by its id."""
    fields = {b"n": b"2", b"p": b"p\xff", b"s": checksums(BATCH)}
    del fields[lost]

    with pytest.raises(LogCorrupt, match="10-1"):
        read_entry(b"10-1", fields)
