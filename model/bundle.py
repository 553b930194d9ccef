"""The bundle: all that the trainer tells the service, in one folder.

Nothing else passes between the two. A bundle is data: JSON, arrays and text, and no code and no pickle, so
reading one can at worst fail. It is read whole or refused.

Layout
======

    bundle/
      manifest.json          what it is; `model/manifest.py` has every field and how the bundle id is made
      weights.safetensors    the net's parameters by name; `manifest.network` says which net takes them
      known.safetensors      the known classes and the cluster space (below)
      golden.safetensors     a few raw items and the embeddings the trainer saw for them
      card.md                for people: data, intended use, limits
      embedder.onnx          optional: the same net for other runtimes
      vocabulary.json        optional, these three: what a net for text needs besides arrays, its terms
      tokenizer.json         (`model/networks/tfidf.py`), or the tokenizer and the
      encoder.json           configuration of its encoder (`model/networks/sentence.py`)

No other file, no sub-folder, no symbolic link. `manifest.files` has the length and the sha256 of every file
but the manifest itself. The bundle id is the first 32 hexadecimal characters of a sha256 over the manifest's
content in canonical JSON, the time of writing left out: one id stands for every byte that matters.

Arrays
======

K known classes, D embedding, C cluster space, little-endian, row-major. z is an embedding, float32 (D,).

    known.safetensors
      prototypes              float32  (K, D)    mean of the fitting embeddings of each class
      counts                  int64    (K,)      how many these were
      class_whitener          float32  (D, D)    |(z - prototype_k) @ class_whitener|^2 is the Mahalanobis
                                                 distance squared, shrunk shared within-class covariance
      gate.0.means, ...       float32            the arrays of the gate's scores, part after part; which scores
                                                 says the manifest, what they hold model/scores
      calibration_scores      float32  (S,)      conformal scores, class after class, ascending in each
      calibration_offsets     int64    (K + 1,)  class k has scores[offsets[k]:offsets[k + 1]]
      calibration_embeddings  float32  (N, D)    held-out items of known classes, for the background test
      calibration_labels      int64    (N,)      their classes
      calibration_p           float32  (N, K)    their conformal p-values, each left out of its own
      reference_embeddings    float32  (R, D)    some fitting items of each class, as nearest examples
      reference_labels        int64    (R,)      their classes
      cluster_mean            float32  (D,)      (z - cluster_mean) @ cluster_projection lies in the cluster
      cluster_projection      float32  (D, C)    space, where the known classes' median RMS radius is 1
      stream_mean             float32  (D,)      (z - stream_mean) @ stream_projection are the features that
      stream_projection       float32  (D, F)    the stream gate tells the stream from calibration by

    golden.safetensors
      inputs                  uint8    (bytes,)   G lines of JSON in UTF-8, each a raw item as a client sends
                                                 it: so the check covers decoding and features, not the
                                                 net alone
      embeddings              float32  (G, D)

The score s_k(z) of class k is an average of the manifest's scores, each on its layer and in its unit
(`model/scores/gate.py`); the lower, the more alike. Its conformal p-value, with n_k calibration scores of class
k, is p_k = (1 + #{scores >= s_k}) / (n_k + 1).

Example
=======

K = 2, D = 2, one layer, one score, "mahalanobis", mean 0 and scale 1: gate.0.means [[0, 0], [4, 0]], gate.0.whitener
the identity, calibration_scores [-3, -1, 2, -4, 0], calibration_offsets [0, 3, 5]. For z = [1, 0]: s_0 = 1, and one
of [-3, -1, 2] is as large, so p_0 = 2 / 4; s_1 = 9, and none of [-4, 0] is as large, so p_1 = 1 / 3.

Writing
=======

A bundle is written into a scratch folder beside its destination, flushed to disk, read back and verified,
and only then renamed. A crash leaves the scratch folder or the whole bundle, never half of one. To replace a
bundle takes two renames; a crash between them leaves the old one, whole, in the scratch folder.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray

from model.arrays import (
    Golden,
    KnownArrays,
    pack,
    pack_golden,
    unpack_golden,
    unpack_known,
    unpack_weights,
)
from model.inputs import InputSpec, Payload, decode_item
from model.manifest import (
    CARD,
    FORMAT_VERSION,
    GOLDEN,
    KNOWN,
    LARGEST_MANIFEST_BYTES,
    MANIFEST_FILE,
    NETWORK_FILES,
    ONNX,
    OPTIONAL_FILES,
    REQUIRED_FILES,
    WEIGHTS,
    BundleError,
    CalibrationSpec,
    EmbeddingSpec,
    FileEntry,
    LayerSpec,
    Manifest,
    NetworkSpec,
    ScoreSpec,
    content_id,
    first_problem,
    format_manifest,
    parse_manifest,
    refusal,
)

__all__ = [
    "FORMAT_VERSION",
    "GOLDEN_TOLERANCE",
    "Bundle",
    "BundleContents",
    "BundleError",
    "CalibrationSpec",
    "EmbeddingSpec",
    "FileEntry",
    "Golden",
    "InputSpec",
    "KnownArrays",
    "LayerSpec",
    "Manifest",
    "NetworkSpec",
    "ScoreSpec",
    "check_destination",
    "check_golden",
    "read_bundle",
    "read_manifest",
    "write_bundle",
]

GOLDEN_TOLERANCE = 1e-3
"""Largest absolute difference between a golden embedding and what the net gives on this machine."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BundleContents:
    """What `write_bundle` takes; the fields are those of `Manifest` and `Bundle`.

    `files` has those of `NETWORK_FILES` that the net needs, by name.
    """

    input: InputSpec
    network: NetworkSpec
    embedding: EmbeddingSpec
    labels: tuple[str, ...]
    calibration: CalibrationSpec
    config: dict[str, Any]
    metrics: dict[str, float | None]
    weights: dict[str, NDArray[Any]]
    known: KnownArrays
    golden: Golden
    card: str
    onnx: bytes | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A verified bundle.

    `weights` has the net's parameters by name; arrays may be written to. `onnx` is the graph for other runtimes, None
    where there is none. `files` has those of `NETWORK_FILES` that there are, as bytes: the net itself reads them.
    """

    path: Path
    manifest: Manifest
    weights: dict[str, NDArray[Any]]
    known: KnownArrays
    golden: Golden
    card: str
    onnx: bytes | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


def check_destination(path: Path, *, replace: bool = False) -> None:
    """Check that a bundle may be written to `path`, without writing: worth knowing before a long training.

    Args:
        path: the folder to make.
        replace: whether a bundle already there may be replaced.

    Raises:
        BundleError: something is in the way.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise refusal(path, "the path", "is a file or a link, not a folder", "Choose another path.")
    names = {entry.name for entry in path.iterdir()}
    if not names:
        return
    if not replace:
        raise refusal(path, "the folder", "exists and is not empty", "Choose another, or ask to replace it.")
    strangers = sorted(names - {MANIFEST_FILE, *REQUIRED_FILES, *OPTIONAL_FILES})
    if strangers or MANIFEST_FILE not in names:
        problem = f"holds {strangers[0]!r}" if strangers else f"has no {MANIFEST_FILE}"
        raise refusal(
            path, "the folder", f"{problem}, so it is no bundle to replace", "Choose another folder."
        )


def write_bundle(
    path: Path, contents: BundleContents, *, created: datetime, replace: bool = False
) -> Manifest:
    """Write a bundle, whole or not at all.

    Args:
        path: the folder to make. It must not exist or be empty.
        contents: what to write.
        created: the time to record, with a time zone.
        replace: allow `path` to be a bundle already, sound or not, which is then replaced.

    Returns:
        the manifest as written.

    Raises:
        BundleError: `path` is in the way or cannot be written, or `read_bundle` would refuse the contents.
        ValueError: `created` has no time zone.
    """
    if created.tzinfo is None:
        raise ValueError("created must have a time zone; pass datetime.now(UTC) or the like")
    path = path.absolute()
    try:
        check_destination(path, replace=replace)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".firstseen-") as scratch:
            fresh, old = Path(scratch) / "new", Path(scratch) / "old"
            fresh.mkdir()
            manifest = _write_files(fresh, contents, created=created, called=path)
            _read(fresh, called=path)
            _move_into_place(fresh, path, old)
    except OSError as error:
        remedy = "Choose a folder that can be written to, on a disk with room."
        raise refusal(path, "the folder", f"cannot be written ({error.strerror})", remedy) from error
    return manifest


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and verify all of it: files, lengths, hashes, id, every array's name, dtype and shape.

    Raises:
        BundleError: anything at all is wrong; the message names the file.
    """
    return _read(path, called=path)


def read_manifest(path: Path) -> Manifest:
    """Read only the manifest of the bundle `path`: enough to list bundles, not enough to serve one.

    Raises:
        BundleError: the folder holds what no bundle holds, or the manifest is wrong.
    """
    return _manifest_of(path, path)[0]


def check_golden(bundle: Bundle, embed: Callable[[Sequence[Payload]], NDArray[np.float32]]) -> float:
    """Decode and embed the golden items on this machine and compare.

    Args:
        bundle: holds G raw items and their embeddings.
        embed: G payloads to float32 (G, D).

    Returns:
        the largest absolute difference.

    Raises:
        BundleError: it is above `GOLDEN_TOLERANCE`, or the net gives another shape or NaN.
    """
    payloads = [decode_item(item, bundle.manifest.input) for item in bundle.golden.items]
    seen, expected = embed(payloads), bundle.golden.embeddings
    remedy = (
        "The net here is not the one that was trained: install the firstseen that wrote it, or train again."
    )
    if seen.shape != expected.shape:
        raise refusal(
            bundle.path, GOLDEN, f"has embeddings {expected.shape}, and the net gives {seen.shape}", remedy
        )
    difference = float(np.abs(seen.astype(np.float64) - expected).max())
    if not difference <= GOLDEN_TOLERANCE:
        problem = f"differs from what the net gives by {difference:.3g}, more than {GOLDEN_TOLERANCE:g}"
        raise refusal(bundle.path, GOLDEN, problem, remedy)
    return difference


def _write_files(folder: Path, contents: BundleContents, *, created: datetime, called: Path) -> Manifest:
    tables = {WEIGHTS: contents.weights, KNOWN: contents.known.table()}
    files = {name: pack(table, file=name, folder=called) for name, table in tables.items()}
    files[GOLDEN] = pack_golden(contents.golden, folder=called)
    try:
        files[CARD] = contents.card.encode("utf-8")
    except UnicodeEncodeError as error:
        raise refusal(called, CARD, f"cannot be written: {error}", "Correct the text.") from error
    if contents.onnx is not None:
        files[ONNX] = contents.onnx
    for name, raw in contents.files.items():
        if name not in NETWORK_FILES:
            remedy = f"A net's files are {', '.join(NETWORK_FILES)}."
            raise refusal(called, repr(name), "is a file that no bundle has", remedy)
        files[name] = raw
    try:
        draft = Manifest(
            format_version=FORMAT_VERSION,
            bundle_id="0" * 32,
            created=created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            input=contents.input,
            network=contents.network,
            embedding=contents.embedding,
            labels=contents.labels,
            calibration=contents.calibration,
            config=contents.config,
            metrics=contents.metrics,
            files={
                name: FileEntry(sha256=hashlib.sha256(raw).hexdigest(), bytes=len(raw))
                for name, raw in sorted(files.items())
            },
        )
        manifest = draft.model_copy(update={"bundle_id": content_id(draft)})
        files[MANIFEST_FILE] = format_manifest(manifest)
    except pydantic.ValidationError as error:
        problem = f"cannot be written, wrong at {first_problem(error)}"
        raise refusal(called, MANIFEST_FILE, problem, "Correct the contents.") from error
    except (ValueError, RecursionError) as error:
        problem = f"cannot be written: {error}"
        raise refusal(called, MANIFEST_FILE, problem, "Correct the contents.") from error
    for name, raw in files.items():
        with (folder / name).open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    _flush_folder(folder)
    return manifest


def _move_into_place(fresh: Path, path: Path, old: Path) -> None:
    """Rename `fresh` to `path`; what was there goes to `old`, and comes back if the second rename fails."""
    if path.exists():
        path.rename(old)
    try:
        fresh.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(folder: Path, *, called: Path) -> Bundle:
    """Read and verify the bundle in `folder`, which messages call `called`."""
    manifest, entries = _manifest_of(folder, called)
    for name in manifest.files:
        if name not in entries:
            raise refusal(called, name, "is missing")
    for name in entries:
        if name not in manifest.files:
            raise refusal(
                called, name, f"is not listed in {MANIFEST_FILE}", "Remove it, or copy the bundle again."
            )
    raw = {name: _verified(path, manifest.files[name], called) for name, path in entries.items()}
    try:
        card = raw[CARD].decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal(called, CARD, f"is not UTF-8 (byte {error.start})") from error
    return Bundle(
        path=called,
        manifest=manifest,
        weights=unpack_weights(raw[WEIGHTS], folder=called),
        known=unpack_known(raw[KNOWN], manifest=manifest, folder=called),
        golden=unpack_golden(raw[GOLDEN], manifest=manifest, folder=called),
        card=card,
        onnx=raw.get(ONNX),
        files={name: raw[name] for name in NETWORK_FILES if name in raw},
    )


def _manifest_of(folder: Path, called: Path) -> tuple[Manifest, dict[str, Path]]:
    """Return the manifest and the other files that are there, by name; refuse what no bundle holds."""
    try:
        entries = _entries(folder, called)
        if MANIFEST_FILE not in entries:
            problem = f"is missing: the folder holds {', '.join(entries) or 'nothing'}"
            raise refusal(called, MANIFEST_FILE, problem, "Check the path, or copy the bundle again.")
        with entries.pop(MANIFEST_FILE).open("rb") as file:
            manifest = parse_manifest(file.read(LARGEST_MANIFEST_BYTES + 1), folder=called)
    except OSError as error:
        raise _unreadable(called, MANIFEST_FILE, error) from error
    return manifest, entries


def _entries(folder: Path, called: Path) -> dict[str, Path]:
    """List the folder. Only regular files with a bundle's names pass: nothing hidden, linked or nested."""
    try:
        with os.scandir(folder) as listing:
            found = sorted(listing, key=lambda entry: entry.name)
    except FileNotFoundError as error:
        remedy = "Check the path, or train a bundle first."
        raise refusal(called, "the folder", "does not exist", remedy) from error
    except NotADirectoryError as error:
        remedy = "Give the folder that holds manifest.json."
        raise refusal(called, "the path", "is a file, not a folder", remedy) from error
    except OSError as error:
        raise _unreadable(called, "the folder", error) from error
    for entry in found:
        problem = None
        if entry.is_symlink():
            problem = "is a symbolic link, and a bundle holds its files itself"
        elif entry.is_dir():
            problem = "is a sub-folder, and a bundle has none"
        elif not entry.is_file():
            problem = "is no regular file"
        elif entry.name not in (MANIFEST_FILE, *REQUIRED_FILES, *OPTIONAL_FILES):
            problem = "is a hidden file" if entry.name.startswith(".") else "is a file that no bundle has"
        if problem is not None:
            remedy = "If this is the folder of a bundle, remove it, or copy the bundle again."
            raise refusal(called, repr(entry.name), problem, remedy)
    return {entry.name: Path(entry.path) for entry in found}


def _verified(path: Path, entry: FileEntry, called: Path) -> bytes:
    """Read one file and check the very bytes returned, so that nothing can change in between."""
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size == entry.bytes else b""
    except OSError as error:
        raise _unreadable(called, path.name, error) from error
    if size != entry.bytes:
        raise refusal(called, path.name, f"has {size} bytes, and {MANIFEST_FILE} says {entry.bytes}")
    if hashlib.sha256(raw).hexdigest() != entry.sha256:
        raise refusal(
            called, path.name, f"is not the file that was written: its sha256 is not in {MANIFEST_FILE}"
        )
    return raw


def _unreadable(called: Path, file: str, error: OSError) -> BundleError:
    remedy = "Let the user that runs firstseen read it."
    return refusal(called, file, f"cannot be read ({error.strerror})", remedy)
