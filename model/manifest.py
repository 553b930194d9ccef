"""The manifest: what a bundle says about itself, and why it can be believed.

`manifest.json` is one JSON object, read strictly: UTF-8, no duplicated key, no NaN or infinity, no field this
version does not know, no number where a string belongs. A duplicated key means two readers may see two
bundles; an unknown field means a promise this version cannot keep. The format version is looked at before
anything else, so that a newer bundle is answered with "upgrade firstseen" and not with the first field that
looks odd.

The bundle id names the content. It is made in three steps:

    1. take every field of the manifest but `created` and `bundle_id`; `files` has the sha256 of each file;
    2. write them as canonical JSON: keys sorted, no spaces, ASCII only;
    3. sha256 of that text, in hexadecimal, the first 32 characters.

So two trainings that end in the same bytes have the same id, a copy keeps its id, and one changed bit in any
file gives another. Durable state carries the id, and embeddings of two spaces never meet. The id finds
accidents and careless edits; it is no signature, and who can rewrite a whole bundle can make a valid one.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn, Self

import pydantic

from model.inputs import InputSpec

FORMAT_VERSION: Final = 1
MANIFEST_FILE = "manifest.json"
CARD = "card.md"
GOLDEN = "golden.safetensors"
KNOWN = "known.safetensors"
WEIGHTS = "weights.safetensors"
ONNX = "embedder.onnx"
VOCABULARY = "vocabulary.json"
TOKENIZER = "tokenizer.json"
ENCODER = "encoder.json"
REQUIRED_FILES = (CARD, GOLDEN, KNOWN, WEIGHTS)
NETWORK_FILES = (ENCODER, TOKENIZER, VOCABULARY)
OPTIONAL_FILES = (ONNX, *NETWORK_FILES)
LARGEST_MANIFEST_BYTES = 16 * 2**20
_MOST_DIGITS = 4000
"""Python itself makes no number of more than 4,300."""


class BundleError(Exception):
    """A bundle cannot be used. The message names the folder, the file, what is wrong and what to do."""


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _existing_time(text: str) -> str:
    datetime.fromisoformat(text)  # raises ValueError for the 30th of February
    return text


Label = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200)]
Created = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\z"),
    pydantic.AfterValidator(_existing_time),
]
Sha256 = Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{64}\z")]


class NetworkSpec(_Strict):
    """Which net to build: the name of a builder in `model/networks`, and its options."""

    name: str
    options: dict[str, int | float | str | bool]


class LayerSpec(_Strict):
    """One layer of the net as a part of the embedding: its name, and how many numbers it has."""

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200)]
    dim: pydantic.PositiveInt


class EmbeddingSpec(_Strict):
    """The space items are compared in: layers of the net, one after the other.

    Attributes:
        layers: in this order; with norm "l2" each is brought to length 1 by itself.
        norm: "l2" or "none".
    """

    layers: Annotated[tuple[LayerSpec, ...], pydantic.Field(min_length=1)]
    norm: Literal["l2", "none"]

    @property
    def dim(self) -> int:
        """D, how many numbers an embedding has."""
        return sum(layer.dim for layer in self.layers)

    @pydantic.model_validator(mode="after")
    def _holds_together(self) -> Self:
        if len({layer.name for layer in self.layers}) != len(self.layers):
            raise ValueError("a layer must not occur twice")
        return self


class ScoreSpec(_Strict):
    """One part of the gate: a score of `model/scores`, the layer it looks at, and its unit.

    Attributes:
        score: which score.
        layer: of the embedding.
        mean, scale: of the scores of held-out items for their own class; (s - mean) / scale is what counts.
    """

    score: Literal["relative-mahalanobis", "mahalanobis", "nearest-neighbour", "centre-radius", "energy"]
    layer: str
    mean: float
    scale: pydantic.PositiveFloat


class CalibrationSpec(_Strict):
    """How distances become decisions.

    Attributes:
        scores: the parts of the known-class score, averaged.
        known_error_rate: default rate, inside 0..1, at which items of known classes may be called new.
        cluster_dim: C, the dimension of the cluster space.
        cluster_radius: radius of a micro-cluster there, in units of the known classes' median RMS radius; from a
            millionth to a million of these.
        stream_dim: F, how many features the stream gate looks at.
        pooled_labels: classes with too few calibration items of their own, which use the pooled scores.
    """

    scores: Annotated[tuple[ScoreSpec, ...], pydantic.Field(min_length=1)]
    known_error_rate: Annotated[float, pydantic.Field(gt=0, lt=1)]
    cluster_dim: pydantic.PositiveInt
    cluster_radius: Annotated[float, pydantic.Field(ge=1e-6, le=1e6)]
    stream_dim: pydantic.PositiveInt
    pooled_labels: tuple[Label, ...]


class FileEntry(_Strict):
    """One file of the bundle: its sha256 in lower-case hexadecimal and its length in bytes."""

    sha256: Sha256
    bytes: pydantic.NonNegativeInt


class Manifest(_Strict):
    """Everything in `manifest.json`.

    Attributes:
        format_version: `FORMAT_VERSION` of the writer.
        bundle_id: 32 hexadecimal characters; see the top of this file.
        created: when it was written, ISO 8601 UTC, such as "2026-03-01T12:00:00Z". Not part of the id.
        input: what a raw item looks like.
        network: how to build the net.
        embedding: the space it embeds into.
        labels: the K known classes; index k everywhere else is a position in this tuple.
        calibration: how distances become decisions.
        config: the configuration of the training run.
        metrics: what the training run measured; None for what could not be measured.
        files: every other file of the folder, by name.
    """

    format_version: Literal[1]
    bundle_id: Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{32}\z")]
    created: Created
    input: InputSpec
    network: NetworkSpec
    embedding: EmbeddingSpec
    labels: Annotated[tuple[Label, ...], pydantic.Field(min_length=1)]
    calibration: CalibrationSpec
    config: dict[str, pydantic.JsonValue]
    metrics: dict[str, float | None]
    files: dict[str, FileEntry]

    @pydantic.model_validator(mode="after")
    def _holds_together(self) -> Self:
        twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
        if twice:
            raise ValueError(f"labels must be distinct; more than once: {', '.join(twice)}")
        strangers = sorted(set(self.calibration.pooled_labels) - set(self.labels))
        if strangers:
            raise ValueError(f"pooled_labels must be among labels; these are not: {', '.join(strangers)}")
        if max(self.calibration.cluster_dim, self.calibration.stream_dim) > self.embedding.dim:
            raise ValueError("cluster_dim and stream_dim must not exceed the embedding's dim")
        layers = {layer.name for layer in self.embedding.layers}
        if any(score.layer not in layers for score in self.calibration.scores):
            raise ValueError("the scores must look at layers of the embedding")
        return self


def content_id(manifest: Manifest) -> str:
    """Return the bundle id that the manifest's content deserves: 32 hexadecimal characters."""
    content = manifest.model_dump(mode="json", exclude={"created", "bundle_id"})
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:32]


def format_manifest(manifest: Manifest) -> bytes:
    """Write the manifest as `manifest.json`: UTF-8 JSON for people, two spaces of indent, a final newline."""
    document = manifest.model_dump(mode="json")
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse_manifest(raw: bytes, *, folder: Path) -> Manifest:
    """Read `manifest.json` strictly, and check that its content deserves its id.

    Args:
        raw: the bytes of the file.
        folder: where they came from, for messages.

    Raises:
        BundleError: anything at all is wrong with it.
    """
    if len(raw) > LARGEST_MANIFEST_BYTES:
        raise refusal(folder, MANIFEST_FILE, f"is larger than {LARGEST_MANIFEST_BYTES} bytes")
    try:
        document = strict_json(raw)
    except UnicodeDecodeError as error:
        raise refusal(folder, MANIFEST_FILE, f"is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise refusal(folder, MANIFEST_FILE, f"is not the JSON of a manifest: {error}") from error
    if not isinstance(document, dict):
        raise refusal(folder, MANIFEST_FILE, "is not a JSON object")
    _check_version(document, folder)
    try:
        manifest = Manifest.model_validate_json(raw, strict=True)
    except pydantic.ValidationError as error:
        raise refusal(folder, MANIFEST_FILE, f"is wrong at {first_problem(error)}") from error
    _check_names(manifest.files, folder)
    if content_id(manifest) != manifest.bundle_id:
        raise refusal(
            folder, MANIFEST_FILE, "was changed after it was written: its content does not have its id"
        )
    return manifest


def strict_json(raw: bytes) -> Any:  # noqa: ANN401  # whatever JSON can hold
    """Parse JSON so that two readers cannot see two things: UTF-8, no key twice, only numbers that can be had.

    Raises:
        ValueError: it is not so (a UnicodeDecodeError is one).
        RecursionError: it is nested without end.
    """
    return json.loads(
        raw.decode("utf-8"),
        object_pairs_hook=_distinct_keys,
        parse_constant=_no_constant,
        parse_float=_finite,
        parse_int=_whole,
    )


def refusal(
    folder: Path,
    file: str,
    problem: str,
    remedy: str = "Copy the bundle again from its source, or train it again.",
) -> BundleError:
    """Build the one kind of message a `BundleError` has: folder, file, what is wrong, what to do."""
    return BundleError(escaped(f"The bundle {str(folder)!r} cannot be used: {file} {problem}. {remedy}"))


def first_problem(error: pydantic.ValidationError) -> str:
    """Say in one line where the first fault of a model lies and what it is."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'its top'}: {first['msg']}"


def escaped(text: str) -> str:
    """Spell out control characters, so that text from a bundle cannot drive the terminal it is shown on."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _check_version(document: Mapping[str, Any], folder: Path) -> None:
    version = document.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise refusal(folder, MANIFEST_FILE, "has no format_version, a whole number from 1")
    if version > FORMAT_VERSION:
        raise refusal(
            folder,
            MANIFEST_FILE,
            f"has format version {version}, and this firstseen reads up to {FORMAT_VERSION}",
            "Upgrade firstseen: pip install --upgrade firstseen.",
        )


def _check_names(files: Mapping[str, FileEntry], folder: Path) -> None:
    """Refuse every name but the known ones, and with them paths that climb out of the folder."""
    for name in files:
        if name not in REQUIRED_FILES + OPTIONAL_FILES:
            raise refusal(folder, MANIFEST_FILE, f"lists {name!r}, which is no file of a bundle")
    for name in REQUIRED_FILES:
        if name not in files:
            raise refusal(folder, MANIFEST_FILE, f"does not list {name}, which every bundle has")


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return document


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number JSON has")


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"the whole number {text[:20]}... has {len(text)} digits, more than {_MOST_DIGITS}")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value
