"""From texts and the names of their classes to a `LabelledData`: what every loader of texts ends with.

A text longer than the bound is cut at its end, and `source` says how many were: the service refuses longer
ones, and who sends one should cut it the same way.
"""

from collections.abc import Sequence

import numpy as np

from model.datasets.labelled import LabelledData
from model.inputs import TextInput
from model.inputs.text import MAX_CHARACTERS


def text_data(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    name: str,
    source: str,
    max_characters: int = MAX_CHARACTERS,
) -> LabelledData:
    """Number the classes and put the texts into a column.

    Args:
        texts: N texts, none of them blank.
        labels: N names of classes.
        name: short name of the data set.
        source: where it comes from.
        max_characters: the bound; longer texts are cut.

    Returns:
        the data set; its classes in alphabetical order.

    Raises:
        DataError: there are no texts, or one is blank.
    """
    kept = [text[:max_characters] for text in texts]
    cut = sum(len(text) > max_characters for text in texts)
    classes = sorted(set(labels))
    number = {label: k for k, label in enumerate(classes)}
    return LabelledData(
        name=name,
        input=TextInput(max_characters=max_characters),
        x=np.array(kept, dtype=np.dtypes.StringDType()),
        y=np.array([number[label] for label in labels], dtype=np.int64),
        labels=tuple(classes),
        source=f"{source}; {cut} longer texts cut to {max_characters} characters" if cut else source,
    )
