import re
import unicodedata
from typing import Any

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.inputs import InvalidInput, TextInput, decode_item, describe, example_item, scale

SHORT = TextInput(max_characters=10)
TEXT = TextInput()


def column(*texts: str) -> np.ndarray[Any, Any]:
    return np.array(texts, dtype=np.dtypes.StringDType())


@pytest.mark.parametrize(
    ("raw", "payload"),
    [
        ("how are you?", "how are you?"),
        ("  two\tlines\n", "two\tlines"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("MiXed  CASE", "MiXed  CASE"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}", "\N{FULLWIDTH LATIN CAPITAL LETTER A}"),
        ("a\x00b", "a\x00b"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_only_equivalent_writing_is_made_one(raw: str, payload: str) -> None:
    """Composed and decomposed letters become one text; case, inner spaces and look-alikes are left alone."""
    assert payload == decode_item(raw, TEXT)


@pytest.mark.parametrize(
    ("item", "got"),
    [
        ("", "an empty string"),
        (" \n\t\u00a0\u2003", "a string of white space"),
        ("x" * 11, "a string of 11 characters: cut it, or send its parts as items"),
        ("a\ud800", "a string with a lone surrogate at character 1, which is no valid Unicode"),
        (None, "null"),
        (7, "a single number"),
        (True, "a boolean"),
        (["a"], "a list"),
        ({"text": "a"}, "an object"),
        (b"a", "bytes"),
    ],
)
def test_anything_else_is_refused(item: object, got: str) -> None:
    """Every refusal says what to send and what came, and never repeats the text."""
    with pytest.raises(InvalidInput) as refused:
        decode_item(item, SHORT)

    assert f"x must be a text (a JSON string of 1 to 10 characters); got {got}." == str(refused.value)


def test_length_is_counted_as_sent() -> None:
    """The bound holds for what a client can count, before anything is normalised or stripped."""
    assert "a" * 10 == decode_item("a" * 10, SHORT)
    with pytest.raises(InvalidInput, match="11 characters"):
        decode_item("a" * 10 + " ", SHORT)


@given(text=st.text())
def test_what_is_taken_is_normal_and_stays_so(text: str) -> None:
    """A payload is in normal form C, stripped, not empty, valid Unicode; decoding it again changes nothing."""
    try:
        payload = decode_item(text, TEXT)
    except InvalidInput:
        assert not text.strip() or any("\ud800" <= c <= "\udfff" for c in text)
        return

    assert isinstance(payload, str)
    assert payload
    assert unicodedata.is_normalized("NFC", payload)
    assert payload == payload.strip() == decode_item(payload, TEXT)
    assert payload.encode()


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5))
def test_a_column_decodes_as_its_items_do(texts: list[str]) -> None:
    """A data set is read by the trainer as its items are by the service."""
    texts = [f"x{text}" for text in texts]

    assert [decode_item(text, TEXT) for text in texts] == scale(column(*texts), TEXT)
    assert texts == [TEXT.raw_item(value) for value in column(*texts)]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (column("good", ""), "item 1 must be a text .*, not an empty string"),
        (column("good", " "), "item 1 .* white space"),
        (column("far too long a text"), "item 0 .* 19 characters"),
        (np.array(["a"]), "StringDType"),
        (column("a").reshape(1, 1), "StringDType"),
        (np.array([None, "a"], dtype=np.dtypes.StringDType(na_object=None)), "item 0 .* not nothing"),
    ],
)
def test_a_column_that_is_no_texts_says_why(wrong: np.ndarray[Any, Any], problem: str) -> None:
    """The first bad item is named."""
    found = SHORT.column_problem(wrong)

    assert found is not None
    assert re.search(problem, found)


def test_a_sound_column_has_no_problem() -> None:
    """Texts within the bound are as they should be."""
    assert SHORT.column_problem(column("a", "größe", "名前")) is None


@pytest.mark.parametrize("spec", [TEXT, SHORT, TextInput(max_characters=1)])
def test_the_example_is_accepted(spec: TextInput) -> None:
    """Whatever the bound."""
    assert decode_item(example_item(spec), spec)


def test_what_to_send_in_words() -> None:
    """For a person who sent nothing, and for the table of a bundle."""
    assert "a text (a JSON string of 1 to 10,000 characters)" == describe(TEXT)
    assert "text of 1 to 1 character" == TextInput(max_characters=1).summary()


@pytest.mark.parametrize("wrong", [{"max_characters": 0}, {"shape": (1,)}, {"kind": "image"}])
def test_a_spec_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """A bound of nothing, or fields of another kind."""
    with pytest.raises(pydantic.ValidationError):
        TextInput(**wrong)
