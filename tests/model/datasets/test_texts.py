import pytest

from model.datasets.labelled import DataError
from model.datasets.texts import text_data


def test_classes_are_numbered_in_alphabetical_order() -> None:
    """Whatever the order they come in; texts stay in theirs."""
    data = text_data(["b1", "a1", "b2"], ["b", "a", "b"], name="n", source="s")

    assert (("a", "b"), [1, 0, 1], ["b1", "a1", "b2"]) == (data.labels, data.y.tolist(), data.x.tolist())
    assert "s" == data.source


def test_longer_texts_are_cut_at_their_end() -> None:
    """And counted."""
    data = text_data(["abc", "abcdef"], ["x", "y"], name="n", source="s", max_characters=4)

    assert ["abc", "abcd"] == data.x.tolist()
    assert "s; 1 longer texts cut to 4 characters" == data.source


def test_blank_texts_are_refused() -> None:
    """A text that is blank to its bound, too."""
    with pytest.raises(DataError, match="item 1 must be a text"):
        text_data(["a", "    b"], ["x", "y"], name="n", source="s", max_characters=4)
    with pytest.raises(DataError, match="no items"):
        text_data([], [], name="n", source="s")
