"""What `firstseen export` wrote, as a data set: the items it holds, with the class that each is of as of now.

    firstseen-export.json     what the folder holds: the input, where the items are, their checksum
    items.jsonl ...           id, ..., label_now, x                  in any of the formats

Items without a class are left out: outliers, and those of clusters that nobody has made a class of. What an item may be
is what the stream's bundle says, of a table its columns and their listed values, too: so a bundle of these items takes
the same items as that one, and the stream can be moved to it. An export has few
items of known classes, so another data set may be put beside it (`beside`). Of that, the classes are taken that the
stream's bundle knew, so that nothing is learnt of classes that were held out; of the export then only items whose class
people decided: what the bundle itself took for known brings nothing that it did not know, but its mistakes. An item
that is in both counts once.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic

from model.datasets.labelled import DataError, LabelledData, shown
from model.datasets.table_file import open_table
from model.datasets.texts import text_data
from model.inputs import InputSpec, InvalidInput, TableInput, TextInput

MANIFEST = "firstseen-export.json"
VERSION = 1

_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'")  # what a csv has an apostrophe before
_DECIDED = "decision"


class _Table(pydantic.BaseModel):
    file: Annotated[str, pydantic.Field(min_length=1, max_length=200)]
    rows: pydantic.NonNegativeInt
    sha256: str


class _Manifest(pydantic.BaseModel):
    format_version: int
    format: str
    stream: str
    bundle: str
    seq: int
    labels: tuple[str, ...]
    input: InputSpec
    tables: dict[str, _Table]


def is_export(folder: Path) -> bool:
    """Whether a folder is what `firstseen export` wrote."""
    return (folder / MANIFEST).is_file()


def load_export(folder: Path, *, decided_only: bool = False) -> LabelledData:
    """Load the items of an export that have a class.

    Args:
        folder: what `firstseen export` wrote.
        decided_only: whether only those count whose class people decided.

    Raises:
        DataError: the export is damaged, of another version, or has no such items.
    """
    manifest, path = _read(folder)
    rows = _rows(path, manifest.format) if manifest.tables["items"].rows else ()
    items = [
        (label, x) for label, by, x in rows if label is not None and (by == _DECIDED or not decided_only)
    ]
    left_out = manifest.tables["items"].rows - len(items)
    if not items:
        raise DataError(
            f"The export {folder.name} has {left_out} items, and none of a class"
            f"{' by decision' if decided_only else ''}: promote or link clusters first, and bring their items with "
            "--items when you export."
        )
    others = "items that the bundle took for known, outliers" if decided_only else "outliers"
    source = (
        f"{len(items)} items of the stream {manifest.stream} up to place {manifest.seq}, classes by "
        f"{'' if decided_only else 'its verdicts and '}people's decisions; {left_out} left out: {others}, and items of "
        "clusters that are no class"
    )
    labels, xs = [label for label, _ in items], [x for _, x in items]
    return _data(folder, manifest.input, labels, xs, source)


def known_to(folder: Path) -> tuple[str, ...]:
    """The classes that the stream's bundle knew. Raises DataError."""
    return _read(folder)[0].labels


def export_kind(folder: Path) -> str:
    """The kind of its input. Raises DataError."""
    return _read(folder)[0].input.kind


def beside(export: LabelledData, other: LabelledData, known: Sequence[str]) -> LabelledData:
    """The items of another data set, then those of an export that are not in it.

    Args:
        export: of `load_export`.
        other: the data set that the stream's bundle was trained on, say.
        known: classes that the bundle knew: of the other data set no item of another class is taken.

    Returns:
        the classes of the other data set that are known, in its order, then those that the export brings.

    Raises:
        DataError: their items are of different kinds.
    """
    if export.input.kind != other.input.kind or (export.input.kind != "text" and export.input != other.input):
        raise DataError(
            f"The items of {export.name} are {export.input.summary()}, those of {other.name} {other.input.summary()}, "
            "and they can only be put together when all of that is the same. Train on one of them."
        )
    is_known = np.isin(np.array(other.labels, dtype=object)[other.y], list(known))
    rows = np.flatnonzero(is_known)
    mine = {_key(value) for value in other.x[rows]}
    fresh = np.array([n for n, value in enumerate(export.x) if _key(value) not in mine], dtype=np.int64)
    labels = [label for label in other.labels if label in set(known)]
    labels += [label for label in export.labels if label not in labels]
    number = {label: k for k, label in enumerate(labels)}
    y = [number[other.labels[k]] for k in other.y[rows]] + [number[export.labels[k]] for k in export.y[fresh]]
    have = np.unique(y)
    names = [labels[k] for k in have]
    return LabelledData(
        name=export.name,
        input=other.input,
        x=np.concatenate([other.x[rows], export.x[fresh]]),
        y=np.searchsorted(have, np.array(y, dtype=np.int64)).astype(np.int64),
        labels=tuple(names),
        source=f"{other.source}, {len(rows)} items of the classes that the stream's bundle knew; beside these "
        f"{export.source}; {len(export.y) - len(fresh)} of them were in both and count once",
    )


def _read(folder: Path) -> tuple[_Manifest, Path]:
    """The manifest, and where the items are."""
    try:
        manifest = _Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise DataError(f"The export {folder.name} cannot be read ({error.strerror}).") from error
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{MANIFEST} of {folder.name} is damaged at {place}: {first['msg']}. Export again."
        ) from None
    if manifest.format_version != VERSION:
        raise DataError(
            f"The export {folder.name} is of version {manifest.format_version}, and this firstseen reads {VERSION}: "
            "use the firstseen that wrote it, or export again."
        )
    if "items" not in manifest.tables:
        raise DataError(f"The export {folder.name} has no items: export again, with --what all or items.")
    table = manifest.tables["items"]
    path = folder / table.file
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise DataError(f"The export {folder.name} has no file {shown(table.file)}. Export again.")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != table.sha256:
            raise DataError(f"{table.file} of {folder.name} is not what was exported. Export again.")
    return manifest, path


def _rows(path: Path, form: str) -> Iterator[tuple[str | None, object, Any]]:
    """(class or None, who says so, item) of each row."""
    for chunk in open_table(path).chunks():
        for label, by, x in zip(chunk["label_now"], chunk["labelled_by"], chunk["x"], strict=True):
            if form == "csv":
                yield _rearmed(str(label)) or None, by, _rearmed(str(x))
            else:
                yield None if label is None else str(label), by, x


def _rearmed(cell: str) -> str:
    """A cell without the apostrophe that kept a spreadsheet from taking it for a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in _STARTS else cell


def _data(folder: Path, spec: InputSpec, labels: list[str], xs: list[Any], source: str) -> LabelledData:
    name = folder.name.partition(".")[0] or folder.name
    try:
        if spec.kind == "text":
            assert isinstance(spec, TextInput)
            return text_data(
                [str(x) for x in xs], labels, name=name, source=source, max_characters=spec.max_characters
            )
        whole = [json.loads(x) if isinstance(x, str) else x for x in xs]
        decoded = [spec.decode(x) for x in whole]
        if isinstance(spec, TableInput):
            x = np.stack(decoded)  # a table's data set is of codes, as a payload is
        else:
            x = np.array(whole, dtype=np.float32).reshape(len(whole), *spec.shape)
    except (ValueError, InvalidInput) as error:
        raise DataError(f"An item of {folder.name} cannot be read: {error} Export again.") from error
    classes = sorted(Counter(labels))
    number = {label: k for k, label in enumerate(classes)}
    return LabelledData(
        name=name,
        input=spec,
        x=x,
        y=np.array([number[label] for label in labels], dtype=np.int64),
        labels=tuple(classes),
        source=source,
    )


def _key(value: Any) -> bytes:  # noqa: ANN401  # what indexing a column gives
    """What tells an item from others."""
    return (
        str(value).encode("utf-8", "surrogatepass") if isinstance(value, str) else np.asarray(value).tobytes()
    )
