"""Raw rows: the same items as JSON has, to the bit; a bad row is refused alone, in the words of the item check."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model.inputs import ImageInput, InputSpec, TableColumn, TableInput, TextInput, VectorInput
from service.errors import ClientError, InvalidBody
from service.ingest.intake import Refused, read_items
from service.ingest.raw import RAW_TYPES, RawType, decode_raw, read_raw
from service.records import Item

IMAGE = ImageInput(shape=(1, 2, 2), minimum=0, maximum=255)
NARROW = ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)
VECTOR = VectorInput(shape=(4,), minimum=-1.5, maximum=2)
TABLE = TableInput(columns=tuple(TableColumn(name=name, kind="number") for name in "abcd"))
MIXED = TableInput(columns=(TableColumn(name="a", kind="category", values=("x",)),))

rows = hnp.arrays(np.uint8, st.tuples(st.integers(0, 5), st.just(4))) | hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.just(4)),
    elements=st.floats(-3, 300, width=32) | st.sampled_from([np.nan, np.inf, -np.inf]),
)


def told(read: list[Item | Refused]) -> list[Any]:
    """What can be compared: the payload's bytes, or the refusal's words."""
    return [
        (one.id, str(one.error)) if isinstance(one, Refused) else (one.id, np.asarray(one.x).tobytes())
        for one in read
    ]


def raw_type(x: np.ndarray) -> RawType:
    return "uint8" if x.dtype == np.uint8 else "float32"


@given(x=rows, spec=st.sampled_from([IMAGE, NARROW, VECTOR]))
def test_as_one_item_after_the_other(x: np.ndarray, spec: InputSpec) -> None:
    """Every row gives what the same numbers give as a list: the payload to the bit, or the same refusal."""
    ids = [f"i{n}" for n in range(len(x))]
    slowly = read_items([{"id": id, "x": row} for id, row in zip(ids, x, strict=True)], spec)

    assert told(slowly) == told(read_raw(x.tobytes(), count=len(x), dtype=raw_type(x), spec=spec, ids=ids))


@given(x=rows)
def test_a_table_of_numbers(x: np.ndarray) -> None:
    """NaN is a missing cell, and an infinite one is cut to float32: nothing is refused."""
    slowly = read_items([{"x": row.tolist()} for row in x], TABLE)

    assert told(slowly) == told(read_raw(x.tobytes(), count=len(x), dtype=raw_type(x), spec=TABLE))


@given(data=st.binary(max_size=64), count=st.integers(0, 4), dtype=st.sampled_from(sorted(RAW_TYPES)))
def test_any_bytes_are_read_or_refused(data: bytes, count: int, dtype: RawType) -> None:
    """A buffer is rows, or of the wrong size; nothing else can be wrong with it as a whole."""
    try:
        read = read_raw(data, count=count, dtype=dtype, spec=VECTOR)
    except ClientError:
        assert len(data) != count * 4 * RAW_TYPES[dtype].itemsize
    else:
        assert count == len(read)
        assert all(isinstance(one, Item | Refused) for one in read)


def test_a_bad_row_fails_alone() -> None:
    """It names the first bad value, and its id; the rows around it are items."""
    x = np.zeros((3, 4), dtype="<f4")
    x[1, 2] = np.nan
    before, bad, after = read_raw(x.tobytes(), count=3, dtype="float32", spec=VECTOR, ids=["a", "b", None])

    assert isinstance(bad, Refused)
    assert "b" == bad.id
    assert "nan at x[2]" in str(bad.error)
    assert ["a", None] == [before.id, after.id]


def test_a_bad_id_fails_alone() -> None:
    """Ids are checked as everywhere."""
    read = read_raw(bytes(12), count=3, dtype="uint8", spec=IMAGE, ids=["~1", 5, "fine"])

    assert [Refused, Refused, Item] == [type(one) for one in read]
    assert "must not start with ~" in str(told(read)[0][1])


def test_items_are_views_that_share_nothing_with_the_buffer() -> None:
    """One array holds all payloads; what becomes of the buffer afterwards does not matter."""
    data = bytearray(range(8))
    first, second = read_raw(data, count=2, dtype="uint8", spec=IMAGE)
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert isinstance(first.x, np.ndarray)
    assert isinstance(second.x, np.ndarray)
    before = second.x.copy()
    data[:] = bytes(8)

    assert first.x.base is second.x.base
    assert (1, 2, 2) == first.x.shape
    np.testing.assert_array_equal(before, second.x)


def test_a_piece_of_a_larger_buffer() -> None:
    """Also one that starts anywhere, as behind the head of a frame."""
    frame = b"abc" + np.arange(8, dtype="<f4").tobytes()
    payloads, bad = decode_raw(memoryview(frame)[3:], count=2, dtype="float32", spec=NARROW)

    assert {} == bad
    np.testing.assert_array_equal(np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2) / 16, payloads)


@pytest.mark.parametrize("spec", [TextInput(), MIXED])
def test_what_has_no_raw_form(spec: InputSpec) -> None:
    """Texts and categories: it is said what to send instead."""
    with pytest.raises(InvalidBody, match="takes no raw numbers; send a"):
        read_raw(b"", count=0, dtype="uint8", spec=spec)


def test_sizes() -> None:
    """Too short, too long, too few ids: with both numbers."""
    with pytest.raises(InvalidBody, match="2 items of 4 values of float32 are 32 bytes, and 31 came"):
        read_raw(bytes(31), count=2, dtype="float32", spec=VECTOR)
    with pytest.raises(InvalidBody, match="1 ids came for 2 items"):
        read_raw(bytes(8), count=2, dtype="uint8", spec=IMAGE, ids=["a"])
