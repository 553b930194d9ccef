from pathlib import Path

import pytest

from model.datasets.labelled import DataError
from model.datasets.text_file import load_text_file


def written(folder: Path, text: str, name: str = "tickets.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_two_columns_become_a_data_set(tmp_path: Path) -> None:
    """Rows in order, classes in alphabetical order, other columns left alone; the source names no folder."""
    path = written(tmp_path, "id,question,intent\n1,Where is it?,lost\n2,Ça va?, hello \n3,Hi,hello\n")

    data = load_text_file(path, text="question", label="intent")

    assert ["Where is it?", "Ça va?", "Hi"] == data.x.tolist()
    assert ("hello", "lost") == data.labels
    assert [1, 0, 0] == data.y.tolist()
    assert "tickets" == data.name
    assert "text" == data.input.kind
    assert "The columns question and intent of the file tickets.csv" == data.source


def test_labels_of_json_may_be_numbers(tmp_path: Path) -> None:
    """And true and false."""
    path = written(tmp_path, '{"t": "a", "y": 7}\n{"t": "b", "y": true}\n{"t": "c", "y": "x"}\n', "a.b.jsonl")

    data = load_text_file(path, text="t", label="y")

    assert ("7", "true", "x") == data.labels
    assert "a" == data.name


def test_a_long_text_is_cut_and_the_source_says_so(tmp_path: Path) -> None:
    """To what the service takes."""
    path = written(tmp_path, f"t,y\n{'long ' * 3000},a\nshort,b\n")

    data = load_text_file(path, text="t", label="y")

    assert [10_000, 5] == [len(text) for text in data.x.tolist()]
    assert data.source.endswith("; 1 longer texts cut to 10000 characters")


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (
            "q,y\na,b\n",
            "t.csv",
            "t.csv, line 2: there is no column 't'. Its columns are: q, y. Name one with --text",
        ),
        (
            "t,z\na,b\n",
            "t.csv",
            "line 2: there is no column 'y'. Its columns are: t, z. Name one with --label",
        ),
        ('{"t": "a", "y": "b"}\n{"y": "b"}\n', "t.jsonl", "t.jsonl, line 2: there is no column 't'"),
        ("t,y\na,b\n  ,b\n", "t.csv", "line 3: the column t must hold a text, not a string of white space"),
        ('{"t": null, "y": "b"}\n', "t.jsonl", "line 1: the column t must hold a text, not null"),
        (
            '{"t": "\\ud800", "y": "b"}\n',
            "t.jsonl",
            "line 1: the column t must hold a text, not a string with a lone",
        ),
        ("t,y\na,\n", "t.csv", "line 2: the column y must hold the name of a class"),
        ('{"t": "a", "y": null}\n', "t.jsonl", "line 1: the column y must hold the name of a class"),
        ('{"t": "a", "y": ["b"]}\n', "t.jsonl", "line 1: the column y must hold the name of a class"),
        (f"t,y\na,{'b' * 201}\n", "t.csv", "line 2: the label has 201 characters"),
        ("t,y\n", "t.csv", "t.csv has no rows"),
        ("", "t.csv", "t.csv has no rows"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, name: str, says: str) -> None:
    """File, line, what is wrong and what to do."""
    with pytest.raises(DataError) as refused:
        load_text_file(written(tmp_path, text, name), text="t", label="y")
    assert says in str(refused.value)
