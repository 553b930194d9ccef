"""Arrow IPC streams (application/vnd.apache.arrow.stream): columns in, columns out, by pyarrow (`firstseen[arrow]`).

    id      optional: string, null for none
    x       numbers: fixed_size_list<number>, nested or not, a fixed_shape_tensor, or list<number>
            texts: string            raw values: binary, as in MessagePack
    image   instead of x, for images: binary, a PNG or JPEG
    ...     instead of x, for tables: the table's own columns, numbers, booleans, strings, dictionaries of strings

Numbers in lists of one length are not copied before they are checked and scaled at once (`service.ingest.raw`); of
any numeric type. A null, or a list of another length, is refused alone.

Columns of other types are refused, and some of those could hold more than they have bytes: views that overlap, runs,
nulls in lists. So are compressed buffers, whose size is known only to who sent them: compress the body instead
(`Content-Encoding: zstd`), which is counted while it is decompressed.

Reference: Apache Arrow Columnar Format 1.5; the offsets in `_is_compressed` are of its Message.fbs.
"""

import asyncio
import importlib
import struct
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from model.inputs import InputSpec, InvalidInput, TableInput
from service.api.formats.head import Head, Limits
from service.api.formats.item_list import too_many
from service.api.formats.objects import Read, fit_id, read_object
from service.api.formats.pictures import Picture
from service.errors import InvalidBody, InvalidItem, UnsupportedMediaType
from service.ingest.intake import Refused, read_id
from service.ingest.raw import items_of

ARROW = "application/vnd.apache.arrow.stream"

_COLUMNS = "Send a column x, and ids as a column id of strings"
_ROWS_A_TURN = 64


@cache
def pyarrow() -> Any:  # noqa: ANN401 - a module, of an extra
    """The library; imported when the first body or answer needs it.

    Raises:
        UnsupportedMediaType: It is not installed.
    """
    try:
        importlib.import_module("pyarrow.ipc")
        return importlib.import_module("pyarrow")
    except ImportError:
        raise UnsupportedMediaType(
            f"{ARROW} needs pyarrow, which this service does not have: pip install 'firstseen[arrow]', or send JSON."
        ) from None


async def load_pyarrow() -> Any:  # noqa: ANN401 - likewise
    """The same, without stopping the event loop for the import.

    Raises:
        UnsupportedMediaType: It is not installed.
    """
    return pyarrow() if pyarrow.cache_info().currsize else await asyncio.to_thread(pyarrow)


async def read_arrow(
    body: bytearray, _head: Head, spec: InputSpec, limits: Limits
) -> tuple[list[Read], bool]:
    """The items of a body; never one on its own.

    Raises:
        UnsupportedMediaType: pyarrow is not installed.
        InvalidBody: It is no Arrow stream, or has columns that no item is made of.
        BodyTooLarge: More items than may be.
    """
    pa = await load_pyarrow()
    read: list[Read] = []
    try:
        data = pa.py_buffer(body)
        _refuse_compressed(pa, data)
        options = pa.ipc.IpcReadOptions(use_threads=False)
        with pa.ipc.open_stream(data, options=options) as stream:
            for batch in stream:
                if len(read) + batch.num_rows > limits.max_items:
                    raise too_many(limits.max_items)
                batch.validate(full=True)
                read += await _read_batch(pa, batch, spec)
                await asyncio.sleep(0)
    except (pa.lib.ArrowException, OSError, ValueError, MemoryError) as error:
        why = " ".join(str(error).split())[:200]
        raise InvalidBody(f"The body is not an Arrow IPC stream ({why}). {_COLUMNS}.") from None
    return read, False


async def _read_batch(pa: Any, batch: Any, spec: InputSpec) -> list[Read]:  # noqa: ANN401 - pyarrow's
    columns = _columns(batch)
    ids = _cells(pa, columns.pop("id"), "id") if "id" in columns else None
    if columns.keys() == {"x"}:
        return await _read_x(pa, columns["x"], ids, spec)
    if columns.keys() == {"image"}:
        return [
            _picture(data, None if ids is None else ids[n])
            for n, data in enumerate(_cells(pa, columns["image"], "image"))
        ]
    if not isinstance(spec, TableInput) or not columns or "x" in columns:
        raise InvalidBody(f"The columns are {', '.join(map(repr, columns))[:200] or 'none'}. {_COLUMNS}.")
    if len(columns) > len(spec.columns):  # columns of nulls have no bytes, and any number of cells
        raise InvalidBody(f"There are {len(columns)} columns: send no other than {spec.describe()} has.")
    names = list(columns)
    rows = zip(*(_cells(pa, column, name) for name, column in columns.items()), strict=True)
    return await _objects((dict(zip(names, row, strict=True)) for row in rows), ids, spec)


def _columns(batch: Any) -> dict[str, Any]:  # noqa: ANN401 - pyarrow's
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    if len(columns) != len(batch.schema.names):
        raise InvalidBody("Two columns have the same name.")
    return columns


async def _read_x(pa: Any, x: Any, ids: list[Any] | None, spec: InputSpec) -> list[Read]:  # noqa: ANN401 - pyarrow's
    if isinstance(x.type, pa.BaseExtensionType):
        x = x.storage
    if not (
        pa.types.is_fixed_size_list(x.type) or pa.types.is_list(x.type) or pa.types.is_large_list(x.type)
    ):
        return await _objects(_cells(pa, x, "x"), ids, spec)
    rows, lengths = _numbers(pa, x)
    nulls = x.is_null().to_numpy(zero_copy_only=False)
    if spec.width is not None and rows.ndim == 2 and rows.shape[1] == spec.width:
        payloads, wrong = spec.decode_rows(rows)
        bad = {n: InvalidItem(str(error)) for n, error in wrong.items()}
        bad |= {int(n): _null(spec) for n in np.flatnonzero(nulls)}
        return [*items_of(payloads, bad, ids)]
    ends = np.cumsum(lengths)
    flat = rows.ravel()
    parts = [None if nulls[n] else flat[ends[n] - lengths[n] : ends[n]].tolist() for n in range(len(x))]
    return await _objects(parts, ids, spec)


def _null(spec: InputSpec) -> InvalidItem:
    try:
        spec.decode(None)
    except InvalidInput as invalid:
        return InvalidItem(str(invalid))
    raise AssertionError


def _numbers(pa: Any, x: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:  # noqa: ANN401 - pyarrow's
    """The numbers in lists: (B, n) where all have n, else (N,); and how many each has, int64 (B,)."""
    count = len(x)
    if pa.types.is_fixed_size_list(x.type):
        width, values = 1, x
        while pa.types.is_fixed_size_list(values.type):
            size = values.type.list_size
            if size == 0:
                raise InvalidBody("The column x has lists of no numbers.")
            values = values.values.slice(values.offset * size, len(values) * size)
            width *= size
        return _plain(pa, values).reshape(count, width), np.full(count, width, dtype=np.int64)
    offsets = x.offsets.to_numpy().astype(np.int64)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
    numbers = _plain(pa, x.values.slice(first, last - first))
    lengths = np.diff(offsets)
    if count and (lengths == lengths[0]).all():
        return numbers.reshape(count, int(lengths[0])), lengths
    return numbers, lengths


def _plain(pa: Any, values: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 - pyarrow's
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise InvalidBody(f"The column x has lists of {values.type}; send lists of numbers.")
    numbers: np.ndarray[Any, Any] = values.to_numpy(zero_copy_only=False)
    return numbers


def _cells(pa: Any, column: Any, name: str) -> list[Any]:  # noqa: ANN401 - pyarrow's
    """A column as Python values, which take no more memory than a few times their bytes."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        listed = _cells(pa, column.dictionary, name)
        return [None if n is None else listed[n] for n in column.indices.to_pylist()]
    plain = (
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_null,
        types.is_string,
        types.is_large_string,
        types.is_binary,
        types.is_large_binary,
        types.is_fixed_size_binary,
    )
    if not any(fits(kind) for fits in plain):
        raise InvalidBody(f"The column {name[:100]!r} is of type {kind}, which is not read here. {_COLUMNS}.")
    cells: list[Any] = column.to_pylist()
    return cells


async def _objects(values: Iterable[Any], ids: list[Any] | None, spec: InputSpec) -> list[Read]:
    read: list[Read] = []
    for n, x in enumerate(values):
        read.append(read_object({"id": None if ids is None else ids[n], "x": x}, spec))
        if n % _ROWS_A_TURN == _ROWS_A_TURN - 1:
            await asyncio.sleep(0)
    return read


def _picture(data: object, id: object) -> Read:
    if not isinstance(data, bytes):
        return Refused(fit_id(id), InvalidItem("image must be the bytes of a PNG or JPEG."))
    try:
        return Picture(id=read_id(id), data=data)
    except InvalidItem as error:
        return Refused(None, error.with_traceback(None))


# What is in a message, before pyarrow makes anything of it

_RECORD_BATCH = 3
_DICTIONARY_BATCH = 2


def _refuse_compressed(pa: Any, data: Any) -> None:  # noqa: ANN401 - pyarrow's
    """Look at the head of each message; pyarrow has verified it as a flatbuffer.

    Raises:
        InvalidBody: Buffers are compressed.
    """
    for message in pa.ipc.MessageReader.open_stream(data):
        if _is_compressed(message.metadata.to_pybytes()):
            raise InvalidBody(
                "The Arrow buffers are compressed: write them without, and compress the body as a whole "
                "(Content-Encoding: zstd)."
            )


def _is_compressed(head: bytes) -> bool:
    """Whether a RecordBatch, also that of a dictionary, says how its buffers are compressed."""
    try:
        message = struct.unpack_from("<I", head, 0)[0]
        kind = _field(head, message, 1)
        batch = _table(head, _field(head, message, 2))
        if head[kind] == _DICTIONARY_BATCH:
            batch = _table(head, _field(head, batch, 1))
        elif head[kind] != _RECORD_BATCH:
            return False
        return _field(head, batch, 3) != 0
    except (struct.error, IndexError) as error:
        raise InvalidBody(f"The body is not an Arrow IPC stream ({error}). {_COLUMNS}.") from None


def _field(head: bytes, table: int, n: int) -> int:
    """Where field `n` of a flatbuffer's table lies; 0 where it is not there."""
    vtable = table - int(struct.unpack_from("<i", head, table)[0])
    size = int(struct.unpack_from("<H", head, vtable)[0])
    offset = int(struct.unpack_from("<H", head, vtable + 4 + 2 * n)[0]) if 4 + 2 * n < size else 0
    return table + offset if offset else 0


def _table(head: bytes, at: int) -> int:
    """The table that an offset at `at` leads to."""
    return at + int(struct.unpack_from("<I", head, at)[0])
