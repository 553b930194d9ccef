"""Lines: cut the same however they come, bounded, and each refused alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.formats.lines_body import Lines, read_line
from service.errors import BodyTooLarge
from service.ingest.intake import Refused
from service.records import Item
from tests.service.api.formats.sent import IMAGE, LIMITS, read

NDJSON = "application/x-ndjson"
LINE = json.dumps({"id": "a", "x": [0] * 16}).encode()


@given(
    body=st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b" ", b"\n\n"])).map(b"".join),
    step=st.integers(1, 9),
)
def test_lines_are_the_same_however_they_come(body: bytes, step: int) -> None:
    """Empty ones are passed over; the last may have no end."""
    lines = Lines(max_bytes=1000)
    found = [line for at in range(0, len(body), step) for line in lines.feed(body[at : at + step])]
    found += lines.end()

    assert [line for line in body.split(b"\n") if line.strip()] == found
    assert 0 == lines.held


def test_a_line_without_end() -> None:
    """Is refused as soon as it is too long, in one chunk or in many; and so are empty lines without end."""
    with pytest.raises(BodyTooLarge, match="over 10 bytes"):
        Lines(max_bytes=10).feed(b"x" * 11 + b"\n")
    for chunk in (b"xxx", b"\n\n\n"):
        lines = Lines(max_bytes=10)
        for _ in range(3):
            assert [] == lines.feed(chunk)
        with pytest.raises(BodyTooLarge):
            lines.feed(chunk)


def test_many_short_lines() -> None:
    """Are not one long one."""
    lines = Lines(max_bytes=10)

    assert [b"x" * 9] * 3 == [line for _ in range(3) for line in lines.feed(b"x" * 9 + b"\n")]


@pytest.mark.parametrize(
    "line", [b"x", b"{", b'{"x": [1]}', b'"a"', b"\xff", b"[" * 10_000, b'{"x": [1e999]}']
)
def test_a_bad_line_fails_alone(line: bytes) -> None:
    """Whatever is wrong with it."""
    found = read_line(line, IMAGE)

    assert isinstance(found, Refused)
    assert "The body" not in str(found.error)


async def test_a_body_that_came_whole() -> None:
    """Is read as the lines are, up to as many as may be."""
    found, is_single = await read(LINE + b"\n\nx\r\n" + LINE, NDJSON, IMAGE)

    assert not is_single
    assert [Item, Refused, Item] == [type(one) for one in found]
    for many in (LIMITS.max_items + 1, 1000):
        with pytest.raises(BodyTooLarge, match="More than 8"):
            await read((LINE + b"\n") * many, NDJSON, IMAGE)
