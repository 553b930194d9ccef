"""The arrays of a bundle: from bytes to checked numpy arrays, and back.

Each file of arrays is in the safetensors format: an 8-byte length, a JSON header with the dtype, shape and
place of every array, then the values, little-endian. Reading it executes nothing. `model/bundle.py` says what
the arrays mean; this file holds them to it: the names are exactly these, the dtypes exact, the sizes K, D and
C agree with the manifest and with each other, every float is finite, every index points at something. Past
this file they are trusted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from model.inputs import InvalidInput, decode_item
from model.manifest import GOLDEN, KNOWN, WEIGHTS, Manifest, refusal, strict_json
from model.scores import Gate, layer_slices

Arrays = Mapping[str, NDArray[Any]]
_Layout = Mapping[str, tuple[str, tuple[str | int, ...]]]
"""For each array its dtype and its shape; a letter stands for the same size wherever it occurs."""

_KNOWN_LAYOUT: _Layout = {
    "prototypes": ("float32", ("K", "D")),
    "counts": ("int64", ("K",)),
    "class_whitener": ("float32", ("D", "D")),
    "calibration_scores": ("float32", ("S",)),
    "calibration_offsets": ("int64", ("K + 1",)),
    "calibration_embeddings": ("float32", ("N", "D")),
    "calibration_labels": ("int64", ("N",)),
    "calibration_p": ("float32", ("N", "K")),
    "reference_embeddings": ("float32", ("R", "D")),
    "reference_labels": ("int64", ("R",)),
    "cluster_mean": ("float32", ("D",)),
    "cluster_projection": ("float32", ("D", "C")),
    "stream_mean": ("float32", ("D",)),
    "stream_projection": ("float32", ("D", "F")),
}

_GATE_PREFIX = "gate."
"""The arrays of the gate's scores are in the same file, under names that start so; `model/scores` lays them out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownArrays:
    """The arrays of known.safetensors; `model/bundle.py` says what each holds."""

    prototypes: NDArray[np.float32]
    counts: NDArray[np.int64]
    class_whitener: NDArray[np.float32]
    gate: Gate
    calibration_scores: NDArray[np.float32]
    calibration_offsets: NDArray[np.int64]
    calibration_embeddings: NDArray[np.float32]
    calibration_labels: NDArray[np.int64]
    calibration_p: NDArray[np.float32]
    reference_embeddings: NDArray[np.float32]
    reference_labels: NDArray[np.int64]
    cluster_mean: NDArray[np.float32]
    cluster_projection: NDArray[np.float32]
    stream_mean: NDArray[np.float32]
    stream_projection: NDArray[np.float32]

    def table(self) -> dict[str, NDArray[Any]]:
        """All arrays by the names they have in the file."""
        own = {name: array for name, array in vars(self).items() if name != "gate"}
        return {**own, **{f"{_GATE_PREFIX}{name}": array for name, array in self.gate.arrays().items()}}


@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """G raw items as a client would send them, and the embeddings float32 (G, D) the trainer saw."""

    items: tuple[pydantic.JsonValue, ...]
    embeddings: NDArray[np.float32]


def pack(arrays: Arrays, *, file: str, folder: Path) -> bytes:
    """Write arrays as the bytes of a safetensors file; the same arrays give the same bytes.

    Raises:
        BundleError: one is no numpy array of numbers.
    """
    try:
        return safetensors.save({name: np.array(array, order="C") for name, array in arrays.items()})
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise refusal(folder, file, f"cannot be written: {error}", "Pass numpy arrays of numbers.") from error


def pack_golden(golden: Golden, *, folder: Path) -> bytes:
    """Write golden.safetensors: the items as lines of JSON, beside their embeddings.

    Raises:
        BundleError: an item is not JSON, or the embeddings are no array of numbers.
    """
    try:
        lines = "\n".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in golden.items)
        inputs = np.frombuffer(lines.encode(), dtype=np.uint8)
    except (ValueError, TypeError, RecursionError) as error:  # a UnicodeEncodeError is a ValueError
        remedy = "Pass items as JSON values."
        raise refusal(folder, GOLDEN, f"cannot be written: {error}", remedy) from error
    return pack({"inputs": inputs, "embeddings": golden.embeddings}, file=GOLDEN, folder=folder)


def unpack_weights(raw: bytes, *, folder: Path) -> dict[str, NDArray[Any]]:
    """Read weights.safetensors: at least one array, every float finite. The net itself checks the names.

    Raises:
        BundleError: it is not so.
    """
    weights = _unpack(raw, WEIGHTS, folder)
    if not weights:
        raise refusal(folder, WEIGHTS, "holds no arrays")
    _check_finite(weights, WEIGHTS, folder)
    return weights


def unpack_known(raw: bytes, *, manifest: Manifest, folder: Path) -> KnownArrays:
    """Read known.safetensors.

    Raises:
        BundleError: an array is missing, unknown, of a wrong dtype or shape, not finite, or makes no sense.
    """
    sizes = {
        "K": len(manifest.labels),
        "K + 1": len(manifest.labels) + 1,
        "D": manifest.embedding.dim,
        "C": manifest.calibration.cluster_dim,
        "F": manifest.calibration.stream_dim,
    }
    everything = _unpack(raw, KNOWN, folder)
    of_gate = {name: everything.pop(name) for name in list(everything) if name.startswith(_GATE_PREFIX)}
    _check_layout(everything, _KNOWN_LAYOUT, sizes, KNOWN, folder)
    _check_finite(of_gate, KNOWN, folder)
    known = KnownArrays(**everything, gate=_gate(of_gate, manifest, folder))
    if known.calibration_p.min() <= 0 or known.calibration_p.max() > 1:
        raise refusal(folder, KNOWN, "has calibration_p that are not above 0 and at most 1")
    for name, indices in (
        ("calibration_labels", known.calibration_labels),
        ("reference_labels", known.reference_labels),
    ):
        if indices.min() < 0 or indices.max() >= sizes["K"]:
            raise refusal(folder, KNOWN, f"has {name} outside 0..{sizes['K'] - 1}")
    if known.counts.min() < 1:
        raise refusal(folder, KNOWN, "has counts below 1")
    offsets, scores = known.calibration_offsets, known.calibration_scores
    if offsets[0] != 0 or offsets[-1] != len(scores) or np.any(offsets[1:] <= offsets[:-1]):
        raise refusal(
            folder, KNOWN, f"has calibration_offsets that do not rise from 0 to the {len(scores)} scores"
        )
    falls = np.flatnonzero(scores[1:] < scores[:-1]) + 1
    if not np.isin(falls, offsets).all():
        raise refusal(folder, KNOWN, "has calibration_scores that are not ascending within a class")
    return known


def _gate(arrays: Arrays, manifest: Manifest, folder: Path) -> Gate:
    """Make the gate of the arrays "gate.0.means" and so on, as the manifest's scores, layers and classes have it."""
    own = {name.removeprefix(_GATE_PREFIX): array for name, array in arrays.items()}
    try:
        gate = Gate.from_arrays(manifest.calibration.scores, layer_slices(manifest.embedding), own)
    except ValueError as error:
        raise refusal(folder, KNOWN, f"has a gate that {error}") from error
    if gate.classes != len(manifest.labels):
        raise refusal(folder, KNOWN, f"has a gate for {gate.classes} classes, not {len(manifest.labels)}")
    return gate


def unpack_golden(raw: bytes, *, manifest: Manifest, folder: Path) -> Golden:
    """Read golden.safetensors.

    Raises:
        BundleError: an array is missing, unknown, of a wrong dtype or shape, or not finite; or the items are
            not lines of JSON, one an embedding, each one that the bundle's input accepts.
    """
    layout: _Layout = {"inputs": ("uint8", ("bytes",)), "embeddings": ("float32", ("G", "D"))}
    arrays = _unpack(raw, GOLDEN, folder)
    _check_layout(arrays, layout, {"D": manifest.embedding.dim}, GOLDEN, folder)
    lines = arrays["inputs"].tobytes().split(b"\n")
    if len(lines) != len(arrays["embeddings"]):
        problem = f"has {len(lines)} lines of inputs for {len(arrays['embeddings'])} embeddings"
        raise refusal(folder, GOLDEN, problem)
    try:
        items = tuple(strict_json(line) for line in lines)
    except (ValueError, RecursionError) as error:
        raise refusal(folder, GOLDEN, f"has inputs that are not lines of JSON: {error}") from error
    try:
        for item in items:
            decode_item(item, manifest.input)
    except InvalidInput as error:
        raise refusal(folder, GOLDEN, f"has an input that the bundle does not take: {error}") from error
    return Golden(items=items, embeddings=arrays["embeddings"])


def _unpack(raw: bytes, file: str, folder: Path) -> dict[str, NDArray[Any]]:
    """Parse safetensors; the arrays are copies, so they may be written to."""
    try:
        return {name: np.array(array) for name, array in safetensors.load(raw).items()}
    except KeyError as error:
        raise refusal(folder, file, f"has an array of the dtype {error}, which numpy lacks") from error
    except (SafetensorError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise refusal(folder, file, f"is no safetensors file: {error}") from error


def _check_layout(arrays: Arrays, layout: _Layout, sizes: Mapping[str, int], file: str, folder: Path) -> None:
    """Hold names, dtypes and shapes to `layout`. Sizes not given are taken from where they first occur."""
    for name in sorted(layout.keys() - arrays.keys()):
        raise refusal(folder, file, f"has no array {name}")
    for name in sorted(arrays.keys() - layout.keys()):
        raise refusal(folder, file, f"has an unknown array {name!r}")
    found = dict(sizes)
    for name, (dtype, shape) in layout.items():
        array = arrays[name]
        if array.dtype != dtype:
            raise refusal(folder, file, f"has {name} as {array.dtype}, not {dtype}")
        if array.ndim == len(shape):
            for size, letter in zip(array.shape, shape, strict=True):
                if isinstance(letter, str) and size > 0:
                    found.setdefault(letter, size)
        expected = tuple(found.get(size, "1 or more") if isinstance(size, str) else size for size in shape)
        if array.shape != expected:
            raise refusal(folder, file, f"has {name} of shape {array.shape}, not {expected}")
    _check_finite(arrays, file, folder)


def _check_finite(arrays: Arrays, file: str, folder: Path) -> None:
    for name, array in arrays.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise refusal(folder, file, f"has NaN or infinity in {name!r}")
