"""Items that the stream itself keeps (service/state/payloads.py), as their senders would send them.

A payload is what an item became when it was decoded. Of a text that is the text, of a row of a table its cells; of
numbers it is a fraction of their range in float32, so the number that comes back is that fraction of the range: the
shortest number that is decoded to the very same payload.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import numpy as np
import pydantic

from model.inputs import InputSpec, NumericInput, Payload
from service.state.batches import id_field
from service.state.payloads import unpack_payload
from service.state.reading import StreamReader

_DIGITS: Final = (0, 2, 4, 6)
_AT_ONCE: Final = 64


async def kept_ids(reader: StreamReader) -> set[str]:
    """The ids of all items that are kept."""
    return {field.decode("utf-8", "surrogatepass") for field in await reader.payload_ids()}


async def kept_items(
    reader: StreamReader, ids: Sequence[str], spec: InputSpec
) -> AsyncIterator[tuple[str, pydantic.JsonValue]]:
    """(id, item) of each of these that is kept and can be read, in this order, a few at a time."""
    for at in range(0, len(ids), _AT_ONCE):
        some = ids[at : at + _AT_ONCE]
        for id, data in zip(some, await reader.payloads_of(map(id_field, some)), strict=True):
            payload = None if data is None else unpack_payload(data)
            if payload is not None:
                yield id, raw_of(payload, spec)


def raw_of(payload: Payload, spec: InputSpec) -> pydantic.JsonValue:
    """An item that is decoded to this payload, or to one that is nearly so."""
    if isinstance(payload, str) or not isinstance(spec, NumericInput):
        item: pydantic.JsonValue = spec.raw_item(payload)  # type: ignore[arg-type]  # of the kind that the spec is of
        return item
    width = spec.maximum - spec.minimum
    exact = np.clip(payload.astype(np.float64) * width + spec.minimum, spec.minimum, spec.maximum)
    for digits in _DIGITS:
        shorter = np.clip(np.round(exact, digits), spec.minimum, spec.maximum)
        if np.array_equal(spec.decode(shorter), payload):
            return spec.raw_item(shorter)
    return spec.raw_item(exact)
