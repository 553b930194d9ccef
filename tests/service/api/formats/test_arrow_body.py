"""Arrow: columns to items, without copies where it can; and columns that are larger than they look are refused."""

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model.inputs import InputSpec
from service.api.formats import arrow_body
from service.api.formats.arrow_body import pyarrow
from service.errors import BodyTooLarge, InvalidBody, UnsupportedMediaType
from service.ingest.intake import Refused, read_items
from service.records import Item
from tests.service.api.formats.sent import IMAGE, NUMBERS, TABLE, TEXT, VECTOR, arrow, fixed, png, read, told

ARROW = "application/vnd.apache.arrow.stream"
X = np.array([[0, 1, 2], [-1, 0.5, 1.5]])


async def sent(columns: dict[str, Any], spec: InputSpec = VECTOR) -> list[Item | Refused]:
    found, is_single = await read(arrow(columns), ARROW, spec)
    assert not is_single
    return found


def tensor() -> Any:
    return pa.FixedShapeTensorArray.from_numpy_ndarray(X.astype(np.float32))


NESTED = pa.FixedSizeListArray.from_arrays(fixed(np.arange(32, dtype=np.uint8).reshape(8, 4)), 4)


@pytest.mark.parametrize(
    "column",
    [
        fixed(X),
        fixed(X.astype(np.float32)),
        pa.array(X.tolist()),
        pa.array(X.tolist(), pa.large_list(pa.float32())),
        pa.array([row.astype("<f4").tobytes() for row in X]),
        pa.array([row.astype("<f4").tobytes() for row in X], pa.binary(12)),
        tensor(),
        fixed(np.vstack([[9, 9, 9], X])).slice(1),
        pa.array([[9.0], *X.tolist()]).slice(1),
    ],
    ids=lambda column: str(column.type)[:40],
)
async def test_numbers(column: Any) -> None:
    """Lists of one length, of any, raw values, tensors, slices: the same items."""
    expected = read_items([{"id": id, "x": row.tolist()} for id, row in zip("ab", X, strict=True)], VECTOR)

    assert told(expected) == told(await sent({"id": ["a", "b"], "x": column}))


async def test_an_image_may_be_nested() -> None:
    """Lists of lists of one length are the numbers in order."""
    rows = [{"x": list(range(16))}, {"x": list(range(16, 32))}]

    assert told(read_items(rows, IMAGE)) == told(await sent({"x": NESTED}, IMAGE))


async def test_bad_rows_fail_alone() -> None:
    """Nulls, other lengths, values out of range: in the words of all items."""
    column = pa.array([[0.0, 1.0, 2.0], None, [1.0], [0.0, None, 9.0]])
    good, *bad = await sent({"id": ["a", "b", "c", None], "x": column})

    assert isinstance(good, Item)
    assert [Refused] * 3 == [type(one) for one in bad]
    assert ["b", "c", None] == [one.id for one in bad]
    ends = ("got null.", "got 1 number.", "got nan at x[1].")
    assert all(str(one.error).endswith(end) for one, end in zip(bad, ends, strict=True))  # type: ignore[union-attr]


async def test_a_null_among_lists_of_one_length() -> None:
    """Is refused as null is in JSON."""
    column = pa.array([[0.0, 1.0, 2.0], None], pa.list_(pa.float64(), 3))
    good, bad = await sent({"x": column})

    assert isinstance(good, Item)
    assert "got null" in str(bad.error)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
async def test_texts(kind: Any) -> None:
    """Strings, also as a dictionary."""
    found = await sent({"x": pa.array(["abc", None, "abc"]).cast(kind)}, TEXT)

    assert [Item, Refused, Item] == [type(one) for one in found]


async def test_tables() -> None:
    """A column each, in any order; one that is not there is missing; strings may be a dictionary."""
    columns = {"protocol": pa.array(["tcp", "icmp"]).dictionary_encode(), "bytes": [1, None]}
    rows = [{"x": {"protocol": "tcp", "bytes": 1}}, {"x": {"protocol": "icmp", "bytes": None}}]

    assert told(read_items(rows, TABLE)) == told(await sent(columns, TABLE))
    assert [Item, Item] == [type(one) for one in await sent({"bytes": [1, 2]}, TABLE)]
    assert [Item, Item] == [type(one) for one in await sent({"x": fixed(X)}, NUMBERS)]


async def test_a_table_of_more_columns_than_it_has() -> None:
    """It is refused by their number, before a cell is made: a column of nulls takes no bytes, and many cells."""
    columns = {f"c{n}": pa.nulls(8) for n in range(len(TABLE.columns) + 1)}

    with pytest.raises(InvalidBody, match="columns: send no other than"):
        await sent(columns, TABLE)


async def test_pictures() -> None:
    """As bytes in a column of their own."""
    picture = png(np.zeros((4, 4), dtype=np.uint8))
    good, null, bad = await sent({"id": ["a", "b", "~"], "image": [picture, None, picture]}, IMAGE)

    assert isinstance(good, Item)
    assert "must be the bytes" in str(null.error)  # type: ignore[union-attr]
    assert "must not start with ~" in str(bad.error)  # type: ignore[union-attr]


def runs() -> Any:
    return pa.RunEndEncodedArray.from_arrays([2], [1.0])


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"y": [1, 2]},
        {"x": fixed(X), "y": [1, 2]},
        {"x": [{"a": 1}, {"a": 2}]},
        {"x": pa.array(["a", "b"], pa.string_view())},
        {"x": runs()},
        {"x": pa.array([[None], [None]], pa.list_(pa.null()))},
        {"x": pa.array([[None] * 3] * 2, pa.list_(pa.null(), 3))},
        {"x": pa.array([[], []], pa.list_(pa.float32(), 0))},
        {"x": pa.array([[["a"]], [["b"]]])},
        {"x": pa.array([[1.0], [2.0]], pa.list_view(pa.float64()))},
        {"id": [[1], [2]], "x": fixed(X)},
    ],
    ids=lambda columns: ", ".join(columns) or "none",
)
async def test_columns_of_no_item(columns: dict[str, Any]) -> None:
    """Others, and such as could hold more than they have bytes."""
    with pytest.raises(InvalidBody, match="column"):
        await sent(columns)


async def test_two_columns_of_one_name() -> None:
    """Nobody knows which is meant."""
    batch = pa.RecordBatch.from_arrays([fixed(X), fixed(X)], names=["x", "x"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    with pytest.raises(InvalidBody, match="same name"):
        await read(sink.getvalue().to_pybytes(), ARROW, VECTOR)


async def test_a_batch_without_end() -> None:
    """A column of nulls has no bytes and any length: rows are counted before they are looked at."""
    nulls = pa.Array.from_buffers(pa.null(), 10**9, [None])
    batch = pa.record_batch({"x": nulls})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    with pytest.raises(BodyTooLarge, match="More than 8 items"):
        await read(sink.getvalue().to_pybytes(), ARROW, TEXT)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
async def test_compressed_buffers(compression: str) -> None:
    """Of batches and of dictionaries: their size is known only to who sent them."""
    for column in (fixed(np.zeros((2, 3))), pa.array(["a" * 5000] * 2).dictionary_encode()):
        with pytest.raises(InvalidBody, match="compress the body as a whole"):
            await read(arrow({"x": column}, compression=compression), ARROW, VECTOR)


@pytest.mark.parametrize("body", [b"", b"abc", b"\xff\xff\xff\xff\x08\x00\x00\x00" + bytes(8), b"ARROW1\0\0"])
async def test_no_stream(body: bytes) -> None:
    """Nothing, anything, a broken head, the file format."""
    with pytest.raises(InvalidBody, match="not an Arrow IPC stream"):
        await read(body, ARROW, VECTOR)


async def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said how to install it."""
    monkeypatch.setitem(sys.modules, "pyarrow.ipc", None)
    pyarrow.cache_clear()
    try:
        with pytest.raises(UnsupportedMediaType, match=r"pip install 'firstseen\[arrow\]'"):
            await arrow_body.read_arrow(bytearray(), None, VECTOR, None)  # type: ignore[arg-type]
    finally:
        pyarrow.cache_clear()
