"""Specs, bodies and readers for the tests of the forms: no bundle is trained for these."""

import io
import json
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from PIL import Image

from model.inputs import ImageInput, InputSpec, TableColumn, TableInput, TextInput, VectorInput
from service.api.formats.head import Head, Limits
from service.api.formats.pictures import Picture, develop
from service.api.formats.table import BODY_FORMS
from service.ingest.intake import Refused
from service.records import Item

IMAGE = ImageInput(shape=(1, 4, 4), minimum=0, maximum=255)
COLOUR = ImageInput(shape=(3, 4, 4), minimum=-1, maximum=1)
VECTOR = VectorInput(shape=(3,), minimum=-1.5, maximum=2)
TEXT = TextInput(max_characters=100)
TABLE = TableInput(
    columns=(
        TableColumn(name="bytes", kind="number"),
        TableColumn(name="protocol", kind="category", values=("tcp", "udp")),
    )
)
NUMBERS = TableInput(columns=tuple(TableColumn(name=name, kind="number") for name in "abc"))
SPECS: dict[str, InputSpec] = {
    "image": IMAGE,
    "colour": COLOUR,
    "vector": VECTOR,
    "text": TEXT,
    "table": TABLE,
    "numbers": NUMBERS,
}
LIMITS = Limits(max_bytes=1 << 20, max_items=8, max_pixels=10_000)

FORMS = {form.media_type: form for form in BODY_FORMS}


def head(**fields: str) -> Head:
    """Headers; `firstseen_dtype` is Firstseen-Dtype."""
    return Head({name.replace("_", "-").encode(): value.encode() for name, value in fields.items()})


async def read(
    body: bytes, media_type: str, spec: InputSpec, fields: Head | None = None, limits: Limits = LIMITS
) -> tuple[list[Item | Refused], bool]:
    """What a service reads from a body, pictures developed."""
    found, is_single = await FORMS[media_type].read(bytearray(body), fields or Head({}), spec, limits)
    assert all(isinstance(one, Item | Refused | Picture) for one in found)
    return await develop(found, spec, max_pixels=limits.max_pixels, within_s=60.0), is_single


def told(found: list[Item | Refused]) -> list[Any]:
    """What can be compared: ids, and payloads to the bit or the words of refusals."""
    return [
        (
            one.id,
            str(one.error)
            if isinstance(one, Refused)
            else one.x
            if isinstance(one.x, str)
            else one.x.tobytes(),
        )
        for one in found
    ]


def png(pixels: np.ndarray, **options: object) -> bytes:
    """A PNG of uint8 (H, W) or (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def jpeg(pixels: np.ndarray) -> bytes:
    """The same as a JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def arrow(columns: dict[str, Any], *, compression: str | None = None) -> bytes:
    """An IPC stream of one batch."""
    batch = pa.record_batch(columns)
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@dataclass(frozen=True)
class Good:
    """Two items under the ids a and b, in some form."""

    media_type: str
    body: bytes
    fields: Head


def fixed(x: np.ndarray) -> Any:
    """(B, n) as an Arrow column of lists of one length."""
    return pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])


def good_bodies(spec: InputSpec) -> list[Good]:
    """The same two items in every form that a kind of input has."""
    x = [spec.example(), spec.example()]
    items = [{"id": id, "x": value} for id, value in zip("ab", x, strict=True)]
    bodies = [
        Good("application/json", json.dumps({"items": items}).encode(), Head({})),
        Good("application/x-msgpack", msgspec.msgpack.encode({"items": items}), Head({})),
        Good("application/x-ndjson", b"".join(json.dumps(item).encode() + b"\n" for item in items), Head({})),
    ]
    if isinstance(spec, TextInput):
        bodies.append(
            Good("application/vnd.apache.arrow.stream", arrow({"id": ["a", "b"], "x": x}), Head({}))
        )
    if isinstance(spec, TableInput):
        columns = {name: [row[name] for row in x] for name in x[0]}  # type: ignore[index,union-attr,call-overload]
        bodies.append(
            Good("application/vnd.apache.arrow.stream", arrow({"id": ["a", "b"], **columns}), Head({}))
        )
    elif spec.width is not None:
        raw = np.array(x, dtype="<f4")
        fields = head(firstseen_dtype="float32", firstseen_ids="a,b", firstseen_shape=f"2,{spec.width}")
        rows = [{"id": id, "x": row.tobytes()} for id, row in zip("ab", raw, strict=True)]
        bodies += [
            Good("application/octet-stream", raw.tobytes(), fields),
            Good("application/x-msgpack", msgspec.msgpack.encode({"items": rows}), Head({})),
            Good("application/vnd.apache.arrow.stream", arrow({"id": ["a", "b"], "x": fixed(raw)}), Head({})),
        ]
    return bodies
