import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.arrays import Golden, pack, pack_golden, unpack_golden, unpack_known, unpack_weights
from model.bundle import BundleContents, BundleError, Manifest, read_manifest, write_bundle
from model.inputs import TextInput

FOLDER = Path("somewhere/bundle")
F32, I64 = np.float32, np.int64


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, contents: BundleContents, created: Any) -> Manifest:
    path = tmp_path_factory.mktemp("arrays") / "bundle"
    write_bundle(path, contents, created=created)
    return read_manifest(path)


@pytest.fixture(scope="module")
def known(contents: BundleContents) -> dict[str, NDArray[Any]]:
    return contents.known.table()


def safetensors_bytes(header: object, values: bytes) -> bytes:
    """Write the format by hand, to say in the header what the values are not."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + values


def test_arrays_survive_packing() -> None:
    """Names, dtypes, shapes and values come back, whatever the memory order was and however few they are."""
    arrays = {
        "columns": np.asfortranarray(np.arange(6, dtype=F32).reshape(2, 3)),
        "strided": np.arange(10, dtype=I64)[::3],
        "scalar": np.array(3.5, dtype=np.float64),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 4), dtype=F32),
    }
    unpacked = unpack_weights(pack(arrays, file="f", folder=FOLDER), folder=FOLDER)

    assert arrays.keys() == unpacked.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, unpacked[name], strict=True)
        assert unpacked[name].flags.writeable


def test_packing_is_deterministic(known: dict[str, NDArray[Any]]) -> None:
    """The same arrays in another order are the same bytes, and so the same bundle id."""
    backwards = dict(reversed(known.items()))

    assert pack(known, file="f", folder=FOLDER) == pack(backwards, file="f", folder=FOLDER)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("prototypes", np.zeros((3, 2), F32), r"has prototypes of shape \(3, 2\), not \(2, 2\)"),
        ("prototypes", np.zeros((2, 2), np.float64), "has prototypes as float64, not float32"),
        ("prototypes", np.array([[0, np.inf], [0, 0]], F32), "NaN or infinity in 'prototypes'"),
        ("prototypes", np.zeros(4, F32), "has prototypes of shape"),
        ("counts", np.array([5, 0], I64), "counts below 1"),
        ("counts", np.array([5, 2], np.int32), "has counts as int32, not int64"),
        ("class_whitener", np.zeros((2, 3), F32), "class_whitener of shape"),
        ("gate.0.means", np.zeros((1, 2), F32), "a gate for 1 classes, not 2"),
        (
            "gate.0.means",
            np.zeros((2, 3), F32),
            r"a gate that in part 0 \(mahalanobis\) has whitener of shape",
        ),
        ("gate.0.whitener", np.array([[0, np.nan], [0, 0]], F32), r"NaN or infinity in 'gate\.0\.whitener'"),
        ("gate.0.whitener", np.eye(2), r"a gate that in part 0 .* has whitener as float64"),
        ("gate.0.radius", np.ones(2, F32), "a gate that in part 0 .* has an unknown array 'radius'"),
        ("gate.1.means", np.ones((2, 2), F32), r"a gate that has an unknown array '1\.means'"),
        ("gate.", np.ones(2, F32), "a gate that has an unknown array ''"),
        ("calibration_scores", np.array([-3, 2, -1, -4, 0], F32), "not ascending within a class"),
        ("calibration_scores", np.zeros(0, F32), "calibration_scores of shape"),
        ("calibration_offsets", np.array([0, 5], I64), r"calibration_offsets of shape \(2,\), not \(3,\)"),
        ("calibration_offsets", np.array([0, 0, 5], I64), "do not rise from 0 to the 5 scores"),
        ("calibration_offsets", np.array([0, 3, 6], I64), "do not rise from 0 to the 5 scores"),
        ("calibration_offsets", np.array([1, 3, 5], I64), "do not rise from 0 to the 5 scores"),
        ("calibration_offsets", np.array([0, -(2**63), 5], I64), "do not rise from 0 to the 5 scores"),
        ("calibration_labels", np.array([0, 1, 2], I64), r"calibration_labels outside 0\.\.1"),
        ("calibration_labels", np.array([0, -1, 0], I64), r"calibration_labels outside 0\.\.1"),
        ("calibration_labels", np.array([0, 1], I64), r"calibration_labels of shape \(2,\), not \(3,\)"),
        ("calibration_p", np.ones((3, 1), F32), r"calibration_p of shape \(3, 1\), not \(3, 2\)"),
        ("calibration_p", np.ones((2, 2), F32), r"calibration_p of shape \(2, 2\), not \(3, 2\)"),
        ("calibration_p", np.array([[1, 0], [1, 1], [1, 1]], F32), "not above 0 and at most 1"),
        ("calibration_p", np.array([[1, 1], [1, 1], [1, 1.5]], F32), "not above 0 and at most 1"),
        ("reference_labels", np.array([0, 2], I64), r"reference_labels outside 0\.\.1"),
        ("reference_embeddings", np.zeros((0, 2), F32), "reference_embeddings of shape"),
        ("cluster_projection", np.zeros((2, 2), F32), r"cluster_projection of shape \(2, 2\), not \(2, 1\)"),
        ("stream_mean", np.zeros(3, F32), r"stream_mean of shape \(3,\), not \(2,\)"),
        ("stream_projection", np.zeros((2, 1), F32), r"stream_projection of shape \(2, 1\), not \(2, 2\)"),
        ("surprise", np.zeros(1, F32), "unknown array 'surprise'"),
    ],
)
def test_wrong_known_arrays_are_refused(
    known: dict[str, NDArray[Any]], manifest: Manifest, name: str, value: NDArray[Any], problem: str
) -> None:
    """An array of a wrong name, dtype, shape or content is refused, and both file and array are named."""
    raw = pack({**known, name: value}, file="known.safetensors", folder=FOLDER)

    with pytest.raises(BundleError, match=rf"known\.safetensors .*{problem}"):
        unpack_known(raw, manifest=manifest, folder=FOLDER)


def test_every_known_array_is_needed(known: dict[str, NDArray[Any]], manifest: Manifest) -> None:
    """Leave any array out and it is named as missing."""
    for name in known:
        rest = {other: array for other, array in known.items() if other != name}
        with pytest.raises(BundleError, match=f"has no array {name.removeprefix('gate.0.')}"):
            unpack_known(pack(rest, file="f", folder=FOLDER), manifest=manifest, folder=FOLDER)


@pytest.mark.parametrize(
    ("lines", "embeddings", "problem"),
    [
        (b"[0,4,8,16]", (1, 3), "embeddings of shape"),
        (b"[0,4,8,16]", (2, 2), "1 lines of inputs for 2 embeddings"),
        (b"[0,4,8,16]\n", (1, 2), "2 lines of inputs for 1 embeddings"),
        (b"", (0, 2), "inputs of shape"),
        (b"[0,4,8]", (1, 2), "an input that the bundle does not take: x must be 4 numbers"),
        (b'"a text"', (1, 2), "got a string"),
        (b"[0,4,8,NaN]", (1, 2), "not lines of JSON"),
        (b"[0,4,8", (1, 2), "not lines of JSON"),
        (b'{"a":1,"a":2}', (1, 2), "appears twice"),
        (b'"\xff"', (1, 2), "not lines of JSON"),
        (b"[" * 100_000, (1, 2), "not lines of JSON"),
    ],
)
def test_golden_items_are_lines_of_what_the_bundle_takes(
    manifest: Manifest, lines: bytes, embeddings: tuple[int, ...], problem: str
) -> None:
    """One line of strict JSON an embedding, at least one, each an item that a client could send."""
    arrays = {"inputs": np.frombuffer(lines, np.uint8), "embeddings": np.zeros(embeddings, F32)}
    raw = pack(arrays, file="f", folder=FOLDER)

    with pytest.raises(BundleError, match=rf"golden\.safetensors .*{problem}"):
        unpack_golden(raw, manifest=manifest, folder=FOLDER)


def test_golden_items_come_back_as_they_were(manifest: Manifest) -> None:
    """A line break inside a text is no end of a line; letters of any language stay."""
    texts = ("a\nb", "größe \u2028 \x00", "名前")
    manifest = manifest.model_copy(update={"input": TextInput()})
    raw = pack_golden(Golden(items=texts, embeddings=np.zeros((3, 2), F32)), folder=FOLDER)

    assert texts == unpack_golden(raw, manifest=manifest, folder=FOLDER).items


@pytest.mark.parametrize("item", [float("nan"), "\ud800", {1, 2}])
def test_golden_items_that_are_not_json_are_not_written(item: Any) -> None:
    """NaN, a lone surrogate or a Python object is refused when it is written, not when it is read."""
    with pytest.raises(BundleError, match=r"golden\.safetensors cannot be written"):
        pack_golden(Golden(items=(item,), embeddings=np.zeros((1, 2), F32)), folder=FOLDER)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(4)),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
        ({"w": {"dtype": "F64", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, bytes(8)),
        ({"w": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, bytes(8)),
        ({"w": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}}, bytes(8)),
        ({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
        ({"w": {"dtype": "object", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)),
        (
            {
                "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "v": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
            },
            bytes(12),
        ),
        ({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(8)),
        ({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, struct.pack("<f", float("nan"))),
        ({}, b""),
        ([], b""),
        ("text", b""),
    ],
)
def test_lying_headers_are_refused(header: object, values: bytes) -> None:
    """Wrong lengths, overlaps, holes, huge or unknown shapes and dtypes: refused, and the file named."""
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        unpack_weights(safetensors_bytes(header, values), folder=FOLDER)


@pytest.mark.parametrize(
    "raw", [b"", b"short", struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 2) + b"\xff\xff"]
)
def test_what_is_no_safetensors_file_is_refused(raw: bytes) -> None:
    """Too short, a header past the end, or a header that is no JSON."""
    with pytest.raises(BundleError, match=r"weights\.safetensors is no safetensors file"):
        unpack_weights(raw, folder=FOLDER)


def test_only_numbers_are_packed() -> None:
    """Text and Python objects have no place in a bundle."""
    for array in (np.array(["a"]), np.array([{}], dtype=object), np.array([1j], dtype=np.complex128)):
        with pytest.raises(BundleError, match=r"weights\.safetensors cannot be written"):
            pack({"w": array}, file="weights.safetensors", folder=FOLDER)


@given(data=st.data())
def test_no_flip_raises_anything_else(
    known: dict[str, NDArray[Any]], manifest: Manifest, data: st.DataObject
) -> None:
    """Past the hashes, a changed byte is refused with a BundleError or leaves arrays of the same layout."""
    raw = bytearray(pack(known, file="f", folder=FOLDER))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = unpack_known(bytes(raw), manifest=manifest, folder=FOLDER)
    except BundleError as error:
        assert "known.safetensors" in str(error)  # noqa: PT017  # a flip in a value may also be harmless
        return

    assert {name: (a.dtype, a.shape) for name, a in known.items()} == {
        name: (a.dtype, a.shape) for name, a in read.table().items()
    }
