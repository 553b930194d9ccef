"""Items of a frame: the same whichever way they are sent; what does not fit together is refused as a whole."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model.inputs import ImageInput, InputSpec, TableColumn, TableInput, TextInput
from service.errors import InvalidBody
from service.ingest.frames import count_items, read_frame
from service.ingest.intake import Refused, read_items
from service.ingest.protocol import Batch, Items

IMAGE = ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)
TABLE = TableInput(columns=tuple(TableColumn(name=name, kind="number") for name in "abcd"))

rows = hnp.arrays(
    np.uint8, st.tuples(st.integers(0, 5), st.just(4)), elements=st.integers(0, 20)
) | hnp.arrays(
    np.dtype("<f4"),
    st.tuples(st.integers(0, 5), st.just(4)),
    elements=st.floats(-1, 20, width=32) | st.just(np.nan),
)
ids_of = st.sampled_from(["a", "~b", "", 5, None])


def told(read: list[Any]) -> list[Any]:
    """What can be compared."""
    return [
        (one.id, str(one.error)) if isinstance(one, Refused) else (one.id, one.x.tobytes()) for one in read
    ]


@given(x=rows, data=st.data(), spec=st.sampled_from([IMAGE, TABLE]))
def test_three_ways_to_send_the_same(x: np.ndarray, data: st.DataObject, spec: InputSpec) -> None:
    """Lists, raw bytes in each item, and one buffer give the same items and the same refusals."""
    ids = data.draw(st.lists(ids_of, min_size=len(x), max_size=len(x)))
    lists = read_items([{"id": id, "x": row.tolist()} for id, row in zip(ids, x, strict=True)], spec)
    raw = Items(items=[{"id": id, "x": row.tobytes()} for id, row in zip(ids, x, strict=True)])
    dense = Batch(dtype="uint8" if x.dtype == np.uint8 else "float32", n=4, x=x.tobytes(), ids=ids)

    assert told(lists) == told(read_frame(raw, spec))
    assert told(lists) == told(read_frame(dense, spec))
    assert len(x) == count_items(raw, spec) == count_items(dense, spec)


def test_mixed() -> None:
    """Raw bytes beside lists, bytes of both types, of no type, strange fields: each item is read for itself."""
    raws: list[Any] = [
        {"id": "a", "x": bytes([0, 4, 8, 16])},
        {"id": "b", "x": np.array([0, 4, 8, 16], dtype="<f4").tobytes()},
        {"id": "c", "x": [0, 4, 8, 16]},
        {"id": "d", "x": bytes(7)},
        {"id": "e", "x": bytes(4), "y": 1},
        None,
    ]
    first, second, third, *bad = read_frame(Items(items=raws), IMAGE)

    assert 1 == len({one.x.tobytes() for one in (first, second, third)})
    assert ["d", "e", None] == [one.id for one in bad]
    assert "got 7 numbers" in str(bad[0].error)
    assert "remove y" in str(bad[1].error)


def test_texts_have_no_raw_form() -> None:
    """Bytes in an item are refused with it; a batch is refused as a whole."""
    (refused,) = read_frame(Items(items=[{"x": b"hello"}]), TextInput())

    assert isinstance(refused, Refused)
    with pytest.raises(InvalidBody, match="takes no raw numbers"):
        count_items(Batch(dtype="uint8", n=4, x=b"good"), TextInput())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n": 3}, "n is 3, and an item has 4 values"),
        ({"x": bytes(5)}, "x has 5 bytes"),
        ({"ids": ["a"]}, "1 ids came for 2 items"),
    ],
)
def test_parts_that_do_not_fit(changed: dict[str, Any], said: str) -> None:
    """It is said which, with the numbers."""
    message = Batch(**({"dtype": "uint8", "n": 4, "x": bytes(8)} | changed))

    with pytest.raises(InvalidBody, match=said):
        read_frame(message, IMAGE)
