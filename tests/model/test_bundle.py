import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.bundle import (
    BundleContents,
    BundleError,
    _move_into_place,
    check_destination,
    check_golden,
    read_bundle,
    read_manifest,
    write_bundle,
)
from model.inputs import Payload
from model.scores import Gate, layer_slices

FILES = ["card.md", "golden.safetensors", "known.safetensors", "manifest.json", "weights.safetensors"]


@pytest.fixture
def folder(tmp_path: Path, contents: BundleContents, created: datetime) -> Path:
    write_bundle(tmp_path / "bundle", contents, created=created)
    return tmp_path / "bundle"


@pytest.fixture(scope="module")
def shared_folder(
    tmp_path_factory: pytest.TempPathFactory, contents: BundleContents, created: datetime
) -> Path:
    path = tmp_path_factory.mktemp("flips") / "bundle"
    write_bundle(path, contents, created=created)
    return path


def test_what_is_written_is_read(folder: Path, contents: BundleContents) -> None:
    """A bundle read back has every field, array, dtype and shape it was written with."""
    bundle = read_bundle(folder)

    assert folder == bundle.path
    for name in ("input", "network", "embedding", "labels", "calibration", "config", "metrics"):
        assert getattr(contents, name) == getattr(bundle.manifest, name)
    assert contents.card == bundle.card
    assert contents.weights.keys() == bundle.weights.keys()
    for expected, actual in (
        (contents.weights, bundle.weights),
        (contents.known.table(), bundle.known.table()),
        ({"z": contents.golden.embeddings}, {"z": bundle.golden.embeddings}),
    ):
        for name, array in expected.items():
            np.testing.assert_array_equal(array, actual[name], strict=True)
    assert contents.known.table().keys() == bundle.known.table().keys()
    assert contents.known.gate.specs == bundle.known.gate.specs
    assert contents.golden.items == bundle.golden.items
    assert bundle.files == {}


def test_files_of_the_net_travel_with_it(tmp_path: Path, contents: BundleContents, created: datetime) -> None:
    """A vocabulary or tokenizer is kept to the byte and is part of the id; a file of any other name is refused."""
    files = {"vocabulary.json": '["größe"]'.encode(), "tokenizer.json": b"{}"}
    manifest = write_bundle(tmp_path / "b", replace(contents, files=files), created=created)

    assert files == read_bundle(tmp_path / "b").files
    assert manifest.bundle_id != write_bundle(tmp_path / "plain", contents, created=created).bundle_id
    with pytest.raises(BundleError, match=r"'net\.py' is a file that no bundle has.*vocabulary\.json"):
        write_bundle(tmp_path / "c", replace(contents, files={"net.py": b""}), created=created)


def test_options_keep_their_types(folder: Path) -> None:
    """A truth value stays one, and a whole number does not become a fraction."""
    options = read_manifest(folder).network.options

    assert {"width": int, "dropout": float, "bias": bool} == {name: type(v) for name, v in options.items()}


def test_the_folder_holds_the_files_of_the_format(folder: Path) -> None:
    """A bundle has five files, no scratch beside it, and others may read it as far as the umask allows."""
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert [folder] == list(folder.parent.iterdir())
    umask = os.umask(0)
    os.umask(umask)
    assert 0o777 & ~umask == folder.stat().st_mode & 0o777


def test_the_worked_example_gives_its_numbers(folder: Path) -> None:
    """The p-values of the example in the format essay follow from the arrays by its formulas."""
    known, z = read_bundle(folder).known, np.array([1, 0], dtype=np.float32)
    scores = known.gate(z[None])[0]
    p_values = []
    for k in range(2):
        score = np.sum(((z - known.prototypes[k]) @ known.class_whitener) ** 2)
        assert score == scores[k] == [1, 9][k]
        own = known.calibration_scores[known.calibration_offsets[k] : known.calibration_offsets[k + 1]]
        p_values.append((1 + np.sum(own >= score)) / (len(own) + 1))

    assert p_values == [2 / 4, 1 / 3]


def test_the_id_names_the_content(tmp_path: Path, contents: BundleContents, created: datetime) -> None:
    """The same content has the same id whenever it is written; another card, and the id is another."""
    first = write_bundle(tmp_path / "a", contents, created=created)
    later = write_bundle(tmp_path / "b", contents, created=created.replace(year=2027))
    other = write_bundle(tmp_path / "c", replace(contents, card="# Other\n"), created=created)

    assert first.bundle_id == later.bundle_id
    assert first.created != later.created
    assert first.bundle_id != other.bundle_id


def test_an_onnx_file_is_listed_and_checked(
    tmp_path: Path, contents: BundleContents, created: datetime
) -> None:
    """The optional file is part of the bundle when it is there: listed, and refused when changed."""
    manifest = write_bundle(tmp_path / "b", replace(contents, onnx=b"graph"), created=created)
    read_bundle(tmp_path / "b")
    (tmp_path / "b" / "embedder.onnx").write_bytes(b"grapH")

    assert "embedder.onnx" in manifest.files
    with pytest.raises(BundleError, match=r"embedder\.onnx"):
        read_bundle(tmp_path / "b")


@given(data=st.data())
def test_one_flipped_bit_is_refused_by_name(shared_folder: Path, data: st.DataObject) -> None:
    """Whatever bit of whatever file flips, the bundle is refused and the file named.

    In the manifest a flip may leave the content alone (white space, the time of writing); then and only then
    it is read, with everything else as it was.
    """
    before = read_manifest(shared_folder)
    path = shared_folder / data.draw(st.sampled_from(FILES))
    whole = path.read_bytes()
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(whole)
    flipped[place] ^= 1 << bit
    path.write_bytes(flipped)
    refused, after = "", before
    try:
        after = read_bundle(shared_folder).manifest
    except BundleError as error:
        refused = str(error)
    finally:
        path.write_bytes(whole)

    if path.name == "manifest.json":
        assert path.name in refused or before.model_copy(update={"created": after.created}) == after
    else:
        assert path.name in refused


@given(data=st.data())
def test_a_truncated_file_is_refused_by_name(shared_folder: Path, data: st.DataObject) -> None:
    """A file cut anywhere is refused, and the file named."""
    path = shared_folder / data.draw(st.sampled_from(FILES))
    whole = path.read_bytes()
    # The manifest ends in a line break that its content does without.
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 2))])
    try:
        with pytest.raises(BundleError, match=path.name.replace(".", r"\.")):
            read_bundle(shared_folder)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    """Without one of its files a bundle is refused, and the file named."""
    (folder / name).unlink()

    with pytest.raises(BundleError, match=f"{name} is missing"):
        read_bundle(folder)


def _add_unknown(folder: Path) -> str:
    (folder / "notes.txt").write_text("hello")
    return "notes.txt"


def _add_hidden(folder: Path) -> str:
    (folder / ".DS_Store").write_bytes(b"")
    return ".DS_Store"


def _add_folder(folder: Path) -> str:
    (folder / "old").mkdir()
    return "old"


def _add_pipe(folder: Path) -> str:
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")
    return "card.md"


def _add_unlisted(folder: Path) -> str:
    (folder / "embedder.onnx").write_bytes(b"graph")
    return "embedder.onnx"


def _link_outside(folder: Path) -> str:
    (folder / "weights.safetensors").rename(folder.parent / "elsewhere")
    (folder / "weights.safetensors").symlink_to(folder.parent / "elsewhere")
    return "weights.safetensors"


def _link_nowhere(folder: Path) -> str:
    (folder / "embedder.onnx").symlink_to(folder / "nothing")
    return "embedder.onnx"


def _folder_for_file(folder: Path) -> str:
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()
    return "manifest.json"


def _swap_files(folder: Path) -> str:
    shutil.copy(folder / "golden.safetensors", folder / "known.safetensors")
    return "known.safetensors"


@pytest.mark.parametrize(
    "harm",
    [
        _add_unknown,
        _add_hidden,
        _add_folder,
        _add_pipe,
        _add_unlisted,
        _link_outside,
        _link_nowhere,
        _folder_for_file,
        _swap_files,
    ],
)
def test_what_no_bundle_holds_is_refused_by_name(folder: Path, harm: Callable[[Path], str]) -> None:
    """Unknown, hidden, nested, linked, special and swapped files are refused, and each is named."""
    name = harm(folder)

    with pytest.raises(BundleError, match=name.replace(".", r"\.")) as refused:
        read_bundle(folder)
    assert str(folder) in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """An empty folder is no bundle: its manifest is missing."""
    with pytest.raises(BundleError, match=r"manifest\.json is missing: the folder holds nothing"):
        read_bundle(tmp_path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A folder that does not exist is named, with what to do."""
    with pytest.raises(
        BundleError, match=r"nowhere' cannot be used: the folder does not exist\. Check the path"
    ):
        read_bundle(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    """Given the manifest instead of its folder, the message asks for the folder."""
    with pytest.raises(BundleError, match=r"is a file, not a folder. Give the folder"):
        read_bundle(folder / "manifest.json")


def test_a_link_to_a_bundle_is_read(folder: Path) -> None:
    """The folder itself may be reached by a link, as deployments with a `current` link do."""
    link = folder.parent / "current"
    link.symlink_to(folder)

    assert read_manifest(folder) == read_bundle(link).manifest


def test_an_existing_bundle_stays_unless_replacing_is_asked_for(
    folder: Path, contents: BundleContents, created: datetime
) -> None:
    """Writing over a bundle is refused; with `replace` the new one is there and nothing is left beside it."""
    other = replace(contents, card="# Other\n")
    with pytest.raises(BundleError, match="exists and is not empty"):
        write_bundle(folder, other, created=created)
    with pytest.raises(BundleError, match="exists and is not empty"):
        check_destination(folder)
    assert contents.card == read_bundle(folder).card

    check_destination(folder, replace=True)
    write_bundle(folder, other, created=created, replace=True)

    assert other.card == read_bundle(folder).card
    assert [folder] == list(folder.parent.iterdir())


def test_a_damaged_bundle_can_be_replaced(folder: Path, contents: BundleContents, created: datetime) -> None:
    """`replace` asks for the files of a bundle, not for sound ones."""
    (folder / "card.md").write_text("changed")

    write_bundle(folder, contents, created=created, replace=True)

    assert contents.card == read_bundle(folder).card


def test_a_bundle_outlives_a_failed_replacement(folder: Path, contents: BundleContents) -> None:
    """When the new folder cannot be moved into place the old bundle comes back."""
    with pytest.raises(FileNotFoundError):
        _move_into_place(folder.parent / "never written", folder, folder.parent / "old")

    assert contents.card == read_bundle(folder).card


@pytest.mark.parametrize("names", [["thesis.tex"], ["manifest.json", "thesis.tex"], ["card.md"]])
def test_a_folder_of_other_things_is_never_replaced(
    tmp_path: Path, contents: BundleContents, created: datetime, names: list[str]
) -> None:
    """What is not a bundle is not deleted, whatever is asked for."""
    for name in names:
        (tmp_path / name).write_text("precious")

    with pytest.raises(BundleError, match="no bundle to replace"):
        write_bundle(tmp_path, contents, created=created, replace=True)
    assert names == sorted(path.name for path in tmp_path.iterdir())


def test_an_empty_folder_is_filled(tmp_path: Path, contents: BundleContents, created: datetime) -> None:
    """An empty folder that someone made beforehand is as good as none."""
    (tmp_path / "b").mkdir()

    write_bundle(tmp_path / "b", contents, created=created)

    assert contents.card == read_bundle(tmp_path / "b").card


def test_a_file_in_the_way_is_refused(tmp_path: Path, contents: BundleContents, created: datetime) -> None:
    """Neither a file at the path nor one among its parents is written over."""
    (tmp_path / "taken").write_text("precious")

    with pytest.raises(BundleError, match="is a file or a link"):
        write_bundle(tmp_path / "taken", contents, created=created, replace=True)
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(tmp_path / "taken" / "bundle", contents, created=created)
    assert (tmp_path / "taken").read_text() == "precious"


def test_contents_that_could_not_be_read_are_not_written(
    tmp_path: Path, contents: BundleContents, created: datetime
) -> None:
    """Arrays, labels and settings that `read_bundle` would refuse leave nothing on disk."""
    nan = np.full(2, np.nan, dtype=np.float32)
    specs, slices, arrays = (
        contents.calibration.scores,
        layer_slices(contents.embedding),
        contents.known.gate.arrays(),
    )
    nowhere = Gate.from_arrays(specs, slices, {**arrays, "0.means": np.full((2, 2), np.nan, np.float32)})
    three = Gate.from_arrays(specs, slices, {**arrays, "0.means": np.ones((3, 2), np.float32)})
    spheres = contents.calibration.model_copy(
        update={"scores": (specs[0].model_copy(update={"score": "energy"}),)}
    )
    for broken, file in (
        (replace(contents, known=replace(contents.known, cluster_mean=nan)), "known.safetensors"),
        (replace(contents, known=replace(contents.known, gate=nowhere)), "known.safetensors"),
        (replace(contents, known=replace(contents.known, gate=three)), "known.safetensors"),
        (replace(contents, calibration=spheres), "known.safetensors"),
        (
            replace(contents, known=replace(contents.known, calibration_p=contents.known.calibration_p * 0)),
            "known.safetensors",
        ),
        (replace(contents, weights={}), "weights.safetensors"),
        (replace(contents, weights={"w": np.array(["text"])}), "weights.safetensors"),
        (replace(contents, labels=("cat", "cat")), "manifest.json"),
        (replace(contents, labels=("cat", "dog", "owl")), "known.safetensors"),
        (replace(contents, config={"rate": float("inf")}), "manifest.json"),
        (replace(contents, metrics={"auroc": float("nan")}), "manifest.json"),
        (replace(contents, config={"note": "\ud800"}), "manifest.json"),
        (replace(contents, card="\ud800"), "card.md"),
    ):
        with pytest.raises(BundleError, match=file.replace(".", r"\.")):
            write_bundle(tmp_path / "b", broken, created=created)
    assert list(tmp_path.iterdir()) == []


def test_a_time_without_zone_is_refused(tmp_path: Path, contents: BundleContents, created: datetime) -> None:
    """The manifest says UTC, so the time written must know its zone."""
    with pytest.raises(ValueError, match="time zone"):
        write_bundle(tmp_path / "b", contents, created=created.replace(tzinfo=None))


def test_golden_embeddings_are_compared(folder: Path) -> None:
    """The largest difference is returned; one above the tolerance, NaN or another shape is refused."""
    bundle = read_bundle(folder)
    golden = bundle.golden.embeddings

    assert check_golden(bundle, lambda _: golden) == 0.0
    assert check_golden(bundle, lambda _: golden.astype(np.float64) + 1 / 2048) == 1 / 2048
    for wrong in (golden + np.float32(0.01), golden * np.float32("nan"), golden[:, :1], golden[:0]):
        with pytest.raises(BundleError, match=r"golden\.safetensors"):
            check_golden(bundle, lambda _, wrong=wrong: wrong)


def test_golden_items_are_decoded_as_a_clients(folder: Path) -> None:
    """What is embedded went through the decoding that items of clients do, flat and nested ones."""
    bundle = read_bundle(folder)
    seen: list[Any] = []

    def embed(payloads: Sequence[Payload]) -> NDArray[np.float32]:
        seen.extend(payloads)
        return bundle.golden.embeddings

    check_golden(bundle, embed)

    assert ([0, 4, 8, 16], [[1, 2], [3, 4]]) == bundle.golden.items[:2]
    np.testing.assert_array_equal(np.array([[[0, 0.25], [0.5, 1]]], np.float32), seen[0], strict=True)
    np.testing.assert_array_equal(np.array([[[1, 2], [3, 4]]], np.float32) / 16, seen[1], strict=True)


def test_the_manifest_is_json_for_people(folder: Path) -> None:
    """The manifest is indented UTF-8 JSON, and its text is readable in any language."""
    text = (folder / "manifest.json").read_text(encoding="utf-8")

    assert "gelernt für später" in text
    assert json.loads(text)["created"] == "2026-03-01T12:00:00Z"
