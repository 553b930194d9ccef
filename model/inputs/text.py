r"""Texts: one JSON string an item.

A raw text has 1 to `max_characters` characters, counted as sent (Unicode code points), is valid Unicode and
not only white space. Its payload is the same text in Unicode's normal form C, without white space at its
ends, so that two ways to write one letter (é as one character, or e and an accent) are one text and get one
verdict. Nothing else is changed here: case, line breaks, digits and punctuation may mean something, and what
to make of them is the net's choice, which its bundle records.

A longer text is refused, not cut: which part matters, its sender knows. Data sets are cut at the end before
they are fitted on (`model/datasets`), which is what a sender who does not know better should do.

Example: `"How do I reset my PIN?\n"` decodes to `"How do I reset my PIN?"`.

Reference: Unicode Standard Annex #15, Unicode Normalization Forms.
"""

import unicodedata
from typing import Any, Literal

import numpy as np
import pydantic

from model.inputs.kind import Column, InvalidInput, Kind, count, kind_of

MAX_CHARACTERS = 10_000
"""The usual bound: some four pages."""


class TextInput(Kind):
    """What one text may be.

    Attributes:
        max_characters: the longest text taken, in characters as sent.
    """

    kind: Literal["text"] = "text"
    max_characters: pydantic.PositiveInt = MAX_CHARACTERS

    @property
    def most_values(self) -> int:
        """One string; its commas and brackets look like values to who only counts them."""
        return self.max_characters

    def decode(self, x: object) -> str:
        """Check one raw text and normalise it.

        Args:
            x: a string.

        Returns:
            the text in normal form C, stripped; at least one character.

        Raises:
            InvalidInput: no string, empty, too long, only white space, or a lone surrogate.
        """
        if not isinstance(x, str):
            raise self._wrong(kind_of(x))
        problem = self._problem(x)
        if problem is not None:
            raise self._wrong(problem)
        return _normal(x)

    def decode_column(self, column: Column) -> list[str]:
        """Normalise texts, unchecked: StringDType (N,) -> N strings."""
        return [_normal(text) for text in column.tolist()]

    def column_problem(self, column: Column) -> str | None:
        """Say why `column` is not a StringDType (N,) of sound texts."""
        if not isinstance(column.dtype, np.dtypes.StringDType) or column.ndim != 1:
            return f"x must be texts, StringDType (N,), not {column.dtype} {column.shape}"
        for place, text in enumerate(column.tolist()):
            problem = "nothing" if not isinstance(text, str) else self._problem(text)
            if problem is not None:
                return f"its item {place} must be a text of {self._length()}, not {problem}"
        return None

    def raw_item(self, value: Any) -> str:  # noqa: ANN401  # what indexing a column gives
        """Return the text."""
        return str(value)

    def example(self) -> str:
        """Return a short text."""
        return "How do I reset my PIN?"[: self.max_characters]

    def describe(self) -> str:
        """Say what to send."""
        return f"a text (a JSON string of {self._length()})"

    def summary(self) -> str:
        """Return kind and bound."""
        return f"text of {self._length()}"

    def _length(self) -> str:
        return f"1 to {count(self.max_characters, 'character')}"

    def _problem(self, text: str) -> str | None:
        if not text:
            return "an empty string"
        if len(text) > self.max_characters:
            return f"a string of {count(len(text), 'character')}: cut it, or send its parts as items"
        if text.isspace():
            return "a string of white space"
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"a string with a lone surrogate at character {error.start}, which is no valid Unicode"
        return None

    def _wrong(self, got: str) -> InvalidInput:
        return InvalidInput(f"x must be a text (a JSON string of {self._length()}); got {got}.")


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()
