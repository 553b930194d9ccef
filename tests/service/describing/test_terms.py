"""Terms that set texts apart: what they have and others have not, whatever else is in them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.describing.terms import MOST_TERMS, distinguishing, fitted_shares
from tests.service import digits, texts

SMALL = st.lists(st.text(max_size=30), max_size=8)


def names(own: list[str], others: list[str], fitted: dict[str, float] | None = None) -> list[str]:
    return [term.term for term in distinguishing(own, others, fitted)]


def test_what_is_said_everywhere_tells_nothing() -> None:
    """Only what sets them apart, the surest first."""
    own = [f"please book a flight to {city}" for city in ("rome", "oslo", "rome", "lima", "bonn", "kiel")]
    others = [f"please play a song of {name}" for name in ("ada", "bob", "eve", "ida", "max", "tom")]
    found = names(own, others)

    assert "book" in found[0] or "flight" in found[0]
    assert not {"please", "a"} & {word for term in found for word in term.split()}


def test_what_the_net_was_fitted_to_counts_as_elsewhere() -> None:
    """With no other text at hand: a word that half of the known texts have is no word of this cluster."""
    own = ["please reset my router"] * 5
    fitted = {"please": 0.5, "my": 0.4, "please reset": 0.01}

    assert {"reset", "router"} & set(names(own, [], fitted)[0].split())
    assert not {"please", "my"} & {word for term in names(own, [], fitted) for word in term.split()}


def test_no_text_speaks_for_many() -> None:
    """A word that one text has a thousand times is in one text."""
    own = ["router broken"] * 4 + ["spam " * 1000]

    assert "spam" not in names(own, ["a song"] * 5)


def test_with_nothing_to_compare_with_something_is_said() -> None:
    """What all have."""
    assert names(["reset pin", "reset pin now"], [])
    assert [] == names([], [])


def test_no_word_is_said_twice() -> None:
    """A pair takes the place of its words."""
    found = names(["reset my pin code"] * 6, ["play my song"] * 6)
    words = [word for term in found for word in term.split()]

    assert len(set(words)) == len(words)
    assert len(found) <= MOST_TERMS


@settings(max_examples=60, deadline=None)
@given(SMALL, SMALL)
def test_whatever_the_texts_are_terms_are_short_words(own: list[str], others: list[str]) -> None:
    """Deterministic, bounded, letters and digits only, shares in 0..1."""
    found = distinguishing(own, others)

    assert found == distinguishing(list(own), list(others))
    for term in found:
        assert re.fullmatch(r"\w+( \w+)?", term.term)
        assert len(term.term) <= 81
        assert 0 < term.share <= 1
        assert 0 <= term.elsewhere <= 1


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "x" * 10**6, "=cmd|' /C calc'!A0", "\x00\u202e"]
)
def test_hostile_text_gives_words_or_nothing(text: str) -> None:
    """No markup, no control characters, nothing endless."""
    for term in names([text] * 5, ["a song"] * 5):
        assert term.replace(" ", "").isalnum()
        assert len(term) < 100


def test_a_bundle_that_counts_words_tells_how_common_they_are() -> None:
    """And one that does not tells nothing."""
    shares = fitted_shares(texts.bundle())

    assert shares["please"] > shares["jazz"] > 0
    assert max(shares.values()) <= 1
    assert {} == fitted_shares(digits.bundle())
