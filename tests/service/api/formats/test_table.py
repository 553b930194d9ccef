"""Every form against every kind of input: the same items, and never anything but a client's mistake."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.inputs import InputSpec
from service.api.formats.table import BODY_FORMS, form_of
from service.errors import ClientError, UnsupportedMediaType
from service.ingest.intake import Refused, read_items
from service.records import Item
from tests.service.api.formats.sent import (
    FORMS,
    IMAGE,
    LIMITS,
    SPECS,
    Good,
    arrow,
    good_bodies,
    head,
    jpeg,
    png,
    read,
    told,
)

specs = st.sampled_from(sorted(SPECS))
forms = st.sampled_from(sorted(FORMS))


async def read_or_refused(body: bytes, media_type: str, spec: InputSpec, **fields: str) -> int | None:
    """How many items were read; None where the body was refused as a whole."""
    try:
        found, _ = await read(body, media_type, spec, head(**fields))
    except ClientError:
        return None
    assert all(isinstance(one, Item | Refused) for one in found)
    assert len(found) <= LIMITS.max_items
    return len(found)


@pytest.mark.parametrize("name", SPECS)
async def test_every_form_gives_the_same_items(name: str) -> None:
    """To the bit, with their ids, in order."""
    spec = SPECS[name]
    expected = told(read_items([{"id": id, "x": spec.example()} for id in "ab"], spec))
    if spec.width is not None and name != "numbers":  # raw values are float32, as numbers in JSON are not
        from_raw = await read(
            good_bodies(spec)[3].body, "application/octet-stream", spec, good_bodies(spec)[3].fields
        )
        assert {"a", "b"} == {id for id, _ in told(from_raw[0])}
    for good in good_bodies(spec):
        found, is_single = await read(good.body, good.media_type, spec, good.fields)

        assert not is_single
        assert [id for id, _ in expected] == [id for id, _ in told(found)]
        assert all(isinstance(one, Item) for one in found), told(found)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=300), form=forms, name=specs, dtype=st.sampled_from(["uint8", "float32", "x"]))
async def test_any_bytes_are_read_or_refused(body: bytes, form: str, name: str, dtype: str) -> None:
    """Nothing that comes is a fault of ours."""
    await read_or_refused(body, form, SPECS[name], firstseen_dtype=dtype)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), name=specs, which=st.integers(0, 20))
async def test_good_bodies_with_bytes_changed(seed: int, name: str, which: int) -> None:
    """A few bytes changed, cut, doubled or put in get further into a decoder than random ones."""
    spec = SPECS[name]
    rng = random.Random(seed)
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    goods = [
        *good_bodies(spec),
        Good("image/png", png(grey), head()),
        Good("image/jpeg", jpeg(grey), head()),
        Good("application/vnd.apache.arrow.stream", arrow({"x": [[1.0, 2.0, 3.0], [1.0]]}), head()),
    ]
    good = goods[which % len(goods)]
    body = bytearray(good.body)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body) + 1)
        match rng.randrange(4):
            case 0:
                body[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del body[at : at + rng.randint(1, 20)]
            case 2:
                body[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                body[at:at] = body[at : at + 40]
    fields = {name.decode().replace("-", "_"): value.decode() for name, value in good.fields.fields.items()}
    await read_or_refused(bytes(body), good.media_type, spec, **fields)


@settings(deadline=None)
@given(shape=st.text(max_size=20), ids=st.text(max_size=20), dtype=st.text(max_size=8) | st.just("uint8"))
async def test_any_headers_are_read_or_refused(shape: str, ids: str, dtype: str) -> None:
    """Those of raw numbers."""
    fields = {"firstseen_shape": shape, "firstseen_ids": ids, "firstseen_dtype": dtype}
    await read_or_refused(bytes(32), "application/octet-stream", IMAGE, **fields)


@pytest.mark.parametrize("form", BODY_FORMS, ids=lambda form: form.media_type)
@pytest.mark.parametrize("name", SPECS)
async def test_nothing(form: object, name: str) -> None:
    """An empty body is refused, or holds no items."""
    found = await read_or_refused(b"", form.media_type, SPECS[name], firstseen_dtype="uint8")  # type: ignore[attr-defined]

    assert found in (None, 0, 1)


class TestFormOf:
    @pytest.mark.parametrize("form", BODY_FORMS, ids=lambda form: form.media_type)
    def test_every_name(self, form: object) -> None:
        """A form is found by its name and its other names; case and parameters do not matter."""
        for name in (form.media_type, *form.aliases):  # type: ignore[attr-defined]
            assert form is form_of(head(content_type=f"{name.upper()}; charset=utf-8"))

    @pytest.mark.parametrize(
        "name", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
    )
    def test_others(self, name: str) -> None:
        """What a form or a script of another site may send unasked is not read."""
        with pytest.raises(UnsupportedMediaType, match="send JSON with 'content-type: application/json'"):
            form_of(head(content_type=name))
