"""A file of labelled texts of the user's own: two columns of a csv, tsv or jsonl file.

    {"text": "I lost my card", "intent": "lost_card"}        one line of jsonl: text="text", label="intent"

The other columns are not looked at. A label may be a text, a number, or true or false; it becomes its text.
"""

from pathlib import Path

from model.datasets.labelled import DataError, LabelledData
from model.datasets.rows import Row, read_rows, wrong
from model.datasets.texts import text_data
from model.inputs import InvalidInput, TextInput
from model.inputs.text import MAX_CHARACTERS

_LONGEST_LABEL = 200


def load_text_file(path: Path, *, text: str, label: str) -> LabelledData:
    """Load the texts and labels of a file.

    Args:
        path: a csv, tsv or jsonl file, gzipped or not; see `model/datasets/rows.py`.
        text: the column of the texts.
        label: the column of the classes.

    Returns:
        its rows in order; classes in alphabetical order.

    Raises:
        DataError: the file cannot be read, has no such column, or a row lacks text or label; the message names
            file and line.
    """
    texts, labels = [], []
    anything = TextInput(max_characters=10**9)
    for line, row in read_rows(path):
        content = _value(row, text, "--text", path, line)
        try:
            anything.decode(content)
        except InvalidInput as error:
            got = str(error).rpartition("; got ")[2]
            raise wrong(
                path, line, f"the column {text} must hold a text, not {got} Mend or remove it."
            ) from None
        texts.append(str(content))
        labels.append(_label(_value(row, label, "--label", path, line), label, path, line))
    if not texts:
        raise DataError(f"{path.name} has no rows. Write one labelled text a row.")
    return text_data(
        texts,
        labels,
        name=path.name.partition(".")[0] or path.name,
        source=f"The columns {text} and {label} of the file {path.name}",
        max_characters=MAX_CHARACTERS,
    )


def _value(row: Row, column: str, option: str, path: Path, line: int) -> object:
    if column not in row:
        names = ", ".join(list(row)[:20]) or "none"
        raise wrong(
            path, line, f"there is no column {column!r}. Its columns are: {names}. Name one with {option}."
        )
    return row[column]


def _label(value: object, column: str, path: Path, line: int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise wrong(
            path, line, f"the column {column} must hold the name of a class. Fill it, or remove the row."
        )
    if len(value) > _LONGEST_LABEL:
        raise wrong(
            path, line, f"the label has {len(value)} characters; at most {_LONGEST_LABEL} make a name."
        )
    return value.strip()
