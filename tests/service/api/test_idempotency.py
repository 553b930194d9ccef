"""Ids made of a key: nobody else's, the same for the same request; and a key that belongs to another body."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.formats.head import Head
from service.api.idempotency import Fingerprints, key_of, with_ids
from service.errors import InvalidHeader, InvalidItem, KeyReused
from service.ingest.intake import Refused, read_id
from service.records import Item, auto_id

keys = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=1, max_size=256
)


def key(sent: str, caller: str = "") -> str:
    found = key_of(Head({b"idempotency-key": sent.encode()}), caller=caller)
    assert found is not None
    return found


@given(one=keys, other=keys)
def test_ids_are_nobody_elses(one: str, other: str) -> None:
    """Not a client's, not one by place in the stream, not another key's or another caller's; of bounded length."""
    with pytest.raises(InvalidItem):
        read_id(f"{key(one)}-0")
    assert not key(one).startswith(auto_id(0)[:1] + "0")
    assert (one == other) == (key(one) == key(other))
    assert key(one) != key(one, caller="somebody")
    assert key(one) == key(f'"{one}"')
    assert len(key(one)) == len("~key-") + 32


def test_no_key() -> None:
    """Items stay as they are."""
    assert key_of(Head({})) is None


@pytest.mark.parametrize("sent", ["", '""', "a\tb", "é", "x" * 257])
def test_bad_keys(sent: str) -> None:
    """Empty, not printable, too long."""
    with pytest.raises(InvalidHeader, match="Idempotency-Key must be 1 to 256"):
        key(sent)


def test_ids_by_place() -> None:
    """Every item counts, also one that is refused or has an id of its own, which it keeps."""
    x = np.zeros(1, dtype=np.float32)
    read = [Item(id=None, x=x), Item(id="mine", x=x), Refused(None, InvalidItem("no")), Item(id=None, x=x)]

    assert ["k-0", "mine", None, "k-3"] == [one.id for one in with_ids(read, "k")]
    assert ["k-7"] == [one.id for one in with_ids(read[:1], "k", first=7)]


class TestFingerprints:
    def test_another_body(self) -> None:
        """Under a key that was noted it is refused, and so is the same body in another form."""
        known = Fingerprints()
        known.note("k", known.check("k", b"abc", "application/json"))
        known.check("k", b"abc", "application/json")
        known.check("other", b"abcd", "application/json")

        for body, form in ((b"abcd", "application/json"), (b"abc", "application/x-msgpack")):
            with pytest.raises(KeyReused, match="with another body"):
                known.check("k", body, form)
        with pytest.raises(KeyReused):
            known.check("k", b"abc", "application/json", "uint8")

    def test_not_noted(self) -> None:
        """A request whose items were never taken may be mended."""
        known = Fingerprints()
        known.check("k", b"abc", "application/json")
        known.check("k", b"abcd", "application/json")

    def test_full(self) -> None:
        """The key that was used longest ago is forgotten."""
        known = Fingerprints(most=2)
        for name in ("a", "b", "a", "c"):
            known.note(name, known.check(name, b"1", ""))

        known.check("b", b"2", "")
        for name in ("a", "c"):
            with pytest.raises(KeyReused):
                known.check(name, b"2", "")
