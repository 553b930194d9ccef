import io
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from model.bundle import (
    Bundle,
    BundleContents,
    EmbeddingSpec,
    LayerSpec,
    ScoreSpec,
    read_bundle,
    write_bundle,
)
from model.scores import Gate, layer_slices
from model.summary import describe, summarize


@pytest.fixture
def bundle(tmp_path: Path, contents: BundleContents, created: datetime) -> Bundle:
    write_bundle(tmp_path / "bundle", contents, created=created)
    return read_bundle(tmp_path / "bundle")


def rendered(bundle: Bundle, *, width: int = 200) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(describe(bundle.manifest, bundle))
    return stream.getvalue()


def test_the_summary_is_json(bundle: Bundle) -> None:
    """The summary survives JSON, manifest and all."""
    summary = summarize(bundle.manifest, bundle)

    assert summary == json.loads(json.dumps(summary, allow_nan=False))
    assert bundle.manifest.model_dump(mode="json").items() <= summary.items()


def test_the_classes_are_counted(bundle: Bundle) -> None:
    """Each class has its numbers of items from the arrays, and says whether it borrows the pooled scores."""
    expected = [
        {"label": "cat", "fitting_items": 5, "calibration_scores": 3, "reference_items": 1, "pooled": False},
        {"label": "dog", "fitting_items": 2, "calibration_scores": 2, "reference_items": 1, "pooled": True},
    ]

    assert expected == summarize(bundle.manifest, bundle)["classes"]


def test_the_parameters_are_counted(bundle: Bundle) -> None:
    """Floating weights are parameters; a batch counter is none."""
    assert summarize(bundle.manifest, bundle)["parameters"] == 8


def test_the_terminal_shows_what_matters(bundle: Bundle) -> None:
    """Id, input, net, classes, metrics, configuration and every file are on the screen."""
    text = rendered(bundle)

    for part in (
        bundle.manifest.bundle_id,
        "image of 1x2x2 numbers, each from 0 to 16",
        "mlp(width=3, dropout=0.5, bias=True), 8 parameters",
        "penultimate (2), 2 dimensions, norm none",
        "mahalanobis:penultimate; 5.00% of known items may be called new",
        "1 dimensions, radius 1.1",
        "2 (pooled)",
        "0.975",
        "not measured",
        "gelernt für später",
        *bundle.manifest.files,
        *(entry.sha256 for entry in bundle.manifest.files.values()),
    ):
        assert part in text


def test_a_narrow_terminal_loses_nothing(bundle: Bundle) -> None:
    """Long text folds; no line is wider than the screen, no character cut."""
    lines = rendered(bundle, width=50).splitlines()

    assert max(map(len, lines)) <= 50
    assert "…" not in "".join(lines)


def test_labels_are_no_markup(tmp_path: Path, contents: BundleContents, created: datetime) -> None:
    """A label that looks like markup of the terminal library is shown letter by letter."""
    hostile = replace(contents, labels=("[bold]cat[/bold]", "[/]dog"))
    hostile = replace(hostile, calibration=hostile.calibration.model_copy(update={"pooled_labels": ()}))
    write_bundle(tmp_path / "b", hostile, created=created)
    text = rendered(read_bundle(tmp_path / "b"))

    assert "[bold]cat[/bold]" in text
    assert "[/]dog" in text


def test_the_terminal_is_not_driven(tmp_path: Path, contents: BundleContents, created: datetime) -> None:
    """An escape sequence in a bundle is spelt out and never sent to the terminal."""
    write_bundle(tmp_path / "b", replace(contents, config={"note": "\x1b[2Jgone"}), created=created)
    text = rendered(read_bundle(tmp_path / "b"))

    assert "\x1b" not in text
    assert r"\x1b[2Jgone" in text


def test_several_layers_and_scores_are_shown(
    tmp_path: Path, contents: BundleContents, created: datetime
) -> None:
    """The embedding's layers and the gate's parts are listed with a plus between them, and all arrays named."""
    embedding = EmbeddingSpec(
        layers=(LayerSpec(name="pooled", dim=1), LayerSpec(name="output", dim=1)), norm="l2"
    )
    parts = [("energy", "pooled"), ("centre-radius", "output")]
    scores = tuple(ScoreSpec(score=score, layer=layer, mean=0.5, scale=2) for score, layer in parts)  # type: ignore[arg-type]
    column = np.ones((2, 1), dtype=np.float32)
    arrays = {"0.directions": column, "1.centres": column, "1.squared_radii": column[:, 0]}
    gate = Gate.from_arrays(scores, layer_slices(embedding), arrays)
    both = replace(
        contents,
        embedding=embedding,
        calibration=contents.calibration.model_copy(update={"scores": scores}),
        known=replace(contents.known, gate=gate),
    )
    write_bundle(tmp_path / "b", both, created=created)
    bundle = read_bundle(tmp_path / "b")
    text = rendered(bundle)

    assert "pooled (1) + output (1), 2 dimensions, norm l2" in text
    assert "energy:pooled + centre-radius:output; 5.00%" in text
    assert {f"gate.{name}" for name in arrays} <= summarize(bundle.manifest, bundle)["arrays"].keys()
