"""The smallest sound bundle: the worked example of `model/bundle.py`, K = 2 classes in D = 2 dimensions."""

from datetime import UTC, datetime

import numpy as np
import pytest

from model.bundle import (
    BundleContents,
    CalibrationSpec,
    EmbeddingSpec,
    Golden,
    KnownArrays,
    LayerSpec,
    NetworkSpec,
    ScoreSpec,
)
from model.inputs import ImageInput
from model.scores import Gate, layer_slices


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a sentence-transformers encoder made here: two small layers that nobody has trained."""
    pytest.importorskip("sentence_transformers", reason='needs the extra: pip install "firstseen[text]"')
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = [
        "reset",
        "my",
        "pin",
        "weather",
        "play",
        "music",
        "the",
        "a",
        "block",
        "lost",
        "card",
        "will",
        "it",
        "rain",
        "that",
        "song",
        "book",
        "number",
    ]
    words += [str(n) for n in range(30)]
    folder = tmp_path_factory.mktemp("encoder")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=5 + len(words),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    whole = SentenceTransformer(modules=[Transformer(str(folder)), Pooling(8)], device="cpu")
    whole.save(str(folder / "whole"))
    return str(folder / "whole")


@pytest.fixture(scope="session")
def created() -> datetime:
    return datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def contents() -> BundleContents:
    f32, i64 = np.float32, np.int64
    embedding = EmbeddingSpec(layers=(LayerSpec(name="penultimate", dim=2),), norm="none")
    scores = (ScoreSpec(score="mahalanobis", layer="penultimate", mean=0, scale=1),)
    means = np.array([[0, 0], [4, 0]], dtype=f32)
    return BundleContents(
        input=ImageInput(shape=(1, 2, 2), minimum=0, maximum=16),
        network=NetworkSpec(name="mlp", options={"width": 3, "dropout": 0.5, "bias": True}),
        embedding=embedding,
        labels=("cat", "dog"),
        calibration=CalibrationSpec(
            scores=scores,
            known_error_rate=0.05,
            cluster_dim=1,
            cluster_radius=1.1,
            stream_dim=2,
            pooled_labels=("dog",),
        ),
        config={"epochs": 3, "hold_out": ["7"], "rate": 1e-3, "note": "gelernt für später"},
        metrics={"auroc": 0.975, "delay": None},
        weights={
            "first.weight": np.arange(8, dtype=f32).reshape(2, 4),
            "first.batches": np.array(7, dtype=i64),
        },
        known=KnownArrays(
            prototypes=means,
            counts=np.array([5, 2], dtype=i64),
            class_whitener=np.eye(2, dtype=f32),
            gate=Gate.from_arrays(
                scores, layer_slices(embedding), {"0.means": means, "0.whitener": np.eye(2, dtype=f32)}
            ),
            calibration_scores=np.array([-3, -1, 2, -4, 0], dtype=f32),
            calibration_offsets=np.array([0, 3, 5], dtype=i64),
            calibration_embeddings=np.array([[0, 1], [4, 1], [1, 0]], dtype=f32),
            calibration_labels=np.array([0, 1, 0], dtype=i64),
            calibration_p=np.array([[0.5, 0.25], [0.25, 1], [1, 0.25]], dtype=f32),
            reference_embeddings=np.array([[0, 0.5], [4, 0.5]], dtype=f32),
            reference_labels=np.array([0, 1], dtype=i64),
            cluster_mean=np.array([2, 0], dtype=f32),
            cluster_projection=np.array([[1], [0]], dtype=f32),
            stream_mean=np.array([2, 0], dtype=f32),
            stream_projection=np.array([[0.5, 0], [0, 2]], dtype=f32),
        ),
        golden=Golden(
            items=([0, 4, 8, 16], [[1, 2], [3, 4]], [0.5, 0, 0, 16.0]),
            embeddings=np.arange(6, dtype=f32).reshape(3, 2),
        ),
        card="# Cats and dogs\n\nFor tests only.\n",
    )
