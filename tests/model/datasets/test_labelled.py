from typing import Any

import numpy as np
import pytest

from model.datasets.labelled import DataError, LabelledData
from model.inputs import TextInput, VectorInput

SOUND: dict[str, Any] = {
    "name": "pets",
    "input": VectorInput(shape=(2,), minimum=0, maximum=1),
    "x": np.array([[0, 1], [1, 0], [0.5, 0.5]], dtype=np.float32),
    "y": np.array([0, 1, 1]),
    "labels": ("cat", "dog"),
    "source": "tests",
}


def test_sound_data_is_accepted() -> None:
    """What fits together is kept as given."""
    assert LabelledData(**SOUND).x is SOUND["x"]


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"x": SOUND["x"].astype(np.float64)}, "x must be float32"),
        ({"x": SOUND["x"][:2]}, "x has 2 items and y has 3"),
        ({"x": SOUND["x"][:, :1]}, r"x must be float32 \(3, 2\)"),
        ({"x": SOUND["x"] * 2}, "values must lie in"),
        ({"x": SOUND["x"] - 1}, "values must lie in"),
        ({"x": SOUND["x"] * np.float32("nan")}, "values must lie in"),
        ({"y": np.array([0, 1, 1], dtype=np.int32)}, "y must be int64"),
        ({"y": np.array([0, 1, 2])}, "y must be an index into its 2 labels"),
        ({"y": np.array([0, 1, -1])}, "y must be an index into its 2 labels"),
        ({"y": np.array([0, 0, 0])}, "the class 'dog' has no items"),
        ({"labels": ("cat", "cat")}, "two classes have the same label"),
        ({"x": SOUND["x"][:0], "y": SOUND["y"][:0]}, "it has no items"),
    ],
)
def test_parts_that_do_not_fit_are_refused(part: dict[str, Any], problem: str) -> None:
    """A wrong dtype, shape, value, class or label is refused, and the data set named."""
    with pytest.raises(DataError, match=f"'pets' is not well formed: .*{problem}"):
        LabelledData(**{**SOUND, **part})


@pytest.mark.parametrize(
    ("label", "shown", "problem"),
    [
        ("", "''", "blank"),
        (" \u2003", "' \\\\u2003'", "blank"),
        ("x" * 201, "'" + "x" * 40 + "'...", "201 characters are too many"),
        ("caf\udce9", "'caf\\\\udce9'", "no valid Unicode"),
        ("\x1b[31mred", "'\\\\x1b", "control character"),
        ("two\nlines", "'two\\\\nlines'", "control character"),
        ("two\u2028lines", "'two\\\\u2028lines'", "control character"),
        ("\x7f", "'\\\\x7f'", "control character"),
    ],
)
def test_a_class_that_cannot_be_named_is_refused_before_anything_is_trained(
    label: str, shown: str, problem: str
) -> None:
    """Its name is shown escaped and cut, and the message says what a name is."""
    with pytest.raises(
        DataError, match=f"(?s)'pets' has a class called {shown}.*{problem}.*Rename it"
    ) as refused:
        LabelledData(**{**SOUND, "labels": ("cat", label)})

    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "label",
    [
        "x" * 200,
        "0",
        "Äpfel & Birnen",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "🙂",
        "<script>",
        " a",
    ],
)
def test_any_other_name_is_one(label: str) -> None:
    """Whatever the language, joiners included."""
    assert LabelledData(**{**SOUND, "labels": ("cat", label)}).labels == ("cat", label)


TEXTS = np.array(["a cat", "a dog\n", "Ein größerer Hund"], dtype=np.dtypes.StringDType())


def test_texts_are_a_column_of_strings() -> None:
    """A text data set is checked like any other: by its own kind of input."""
    text = {**SOUND, "input": TextInput(max_characters=20), "x": TEXTS}

    assert LabelledData(**text).x is TEXTS
    with pytest.raises(
        DataError, match="its item 2 must be a text of 1 to 16 characters, not a string of 17"
    ):
        LabelledData(**{**text, "input": TextInput(max_characters=16)})
    with pytest.raises(DataError, match="x must be texts, StringDType"):
        LabelledData(**{**text, "x": np.array(TEXTS.tolist())})
