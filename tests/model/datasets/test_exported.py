"""An export as a data set: classes as of now, whatever the format; and another data set beside it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.datasets import DataError, input_kind, load_dataset
from model.datasets.exported import MANIFEST, beside, is_export, load_export
from model.datasets.labelled import LabelledData
from model.inputs import ImageInput, TableColumn, TableInput

IMAGE = {"kind": "image", "shape": [1, 1, 2], "minimum": 0, "maximum": 16}
TEXT = {"kind": "text", "max_characters": 100}
ROWS: list[dict[str, Any]] = [
    {"id": "a", "label_now": "=one", "labelled_by": "verdict", "x": [1.0, 2.0]},
    {"id": "b", "label_now": None, "labelled_by": None, "x": [3.0, 4.0]},
    {"id": "c", "label_now": "new", "labelled_by": "decision", "x": [5.0, 6.5]},
]


def write(folder: Path, rows: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
    folder.mkdir()
    items = folder / "items.jsonl"
    rows = ROWS if rows is None else rows
    items.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = {
        "file": "items.jsonl",
        "rows": len(rows),
        "sha256": hashlib.sha256(items.read_bytes()).hexdigest(),
    }
    manifest = {
        "format_version": 1,
        "format": "jsonl",
        "stream": "s",
        "bundle": "b",
        "seq": 9,
        "labels": ["=one", "two"],
        "input": IMAGE,
        "tables": {"items": table},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest | changes))
    return folder


def images(x: list[list[float]], y: list[int], labels: tuple[str, ...]) -> LabelledData:
    return LabelledData(
        name="first",
        input=ImageInput(shape=(1, 1, 2), minimum=0, maximum=16),
        x=np.array(x, dtype=np.float32).reshape(-1, 1, 1, 2),
        y=np.array(y, dtype=np.int64),
        labels=labels,
        source="made up",
    )


def test_items_with_a_class_are_a_data_set(tmp_path: Path) -> None:
    """The others are left out, and the source says how many."""
    data = load_dataset(str(write(tmp_path / "out")), data_dir=None)

    assert ("=one", "new") == data.labels
    assert [[1.0, 2.0], [5.0, 6.5]] == data.x.reshape(-1, 2).tolist()
    assert [0, 1] == data.y.tolist()
    assert "1 left out" in data.source


def test_what_people_decided_can_be_all_that_counts(tmp_path: Path) -> None:
    """What the bundle took for known is its own word."""
    assert ("new",) == load_export(write(tmp_path / "out"), decided_only=True).labels


def test_another_data_set_stands_beside_it(tmp_path: Path) -> None:
    """Of that, what the bundle knew; of the export, what it did not; and nothing twice."""
    export = load_export(write(tmp_path / "out"))
    first = images([[1, 2], [7, 8], [9, 9]], [0, 1, 2], ("=one", "two", "held out"))
    data = beside(export, first, ("=one", "two"))

    assert ("=one", "two", "new") == data.labels
    assert [[1, 2], [7, 8], [5, 6.5]] == data.x.reshape(-1, 2).tolist()
    assert [0, 1, 2] == data.y.tolist()
    assert "1 of them were in both" in data.source


def test_items_of_another_kind_do_not(tmp_path: Path) -> None:
    """What would be learnt of both is one input."""
    other = LabelledData(
        name="wide",
        input=ImageInput(shape=(1, 2, 2), minimum=0, maximum=16),
        x=np.zeros((2, 1, 2, 2), dtype=np.float32),
        y=np.array([0, 1]),
        labels=("a", "b"),
        source="",
    )
    with pytest.raises(DataError, match="put together"):
        beside(load_export(write(tmp_path / "out")), other, ("a", "b"))


def test_texts_and_tables_are_read_too(tmp_path: Path) -> None:
    """By what the manifest says of the input."""
    texts = [{**row, "x": f"text {n}"} for n, row in enumerate(ROWS)]
    tables = [{**row, "x": {"bytes": n, "proto": "tcp"}} for n, row in enumerate(ROWS)]
    columns = [
        {"name": "bytes", "kind": "number", "values": [], "example": 1},
        {"name": "proto", "kind": "category", "values": ["udp", "tcp"], "example": "udp"},
    ]
    text = load_export(write(tmp_path / "text", texts, input=TEXT))
    table = load_export(write(tmp_path / "table", tables, input={"kind": "table", "columns": columns}))

    assert ["text 0", "text 2"] == text.x.tolist()
    assert "table" == table.input.kind
    assert [[0.0, 1.0], [2.0, 1.0]] == table.x.tolist()
    assert ["text", "table"] == [input_kind(str(tmp_path / name)) for name in ("text", "table")]


def test_a_csv_is_disarmed_and_read_back(tmp_path: Path) -> None:
    """An apostrophe that kept a spreadsheet from computing is no part of a label."""
    folder = write(tmp_path / "out", format="csv")
    body = 'id,label_now,labelled_by,x\r\na,"\'=one","verdict","[1.0, 2.0]"\r\nb,,,"[3, 4]"\r\n'
    path = folder / "items.csv"
    path.write_bytes(body.encode())
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["tables"]["items"] = {
        "file": "items.csv", "rows": 2, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest))
    data = load_export(folder)

    assert ("=one",) == data.labels
    assert [[1.0, 2.0]] == data.x.reshape(-1, 2).tolist()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 2}, "version 2"),
        ({"tables": {}}, "has no items"),
        ({"seq": "x"}, "damaged at seq"),
        ({"input": {"kind": "sound"}}, "damaged at input"),
        ({"tables": {"items": {"file": "../../etc/passwd", "rows": 1, "sha256": ""}}}, "has no file"),
        ({"tables": {"items": {"file": "items.jsonl", "rows": 3, "sha256": "0"}}}, "not what was exported"),
    ],
)
def test_an_export_that_is_not_whole_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    """And it is said what to do."""
    with pytest.raises(DataError, match=said):
        load_export(write(tmp_path / "out", **changes))


@pytest.mark.parametrize("rows", [ROWS[1:2], []])
def test_one_without_a_class_is_refused(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """People have to decide first; a service that keeps no payloads gives no items at all."""
    with pytest.raises(DataError, match="promote or link"):
        load_export(write(tmp_path / "out", rows))


def test_a_table_keeps_the_columns_of_the_streams_bundle(tmp_path: Path) -> None:
    """So the stream can be moved to what is trained on it, and the first data set put beside it; few rows mislead."""
    columns = (
        TableColumn(name="n", kind="number", example=1),
        TableColumn(name="proto", kind="category", values=("udp", "tcp"), example="udp"),
    )
    spec = TableInput(columns=columns)
    rows = [
        {"id": str(n), "label_now": "new", "labelled_by": "decision", "x": {"n": n, "proto": "icmp"}}
        for n in range(12)  # numbered in order, as a column of row numbers is
    ]
    export = load_export(write(tmp_path / "out", rows, input=spec.model_dump(mode="json")))
    first = LabelledData(
        name="first",
        input=spec,
        x=np.array([[7.0, 0.0]], dtype=np.float32),
        y=np.array([0]),
        labels=("old",),
        source="made up",
    )

    assert spec == export.input == beside(export, first, ("old",)).input
    assert [[n, 2.0] for n in range(12)] == export.x.tolist()


def test_an_item_that_cannot_be_is_told(tmp_path: Path) -> None:
    """The file was changed by somebody who made its checksum anew."""
    with pytest.raises(DataError, match="cannot be read"):
        load_export(write(tmp_path / "out", [{**ROWS[0], "x": [1.0]}]))


def test_only_an_export_has_something_beside_it(tmp_path: Path) -> None:
    """A data set is whole."""
    assert not is_export(tmp_path)
    with pytest.raises(DataError, match="--with"):
        load_dataset("digits", data_dir=None, beside="digits")
