"""The embedder: a layer, normalised, in batches, from a bundle."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.bundle import (
    Bundle,
    BundleError,
    CalibrationSpec,
    EmbeddingSpec,
    Golden,
    KnownArrays,
    Manifest,
    NetworkSpec,
    check_golden,
)
from model.inputs import VectorInput
from model.networks import Embedder, Mlp, embed_items, load_embedder

SPEC = VectorInput(shape=(4,), minimum=0, maximum=1)


def small_embedder(*, layer: str = "penultimate", norm: str = "l2") -> Embedder:
    torch.manual_seed(0)
    return Embedder(Mlp(SPEC, output_dim=2, width=8, depth=2), layer, norm).eval()


def items(n: int) -> np.ndarray:
    return np.random.default_rng(0).random((n, 4), dtype=np.float32)


def test_l2_embeddings_have_length_one_and_the_layers_direction() -> None:
    """With norm l2 every embedding is the layer divided by its length."""
    x = torch.from_numpy(items(5))
    plain, unit = small_embedder(norm="none")(x), small_embedder()(x)

    torch.testing.assert_close(plain / plain.norm(dim=1, keepdim=True), unit)


def test_an_item_that_silences_the_layer_stays_finite() -> None:
    """A row of zeros has no direction; its embedding is zero, not NaN."""
    embedder = small_embedder()
    for parameter in embedder.parameters():
        parameter.data.zero_()

    assert embed_items(embedder, items(2)).tolist() == [[0.0] * 8] * 2


@pytest.mark.parametrize("n", [0, 1, 3, 4])
def test_batches_do_not_change_embeddings(n: int) -> None:
    """Embedding in batches of any size, and of no items, gives what one pass gives."""
    embedder = small_embedder(layer="output", norm="none")

    in_batches = embed_items(embedder, items(n), batch_size=3)

    assert (n, embedder.dim) == in_batches.shape
    np.testing.assert_allclose(in_batches, embedder(torch.from_numpy(items(n))).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(("layer", "norm"), [("pooled", "l2"), ("output", "l1")])
def test_unknown_layers_and_norms_are_refused(layer: str, norm: str) -> None:
    """A layer or norm that does not exist is refused with the choices."""
    with pytest.raises(ValueError, match="choose"):
        small_embedder(layer=layer, norm=norm)


def bundle_of(embedder: Embedder, **changes: object) -> Bundle:
    D, empty = embedder.dim, np.zeros((1, embedder.dim), dtype=np.float32)
    manifest = Manifest(
        format_version=1,
        bundle_id="0" * 32,
        created="2026-01-01T00:00:00Z",
        input=SPEC,
        network=NetworkSpec(
            name="mlp", options={"output_dim": 2, "width": 8, "depth": 2}, layer=embedder.layer
        ),
        embedding=EmbeddingSpec(dim=D, norm="l2"),
        labels=("a",),
        calibration=CalibrationSpec(
            score="relative-mahalanobis",
            known_error_rate=0.1,
            cluster_dim=1,
            cluster_radius=1,
            pooled_labels=(),
        ),
        config={},
        metrics={},
        files={},
    ).model_copy(update=changes)
    zero, one = np.zeros(D, dtype=np.float32), np.eye(D, dtype=np.float32)
    known = KnownArrays(
        prototypes=empty,
        counts=np.ones(1, dtype=np.int64),
        class_whitener=one,
        background_mean=zero,
        background_whitener=one,
        calibration_scores=np.zeros(1, dtype=np.float32),
        calibration_offsets=np.array([0, 1]),
        calibration_embeddings=empty,
        calibration_labels=np.zeros(1, dtype=np.int64),
        reference_embeddings=empty,
        reference_labels=np.zeros(1, dtype=np.int64),
        cluster_mean=zero,
        cluster_projection=one[:, :1],
    )
    return Bundle(
        path=Path("here"),
        manifest=manifest,
        weights={name: value.numpy().copy() for name, value in embedder.net.state_dict().items()},
        known=known,
        golden=Golden(items=tuple(items(3).tolist()), embeddings=embed_items(embedder, items(3))),
        card="",
    )


def test_a_loaded_embedder_gives_the_golden_embeddings() -> None:
    """A loaded embedder gives the embeddings the trainer saw, and cannot be trained by accident."""
    bundle = bundle_of(small_embedder())

    loaded = load_embedder(bundle)

    assert check_golden(bundle, lambda x: embed_items(loaded, x)) < 1e-6
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_weights_of_another_net_are_refused_by_name() -> None:
    """Weights that do not fit the described net are refused, naming weights.safetensors."""
    bundle = bundle_of(small_embedder())
    del bundle.weights["output.bias"]

    with pytest.raises(BundleError, match=r"here.*weights\.safetensors.*output\.bias"):
        load_embedder(bundle)


def test_an_unknown_net_is_refused_by_name() -> None:
    """A net this version cannot build is refused, naming manifest.json."""
    bundle = bundle_of(small_embedder(), network=NetworkSpec(name="gru", options={}, layer="output"))

    with pytest.raises(BundleError, match=r"manifest\.json.*'gru'"):
        load_embedder(bundle)


def test_a_manifest_with_another_dimension_is_refused() -> None:
    """A manifest whose embedding dimension is not the layer's is refused."""
    bundle = bundle_of(small_embedder(), embedding=EmbeddingSpec(dim=5, norm="l2"))

    with pytest.raises(BundleError, match=r"5 numbers, but .* has 8"):
        load_embedder(bundle)
