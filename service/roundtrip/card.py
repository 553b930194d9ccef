"""The card of a Hugging Face dataset folder: README.md, whose YAML says which files are which table, and their types.

    load_dataset("FOLDER", "items")        and verdicts, clusters, decisions, as far as they were exported

Each table is a configuration of one split, `train`; one without rows is none, since the library takes a split of
nothing for an error (datasets 5.2). The YAML is written as JSON values, which YAML takes as they are, so that no name
can break out of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.roundtrip.tables import Kind, Table

FILE: Final = "README.md"

_SCALARS: Final = {
    Kind.TEXT: "string",
    Kind.DOCUMENT: "string",
    Kind.WHOLE: "int64",
    Kind.FRACTION: "float64",
    Kind.FLAG: "bool",
}
_LISTS: Final = {Kind.TEXTS: "string", Kind.WHOLES: "int64", Kind.NUMBERS: "float64"}


@dataclass(frozen=True, kw_only=True)
class Written:
    """One table on disk. file: relative to the folder."""

    table: Table
    file: str
    rows: int
    size: int
    sha256: str


def card(written: Sequence[Written], *, stream: str, bundle_id: str, seq: int, notes: Sequence[str]) -> str:
    """The text of README.md."""
    loadable = [one for one in written if one.rows]
    configs = [
        {"config_name": one.table.name, "data_files": [{"split": "train", "path": one.file}]}
        | ({"default": True} if n == 0 else {})
        for n, one in enumerate(loadable)
    ]
    infos = [
        {
            "config_name": one.table.name,
            "features": [_feature(column.name, column.kind) for column in one.table.columns],
            "splits": [{"name": "train", "num_bytes": one.size, "num_examples": one.rows}],
            "download_size": one.size,
            "dataset_size": one.size,
        }
        for one in loadable
    ]
    head = {"configs": configs, "dataset_info": infos, "tags": ["firstseen"]}
    lines = ["---", *(f"{name}: {json.dumps(value)}" for name, value in head.items()), "---", ""]
    lines += [
        f"# Stream {stream}",
        "",
        f"Exported by firstseen, up to place {seq} of the stream; its bundle is `{bundle_id}`.",
        "",
        *(f"- {note}" for note in notes),
    ]
    for one in written:
        about = one.table.about if one.rows else f"{one.table.about} There are none."
        lines += ["", f"## {one.table.name}", "", about, "", "| column | content |", "|---|---|"]
        lines += [f"| {column.name} | {column.about} |" for column in one.table.columns]
    return "\n".join(lines) + "\n"


def _feature(name: str, kind: Kind) -> Mapping[str, object]:
    if kind in _LISTS:
        return {"name": name, "list": _LISTS[kind]}
    return {"name": name, "dtype": _SCALARS[kind]}
