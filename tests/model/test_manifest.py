import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle import BundleContents
from model.manifest import (
    REQUIRED_FILES,
    BundleError,
    EmbeddingSpec,
    FileEntry,
    LayerSpec,
    Manifest,
    content_id,
    format_manifest,
    parse_manifest,
)

FOLDER = Path("somewhere/bundle")


@pytest.fixture(scope="module")
def manifest(contents: BundleContents) -> Manifest:
    draft = Manifest(
        format_version=1,
        bundle_id="0" * 32,
        created="2026-03-01T12:00:00Z",
        input=contents.input,
        network=contents.network,
        embedding=contents.embedding,
        labels=contents.labels,
        calibration=contents.calibration,
        config=contents.config,
        metrics=contents.metrics,
        files={name: FileEntry(sha256="ab" * 32, bytes=3) for name in REQUIRED_FILES},
    )
    return draft.model_copy(update={"bundle_id": content_id(draft)})


def test_a_manifest_is_read_as_written(manifest: Manifest) -> None:
    """Formatting and parsing is a round trip."""
    assert manifest == parse_manifest(format_manifest(manifest), folder=FOLDER)


def test_layout_of_the_json_does_not_matter(manifest: Manifest) -> None:
    """Spaces and the order of keys are not content."""
    document = manifest.model_dump(mode="json")
    shuffled = json.dumps(dict(reversed(document.items())), indent=7).encode()

    assert manifest == parse_manifest(shuffled, folder=FOLDER)


def test_the_id_is_the_documented_hash(manifest: Manifest) -> None:
    """The id can be recomputed with a JSON library and sha256 alone, as the file's essay says."""
    document = json.loads(format_manifest(manifest))
    del document["created"], document["bundle_id"]
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))

    assert sha256(canonical.encode("ascii")).hexdigest()[:32] == manifest.bundle_id


def test_a_newer_format_asks_for_an_upgrade() -> None:
    """A version from the future is answered before anything else in the file is looked at."""
    with pytest.raises(BundleError, match=r"manifest\.json has format version 2.*Upgrade firstseen"):
        parse_manifest(b'{"format_version": 2, "what": "ever"}', folder=FOLDER)


@pytest.mark.parametrize("version", ["0", "-1", "true", '"1"', "1.0", "null", "[1]"])
def test_a_strange_format_version_is_refused(version: str) -> None:
    """Only a whole number from 1 is a format version."""
    with pytest.raises(BundleError, match=r"manifest\.json has no format_version"):
        parse_manifest(b'{"format_version": %s}' % version.encode(), folder=FOLDER)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"cat"', b'"c\xe4t"', "not UTF-8"),
        (b'"cat"', b'"c\\ud800t"', "manifest"),
        (b'"auroc": 0.975', b'"auroc": NaN', "NaN"),
        (b'"auroc": 0.975', b'"auroc": -Infinity', "-Infinity"),
        (b'"auroc": 0.975', b'"auroc": 1e999', "too large"),
        (b'"epochs": 3', b'"epochs": 1e999', "too large"),
        (b'"epochs": 3', b'"epochs": 3, "epochs": 4', "'epochs' appears twice"),
        (b'"epochs": 3', b'"epochs": 4', "does not have its id"),
        (b'"auroc": 0.975', b'"auroc": "good"', r"metrics\.auroc"),
        (b'"format_version": 1', b'"format_version": 1, "extra": 1', "extra"),
        (b'"dim": 2', b'"dim": "2"', r"embedding\.layers\.0\.dim"),
        (b'"dim": 2', b'"dim": 0', r"embedding\.layers\.0\.dim"),
        (b'"dim": 2', b'"dim": 2}, {"name": "penultimate", "dim": 2', "a layer must not occur twice"),
        (b'"name": "penultimate"', b'"name": ""', r"embedding\.layers\.0\.name"),
        (b'"name": "penultimate"', b'"name": "pooled"', "the scores must look at layers of the embedding"),
        (b'"layer": "penultimate"', b'"layer": "output"', "the scores must look at layers of the embedding"),
        (b'"score": "mahalanobis"', b'"score": "softmax"', r"calibration\.scores\.0\.score"),
        (b'"scale": 1.0', b'"scale": 0.0', r"calibration\.scores\.0\.scale"),
        (b'"mean": 0.0', b'"mean": "0"', r"calibration\.scores\.0\.mean"),
        (b'"options": {', b'"layer": "penultimate", "options": {', r"network\.layer"),
        (b'"norm": "none"', b'"norm": "l1"', r"embedding\.norm"),
        (b'"minimum": 0.0', b'"minimum": 16.0', "must exceed minimum"),
        (b'"known_error_rate": 0.05', b'"known_error_rate": 1.0', r"calibration\.known_error_rate"),
        (b'"cluster_radius": 1.1', b'"cluster_radius": 1e300', r"calibration\.cluster_radius"),
        (b'"cluster_radius": 1.1', b'"cluster_radius": 1e-300', r"calibration\.cluster_radius"),
        (b'"epochs": 3', b'"epochs": ' + b"3" * 5000, "has 5000 digits"),
        (b'"cluster_dim": 1', b'"cluster_dim": 3', "cluster_dim and stream_dim must not exceed"),
        (b'"stream_dim": 2', b'"stream_dim": 3', "cluster_dim and stream_dim must not exceed"),
        (b'"stream_dim": 2', b'"stream_dim": 0', r"calibration\.stream_dim"),
        (b'"cat",', b'"dog",', "labels must be distinct"),
        (b'"cat",', b'"cow", "", ', r"labels\.1"),
        (b'"card.md": {', b'"../card.md": {', r"lists '\.\./card\.md'"),
        (b'"card.md": {', b'"/etc/passwd": {', "lists '/etc/passwd'"),
        (b'"card.md": {', b'"manifest.json": {', r"lists 'manifest\.json'"),
        (b'"card.md": {', b'"embedder.onnx": {', r"does not list card\.md"),
        (b'"sha256": "abab', b'"sha256": "ABab', "sha256"),
        (b'"bytes": 3', b'"bytes": -3', "bytes"),
        (b"2026-03-01T", b"2026-02-30T", "created"),
        (b"12:00:00Z", b"12:00:00+01:00", "created"),
        (b'"epochs": 3', b'"epochs": ' + b"[" * 500 + b"]" * 500, "manifest"),
        (b'"auroc": 0.975', b'"\\u001b[2J": "x"', r"metrics\.\\x1b\[2J"),
    ],
)
def test_a_wrong_manifest_is_refused(manifest: Manifest, old: bytes, new: bytes, problem: str) -> None:
    """Each fault is refused with the folder, the file and what is wrong."""
    raw = format_manifest(manifest)
    assert old in raw

    with pytest.raises(BundleError, match=problem) as refused:
        parse_manifest(raw.replace(old, new, 1), folder=FOLDER)
    assert str(refused.value).startswith("The bundle 'somewhere/bundle' cannot be used: manifest.json ")


@pytest.mark.parametrize(("field", "lists"), [("embedding", "layers"), ("calibration", "scores")])
def test_an_embedding_has_layers_and_a_gate_has_scores(manifest: Manifest, field: str, lists: str) -> None:
    """At least one of each."""
    document = manifest.model_dump(mode="json")
    document[field][lists] = []

    with pytest.raises(BundleError, match=rf"wrong at {field}\.{lists}"):
        parse_manifest(json.dumps(document).encode(), folder=FOLDER)


def test_the_dimension_is_that_of_all_layers(manifest: Manifest) -> None:
    """D is the sum of the layers' widths."""
    layers = (LayerSpec(name="pooled", dim=3), LayerSpec(name="output", dim=4))

    assert EmbeddingSpec(layers=layers, norm="l2").dim == 7
    assert manifest.embedding.dim == 2


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"3", b'"text"', b"{", b"\x00", b"[" * 100_000, b'{"format_version": %s}' % (b"9" * 5000)],
)
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    """Empty, nested without end, or not an object: never another exception."""
    with pytest.raises(BundleError, match=r"manifest\.json"):
        parse_manifest(raw, folder=FOLDER)


def test_a_giant_is_refused_unread() -> None:
    """A manifest of more than 16 MiB is not parsed."""
    with pytest.raises(BundleError, match="larger than"):
        parse_manifest(b" " * (16 * 2**20 + 1), folder=FOLDER)


@given(raw=st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    """Arbitrary bytes are refused with a BundleError."""
    with pytest.raises(BundleError):
        parse_manifest(raw, folder=FOLDER)


@given(
    field=st.sampled_from(sorted(Manifest.model_fields)),
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
)
def test_no_field_is_taken_on_trust(manifest: Manifest, field: str, value: object) -> None:
    """Any JSON value in any field is refused with a BundleError, or it leaves the content as it was."""
    document = {**manifest.model_dump(mode="json"), field: value}
    try:
        read = parse_manifest(json.dumps(document).encode(), folder=FOLDER)
    except BundleError:
        return

    assert manifest == read
