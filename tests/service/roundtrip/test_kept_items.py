"""Items that a stream keeps, as they would be sent: decoded again, they are the payloads that are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from model.inputs import ImageInput, InputSpec, TableColumn, TableInput, TextInput
from service.roundtrip.kept_items import kept_ids, kept_items, raw_of
from service.state.keys import Keys
from service.state.payloads import pack_payload
from tests.service import digits
from tests.service.roundtrip.sending import reader

IMAGE = ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)
TABLE = TableInput(
    columns=(
        TableColumn(name="bytes", kind="number", example=1),
        TableColumn(name="proto", kind="category", values=("tcp", "udp"), example="tcp"),
    )
)


@given(st.lists(st.integers(0, 16), min_size=4, max_size=4))
def test_whole_numbers_come_back_as_they_were(x: list[int]) -> None:
    """A pixel is not 2.9999998 when it comes back."""
    assert [float(v) for v in x] == raw_of(IMAGE.decode(x), IMAGE)


@given(st.lists(st.floats(-3.0, 5.0, width=32), min_size=4, max_size=4))
def test_other_numbers_come_back_nearly(x: list[float]) -> None:
    """Within the range, and decoded to the same but for the last bits of float32."""
    spec = ImageInput(shape=(1, 2, 2), minimum=-3, maximum=5)
    payload = spec.decode(x)
    again = spec.decode(raw_of(payload, spec))

    np.testing.assert_allclose(again, payload, atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "x"),
    [
        (TextInput(max_characters=50), "=1+1 is text"),
        (TABLE, {"bytes": 12, "proto": "udp"}),
        (TABLE, {"bytes": None, "proto": "udp"}),
    ],
)
def test_texts_and_rows_come_back(spec: InputSpec, x: object) -> None:
    """As objects and texts that can be sent."""
    assert x == raw_of(spec.decode(x), spec)


async def test_what_cannot_be_read_is_passed_over(client: "Redis", stream: str) -> None:
    """A payload is a help, and no part of the state."""
    spec = digits.bundle().manifest.input
    keys = Keys(stream, digits.bundle().manifest.bundle_id)
    await client.hset(keys.payloads, mapping={"a": pack_payload(spec.decode(digits.raw(0))), "b": b"?"})
    stored = reader(client, stream, digits.bundle())
    found = [pair async for pair in kept_items(stored, ["c", "b", "a"], spec)]

    assert {"a", "b"} == await kept_ids(stored)
    assert [("a", digits.raw(0))] == found
