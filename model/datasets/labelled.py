"""A labelled data set in memory: the noun every loader returns, and the one error they raise.

Values stay raw, in the range clients will send, so that what is fitted on and what is served pass through the
same decoding (`model/inputs`). A class is a number in `y` and a name in `labels`.

A class's name ends up in manifests, verdicts, reports and terminals, so it is looked at here, once, before anything
is trained: 1 to 200 characters of valid Unicode, not all of them blank, none a control character or a line break.
"""

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.inputs import Column, InputSpec
from model.manifest import escaped

LONGEST_NAME = 200
"""Characters that the name of a class or a column may have: what a manifest holds."""

_CONTROLS = frozenset({"Cc", "Zl", "Zp"})
_SHOWN = 40


class DataError(ValueError):
    """A data set cannot be had. The message says what is wrong and what to do.

    What it quotes of the data, names of columns say, is escaped, so that it cannot drive a terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(escaped(message))


@dataclass(frozen=True, kw_only=True)
class LabelledData:
    """N items with their classes.

    Attributes:
        name: the data set's short name, such as "digits".
        input: what one raw item looks like.
        x: N raw items: float32 (N, *input.shape), values in [input.minimum, input.maximum], for images and
            vectors; numpy's StringDType (N,) for texts.
        y: int64 (N,), index into `labels`.
        labels: the names of the classes, distinct, each with at least one item and such that `name_problem` has
            nothing to say.
        source: where the items come from, for the bundle's card.

    Raises:
        DataError: the parts do not fit together.
    """

    name: str
    input: InputSpec
    x: Column
    y: NDArray[np.int64]
    labels: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        if self.y.dtype != np.int64 or self.y.ndim != 1:
            raise self._wrong(f"y must be int64 (N,), not {self.y.dtype} {self.y.shape}")
        if len(self.y) == 0:
            raise self._wrong("it has no items")
        if self.x.shape[:1] != self.y.shape:
            raise self._wrong(f"x has {len(self.x)} items and y has {len(self.y)}")
        problem = self.input.column_problem(self.x)
        if problem is not None:
            raise self._wrong(problem)
        for label in self.labels:
            wrong = name_problem(label)
            if wrong is not None:
                raise DataError(
                    f"The data set {self.name!r} has a class called {shown(label)}, and {wrong}. Rename it: a class "
                    f"has a name of 1 to {LONGEST_NAME} characters, without control characters and line breaks."
                )
        if len(set(self.labels)) != len(self.labels):
            raise self._wrong("two classes have the same label")
        if np.any((self.y < 0) | (self.y >= len(self.labels))):
            raise self._wrong(f"y must be an index into its {len(self.labels)} labels")
        counts = np.bincount(self.y, minlength=len(self.labels))
        if not counts.all():
            raise self._wrong(f"the class {self.labels[int(counts.argmin())]!r} has no items")

    def _wrong(self, problem: str) -> DataError:
        return DataError(
            f"The data set {self.name!r} is not well formed: {problem}. Correct it and load it again."
        )


def name_problem(name: str) -> str | None:
    """Say why a class cannot be called so, to follow "and"; None where it can."""
    if not name.strip():
        return "a blank name cannot be told from none"
    if len(name) > LONGEST_NAME:
        return f"{len(name)} characters are too many"
    if not is_unicode(name):
        return "that is no valid Unicode"
    if any(unicodedata.category(c) in _CONTROLS for c in name):
        return "that holds a control character"
    return None


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: Python's texts may hold half a character, as file names and JSON may."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def shown(name: str) -> str:
    """Show a name of any length, all that cannot be printed escaped."""
    return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."
