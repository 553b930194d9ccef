"""NSL-KDD: two files without column names, made small here."""

import os
from pathlib import Path

import httpx
import numpy as np
import pytest

from model.datasets import DataError
from model.datasets.nsl_kdd import FEATURES, FILES, NEW, TYPES, Connections, load_nsl_kdd
from model.inputs import TableInput

LINE = "0,tcp,http,SF,491" + ",0" * 36


def write(folder: Path, *attacks: str) -> Path:
    path = folder / "part.txt"
    path.write_text("".join(f"{LINE},{attack},20\n" for attack in attacks))
    return path


def no_download(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"{request.url} cannot be reached")


OFFLINE = httpx.Client(transport=httpx.MockTransport(no_download))


def test_there_are_41_features_and_40_classes_of_five_types() -> None:
    """Every attack has one type, and the new ones are among them."""
    attacks = [attack for of_type in TYPES.values() for attack in of_type]

    assert len(set(FEATURES)) == 41
    assert len(attacks) == len(set(attacks)) == 40
    assert set(NEW) <= set(attacks)
    assert len(NEW) == 18


def test_a_line_gets_its_type_and_loses_its_difficulty(tmp_path: Path) -> None:
    """One row has the features in order, the attack and what kind of attack it is."""
    source = Connections([write(tmp_path, "neptune", "normal")])
    (chunk,) = source.chunks()

    assert (*FEATURES, "attack", "type") == source.columns == tuple(chunk)
    assert list(chunk["service"]) == ["http", "http"]
    assert list(chunk["attack"]) == ["neptune", "normal"]
    assert list(chunk["type"]) == ["dos", "normal"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("1,2,3\n", "line 1, has 3 fields, not 43"), (f"{LINE},wrong,1\n", "no attack 'wrong'")],
)
def test_a_line_that_does_not_fit_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """With its number."""
    (tmp_path / "part.txt").write_text(text)

    with pytest.raises(DataError, match=problem):
        list(Connections([tmp_path / "part.txt"]).chunks())


def test_absent_files_are_downloaded(tmp_path: Path) -> None:
    """A failure names the address and the folder for the file."""
    with pytest.raises(DataError, match=r"KDDTrain%2B_20Percent\.txt could not be downloaded") as refused:
        load_nsl_kdd(tmp_path, client=OFFLINE)
    assert str(tmp_path) in str(refused.value)


def test_another_file_under_the_name_is_refused(tmp_path: Path) -> None:
    """It is not the published one."""
    (tmp_path / FILES[0].name).write_text(f"{LINE},normal,20\n")

    with pytest.raises(DataError, match="is not the published file"):
        load_nsl_kdd(tmp_path, client=OFFLINE)


def test_another_label_is_refused(tmp_path: Path) -> None:
    """There are two."""
    with pytest.raises(DataError, match=r"no label 'difficulty'\. Choose attack or type"):
        load_nsl_kdd(tmp_path, client=OFFLINE, label="difficulty")


@pytest.mark.skipif("FIRSTSEEN_DATA" not in os.environ, reason="needs NSL-KDD: set FIRSTSEEN_DATA")
def test_the_real_files_load() -> None:
    """47,736 rows of 38 numbers and 3 categories; the new attacks are in the second file alone."""
    data = load_nsl_kdd(Path(os.environ["FIRSTSEEN_DATA"]) / "nsl-kdd", client=OFFLINE)
    first = {data.labels[k] for k in np.unique(data.y[:25_192])}

    assert data.x.shape == (47_736, 41)
    assert isinstance(data.input, TableInput)
    assert [c.name for c in data.input.columns if c.kind == "category"] == [
        "protocol_type",
        "service",
        "flag",
    ]
    assert set(data.labels) - first == set(NEW)
