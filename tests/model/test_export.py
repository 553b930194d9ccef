"""From a configuration to a bundle on disk."""

import dataclasses
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from model.bundle import BundleError, Manifest, check_golden, read_bundle
from model.calibrate import CLUSTER_RADIUS
from model.config import ConfigError, TrainConfig
from model.configs import starting_config
from model.datasets import DataError, load_dataset
from model.export import run, subsample
from model.inputs import TextInput
from model.networks import Sentence, embed_items, load_embedder
from model.rehearse import Expected, Rehearsal
from model.scores import layer_slices

SHORT = TrainConfig(epochs=2, max_items=700, hold_out=("3", "7"), threads=1, rehearse=False)
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def silent(stage: str, done: int, total: int, note: str) -> None:
    """Take a report and keep nothing."""


def made(out: Path, config: TrainConfig = SHORT, *, created: datetime = CREATED) -> Manifest:
    return run(config, data_dir=None, out=out, progress=silent, created=created)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "bundle"
    made(path)
    return path


def test_the_bundle_can_be_read_and_its_embedder_agrees(folder: Path) -> None:
    """What was written verifies, and its embedder gives the golden embeddings."""
    bundle = read_bundle(folder)
    embedder = load_embedder(bundle)

    assert tuple("01245689") == bundle.manifest.labels
    assert len(bundle.golden.items) == 8
    assert check_golden(bundle, lambda x: embed_items(embedder, x)) < 1e-5


def test_the_same_run_gives_the_same_bundle_and_another_seed_another(folder: Path, tmp_path: Path) -> None:
    """Training twice gives the same bundle id, whenever it was; another seed gives another."""
    first = read_bundle(folder).manifest
    again = made(tmp_path / "again", created=datetime(2027, 1, 1, tzinfo=UTC))
    other = made(tmp_path / "other", dataclasses.replace(SHORT, seed=1))

    assert first.bundle_id == again.bundle_id
    assert first.bundle_id != other.bundle_id


def test_the_manifest_says_how_it_was_made(folder: Path) -> None:
    """The manifest holds the whole configuration and every measure."""
    manifest = read_bundle(folder).manifest

    assert SHORT.as_json() == manifest.config
    assert {"known_accuracy", "known_error_rate", "auroc", "caught/3", "caught/7"} <= manifest.metrics.keys()


def test_the_embedding_is_all_layers_and_relative_distances_judge_each(folder: Path) -> None:
    """What nobody asked for is what the defaults promise, and every row of a layer has length one."""
    bundle = read_bundle(folder)
    layers = {layer.name: layer.dim for layer in bundle.manifest.embedding.layers}

    assert layers == load_embedder(bundle).net.widths
    assert [("relative-mahalanobis", name) for name in layers] == [
        (part.score, part.layer) for part in bundle.manifest.calibration.scores
    ]
    for part in layer_slices(bundle.manifest.embedding):
        lengths = np.square(bundle.known.calibration_embeddings[:, part.start : part.stop]).sum(1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_layers_and_scores_are_those_asked_for(tmp_path: Path) -> None:
    """Their order is kept, the dimensions are the layers', and the units those of calibration items."""
    asked = dataclasses.replace(
        SHORT, layers=("output", "pooled"), norm="none", gate=("energy:pooled", "mahalanobis")
    )
    made(tmp_path / "bundle", asked)
    bundle = read_bundle(tmp_path / "bundle")
    manifest, known = bundle.manifest, bundle.known
    parts = [("energy", "pooled"), ("mahalanobis", "output"), ("mahalanobis", "pooled")]

    assert [("output", 32), ("pooled", 64)] == [(part.name, part.dim) for part in manifest.embedding.layers]
    assert manifest.embedding.norm == "none"
    assert parts == [(part.score, part.layer) for part in manifest.calibration.scores]
    own = known.gate(known.calibration_embeddings)[
        np.arange(len(known.calibration_labels)), known.calibration_labels
    ]
    assert float(own.mean()) == pytest.approx(0, abs=1e-6)
    assert "layers output (32) + pooled (64), norm none" in bundle.card


def test_calibration_is_on_items_that_were_not_fitted(folder: Path) -> None:
    """No calibration embedding is among the reference embeddings, which are fitting items."""
    known = read_bundle(folder).known
    fitted = {row.tobytes() for row in known.reference_embeddings}

    assert not any(row.tobytes() in fitted for row in known.calibration_embeddings)


def test_a_rate_that_cannot_work_is_refused_before_training(tmp_path: Path) -> None:
    """With too few items to calibrate at the rate, no epoch is trained."""
    reports = []

    def keep(stage: str, done: int, total: int, note: str) -> None:
        reports.append((stage, done, total, note))

    hopeless = dataclasses.replace(SHORT, known_error_rate=1e-4)
    with pytest.raises(DataError, match="at least 9999 are needed"):
        run(hopeless, data_dir=None, out=tmp_path / "bundle", progress=keep, created=CREATED)

    assert {"load"} == {stage for stage, *_ in reports}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"gate": ("energy:features",)},
            r"gate has energy:features, and the embedding has the layers pooled, pen",
        ),
        (
            {"layers": ("features",)},
            "the network cnn has no layer 'features'; choose among pooled, penultimate",
        ),
    ],
)
def test_a_layer_that_is_not_there_is_refused_before_training(
    tmp_path: Path, changes: dict[str, tuple[str, ...]], message: str
) -> None:
    """Which layers a net has is known when it is built: no epoch is trained for nothing."""
    stages = []

    def keep(stage: str, done: int, total: int, note: str) -> None:  # noqa: ARG001
        stages.append(stage)

    with pytest.raises(ConfigError, match=message):
        run(
            dataclasses.replace(SHORT, **changes),  # type: ignore[arg-type]
            data_dir=None,
            out=tmp_path / "bundle",
            progress=keep,
            created=CREATED,
        )

    assert "train" not in stages
    assert not (tmp_path / "bundle").exists()


def test_an_existing_bundle_is_replaced_only_when_asked(folder: Path) -> None:
    """A second run to the same folder is refused unless it may replace the bundle."""
    with pytest.raises(BundleError):
        made(folder)

    before = read_bundle(folder).manifest.bundle_id
    replaced = run(SHORT, data_dir=None, out=folder, progress=silent, created=CREATED, replace=True)

    assert before == replaced.bundle_id


def test_a_run_is_chosen_when_there_are_candidates(tmp_path: Path) -> None:
    """The bundle is the winner's: its configuration, its measures on left-out classes, the card's account."""
    candidates = [SHORT, dataclasses.replace(SHORT, objective="supcon")]
    stages = []

    def keep(stage: str, done: int, total: int, note: str) -> None:
        stages.append((stage, done, total, note))

    out = tmp_path / "bundle"
    manifest = run(SHORT, data_dir=None, out=out, progress=keep, created=CREATED, candidates=candidates)
    bundle = read_bundle(out)

    assert manifest.config["objective"] in {"proxy-anchor", "supcon"}
    assert manifest.metrics["left_out_auroc"] is not None
    assert manifest.metrics["left_out_cluster_accuracy"] is not None
    assert "Of 2 candidates" in bundle.card
    assert list(dict.fromkeys(stage for stage, *_ in stages))[:3] == ["load", "choose", "train"]
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in manifest.config.items()}
    winner = TrainConfig(**values)  # type: ignore[arg-type]  # JSON
    assert (
        made(tmp_path / "alone", winner).files["weights.safetensors"] == manifest.files["weights.safetensors"]
    )


def test_a_rehearsal_sets_the_radius_and_says_what_to_expect(folder: Path, tmp_path: Path) -> None:
    """Its radius is the bundle's, its figures are among the measures, and neither changes what is trained."""
    seen: list[tuple[Rehearsal, float]] = []
    stages: list[str] = []

    def simulate(rehearsal: Rehearsal, known_error_rate: float) -> Expected:
        seen.append((rehearsal, known_error_rate))
        return Expected(figures={"expected/found": 0.75, "expected/delay": None}, note="on so many items")

    def keep(stage: str, done: int, total: int, note: str) -> None:  # noqa: ARG001
        stages.append(stage)

    out, config = tmp_path / "bundle", dataclasses.replace(SHORT, rehearse=True)
    manifest = run(config, data_dir=None, out=out, progress=keep, created=CREATED, simulate=simulate)
    ((rehearsal, rate),) = seen

    assert ["load", "rehearse", "simulate", "train"] == list(dict.fromkeys(stages))[:4]
    assert rate == SHORT.known_error_rate
    assert manifest.calibration.cluster_radius == rehearsal.radius
    assert manifest.metrics["expected/found"] == 0.75
    assert manifest.metrics["expected/delay"] is None
    assert rehearsal.reason in read_bundle(out).card
    assert "What to expect in a stream: on so many items." in read_bundle(out).card
    alone = read_bundle(folder).manifest
    assert alone.calibration.cluster_radius == CLUSTER_RADIUS
    assert not any(name.startswith("expected/") for name in alone.metrics)
    assert alone.files["weights.safetensors"] == manifest.files["weights.safetensors"]


@pytest.mark.slow
def test_the_default_run_on_digits_finds_what_it_never_saw(tmp_path: Path) -> None:
    """The default run knows its classes and tells 3 and 7 from them, and from each other."""
    metrics = made(tmp_path / "bundle", TrainConfig(hold_out=("3", "7"), threads=1, rehearse=False)).metrics
    found = {name: value for name, value in metrics.items() if value is not None}

    assert found["known_accuracy"] > 0.98
    assert found["known_error_rate"] < 0.06
    assert found["auroc"] > 0.97
    assert found["cluster_accuracy"] > 0.8


def test_a_subsample_keeps_every_class_in_proportion() -> None:
    """A subsample has each class's share, rounded up, in the data set's order, and says so."""
    data = load_dataset("digits", data_dir=None)
    part = subsample(data, 180, seed=0)
    shares = np.bincount(part.y) / np.bincount(data.y)

    assert 180 <= len(part.y) <= 190
    assert float(np.abs(shares - 0.1).max()) < 0.01
    assert f"{len(part.y)} of its 1797" in part.source
    np.testing.assert_array_equal(part.x, subsample(data, 180, seed=0).x)


def test_asking_for_more_than_there_is_gives_all() -> None:
    """Nothing is left out when all items fit."""
    data = load_dataset("digits", data_dir=None)

    assert data is subsample(data, None, seed=0) is subsample(data, 1797, seed=0)


def test_fewer_items_than_classes_are_refused() -> None:
    """A subsample must leave items of each class."""
    with pytest.raises(ConfigError, match="fewer than the 10 classes"):
        subsample(load_dataset("digits", data_dir=None), 9, seed=0)


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A csv of 320 texts of four classes."""
    words = {
        "card": "block lost card",
        "rain": "will it rain",
        "song": "play that song",
        "trip": "book a trip",
    }
    rows = [f'"{text} number {n % 30}",{label}' for n in range(80) for label, text in words.items()]
    path = tmp_path_factory.mktemp("texts") / "questions.csv"
    path.write_text("question,kind\n" + "\n".join(rows), encoding="utf-8")
    return path


def test_texts_take_the_same_road(questions: Path, tmp_path: Path) -> None:
    """A file of texts becomes a bundle whose embedder agrees with what the trainer saw; twice gives one id."""
    config = starting_config(
        str(questions),
        None,
        {"text": "question", "label": "kind", "hold_out": ("trip",), "epochs": 3, "threads": 1},
    )
    ids = {made(tmp_path / name, config).bundle_id for name in ("once", "again")}
    bundle = read_bundle(tmp_path / "once")
    embedder = load_embedder(bundle)

    assert 1 == len(ids)
    assert ("card", "rain", "song") == bundle.manifest.labels
    assert {"vocabulary.json"} == bundle.files.keys()
    assert all(isinstance(item, str) and " number " in item for item in bundle.golden.items)
    assert check_golden(bundle, lambda x: embed_items(embedder, x)) < 1e-5
    assert "text of 1 to 10,000 characters" in bundle.card
    assert "A text is read as it is" in bundle.card
    assert bundle.manifest.metrics["known_accuracy"] == 1.0


def test_terms_come_from_the_fitting_items_alone(questions: Path, tmp_path: Path) -> None:
    """No word of a held-out class is in the vocabulary."""
    changes = {"text": "question", "label": "kind", "hold_out": ("trip",), "epochs": 1, "threads": 1}
    made(tmp_path / "b", starting_config(str(questions), None, changes))

    words = json.loads(read_bundle(tmp_path / "b").files["vocabulary.json"])["words"]

    assert "song" in words
    assert "book" not in words


@pytest.mark.parametrize("tune", [False, True])
def test_a_bundle_with_an_encoder_needs_no_hub(
    questions: Path, encoder: str, tmp_path: Path, *, tune: bool
) -> None:
    """The folder of the encoder may go once it was trained on; only tuning changes what is in it."""
    folder = shutil.copytree(encoder, tmp_path / "encoder")
    changes = {"text": "question", "label": "kind", "encoder": str(folder), "epochs": 2, "threads": 1}
    made(tmp_path / "b", starting_config(str(questions), None, {**changes, "tune": tune}))
    untrained = Sentence(TextInput(), encoder=str(folder)).state_dict()
    shutil.rmtree(folder)

    bundle = read_bundle(tmp_path / "b")
    embedder = load_embedder(bundle)

    assert check_golden(bundle, lambda x: embed_items(embedder, x)) < 1e-5
    assert {"tokenizer.json", "encoder.json"} == bundle.files.keys()
    same = {
        np.array_equal(array, untrained[name].numpy())
        for name, array in bundle.weights.items()
        if name.startswith("encoder.encoder.")
    }
    assert (False in same) == tune


def test_images_are_not_for_a_net_of_texts() -> None:
    """A network that does not fit the data is refused with those that do."""
    with pytest.raises(ConfigError, match="choose cnn for images"):
        made(Path("never"), dataclasses.replace(SHORT, network="tfidf"))
