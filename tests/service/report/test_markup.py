"""Markup that is safe by construction: any text goes in, and only text comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.report.markup import Markup, join, node, shortened, text
from tests.service.report.drawn import parsed


@given(st.text(), st.text())
def test_any_text(inside: str, attribute: str) -> None:
    """It parses, has no element but ours, and reads as what went in but for what XML cannot hold."""
    tree = parsed(node("p", inside, title=attribute))

    assert [] == list(tree)
    assert len(inside.replace("\r\n", "\n")) == len(tree.text or "")
    assert {"title"} == set(tree.attrib)


@pytest.mark.parametrize("hostile", ["<script>x</script>", "</p><p>", "&lt;", "\"'><", "]]>", "<!--"])
def test_hostile(hostile: str) -> None:
    """Shown to the letter."""
    assert hostile == parsed(node("p", hostile, title=hostile)).text
    assert hostile == parsed(node("p", hostile, title=hostile)).attrib["title"]


def test_what_turns_the_rest_around() -> None:
    """Characters that would turn the text after them, or that no page can hold, are replaced."""
    assert "\ufffdlive\ufffd\ufffd" == text("\u202elive\x00\ud800")


def test_markup_stays() -> None:
    """Elements within elements are not escaped again."""
    assert "<g><b>&lt;</b>&amp;</g>" == node("g", node("b", "<"), "&")
    assert isinstance(join([Markup("<b/>"), "<"]), Markup)
    assert "<b/>&lt;" == join([Markup("<b/>"), "<"])


def test_attributes() -> None:
    """None is left out, class and hyphens are written as Python can, numbers shortly."""
    assert '<text class="a" stroke-width="1.5" x="0.33" y="2" viewBox="0 0 1 1"></text>' == node(
        "text", class_="a", stroke_width=1.5, x=1 / 3, y=2.0, none=None, viewBox="0 0 1 1"
    )
    assert "<path/>" == node("path")


def test_shortened() -> None:
    """A long label ends in an ellipsis, a short one does not."""
    assert "abcd" == shortened("abcd", 4)
    assert "abc\u2026" == shortened("abcde", 4)
