"""The embedder: layers, each normalised, in batches, from a bundle."""

import dataclasses
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
    LayerSpec,
    Manifest,
    NetworkSpec,
    ScoreSpec,
    check_golden,
)
from model.inputs import VectorInput
from model.networks import Embedder, Mlp, embed_items, load_embedder
from model.scores import Gate, layer_slices

SPEC = VectorInput(shape=(4,), minimum=0, maximum=1)


def small_embedder(*layers: str, norm: str = "l2") -> Embedder:
    torch.manual_seed(0)
    return Embedder(Mlp(SPEC, output_dim=2, width=8, depth=2), layers or ("penultimate",), norm).eval()


def items(n: int) -> np.ndarray:
    return np.random.default_rng(0).random((n, 4), dtype=np.float32)


def test_l2_embeddings_have_length_one_and_the_layers_direction() -> None:
    """With norm l2 every embedding is the layer divided by its length."""
    x = torch.from_numpy(items(5))
    plain, unit = small_embedder(norm="none")(x), small_embedder()(x)

    torch.testing.assert_close(plain / plain.norm(dim=1, keepdim=True), unit)


@pytest.mark.parametrize("norm", ["l2", "none"])
def test_layers_stand_side_by_side_in_the_order_asked_for(norm: str) -> None:
    """Several layers give what each gives by itself, with norm l2 each of length one; their widths add up."""
    x = torch.from_numpy(items(5))
    alone = [small_embedder(layer, norm=norm)(x) for layer in ("output", "penultimate")]
    both = small_embedder("output", "penultimate", norm=norm)

    assert both.layers == ("output", "penultimate")
    assert both.dim == 2 + 8
    assert torch.equal(torch.cat(alone, dim=1), both(x))
    assert not torch.equal(both(x), small_embedder("penultimate", "output", norm=norm)(x))


def test_an_item_that_silences_the_layer_stays_finite() -> None:
    """A row of zeros has no direction; its embedding is zero, not NaN."""
    embedder = small_embedder()
    for parameter in embedder.parameters():
        parameter.data.zero_()

    assert embed_items(embedder, items(2)).tolist() == [[0.0] * 8] * 2


def test_a_silent_layer_leaves_the_others_alone() -> None:
    """Only its own numbers are zero; the other layer still has length one."""
    embedder = small_embedder("penultimate", "output")
    for parameter in (embedder.net.output.weight, embedder.net.output.bias):
        parameter.data.zero_()

    z = embed_items(embedder, items(3))

    assert not z[:, 8:].any()
    np.testing.assert_allclose(np.square(z[:, :8]).sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 3, 4])
def test_batches_do_not_change_embeddings(n: int) -> None:
    """Embedding in batches of any size, and of no items, gives what one pass gives."""
    embedder = small_embedder("output", norm="none")

    in_batches = embed_items(embedder, items(n), batch_size=3)

    assert (n, embedder.dim) == in_batches.shape
    np.testing.assert_allclose(in_batches, embedder(torch.from_numpy(items(n))).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "norm", "message"),
    [
        (("pooled",), "l2", "no layer 'pooled'; choose among penultimate, output"),
        (("output", "pooled"), "l2", "no layer 'pooled'; choose among penultimate, output"),
        (("output",), "l1", "no norm is called 'l1'; choose l2 or none"),
        (("output", "output"), "l2", r"distinct layers, at least one; not \(output, output\)"),
        ((), "l2", r"distinct layers, at least one; not \(\)"),
    ],
)
def test_layers_and_norms_that_cannot_be_had_are_refused(
    layers: tuple[str, ...], norm: str, message: str
) -> None:
    """A layer or norm that does not exist is refused with the choices; so is a layer twice, and none at all."""
    with pytest.raises(ValueError, match=message):
        Embedder(Mlp(SPEC, output_dim=2, width=8, depth=2), layers, norm)


def layer_specs(embedder: Embedder) -> tuple[LayerSpec, ...]:
    return tuple(LayerSpec(name=layer, dim=embedder.net.widths[layer]) for layer in embedder.layers)


def bundle_of(embedder: Embedder, **changes: object) -> Bundle:
    embedding = EmbeddingSpec(layers=layer_specs(embedder), norm="l2")
    first = embedding.layers[0]
    scores = (ScoreSpec(score="centre-radius", layer=first.name, mean=0, scale=1),)
    D, empty = embedder.dim, np.zeros((1, embedder.dim), dtype=np.float32)
    manifest = Manifest(
        format_version=1,
        bundle_id="0" * 32,
        created="2026-01-01T00:00:00Z",
        input=SPEC,
        network=NetworkSpec(name="mlp", options={"output_dim": 2, "width": 8, "depth": 2}),
        embedding=embedding,
        labels=("a",),
        calibration=CalibrationSpec(
            scores=scores,
            known_error_rate=0.1,
            cluster_dim=1,
            cluster_radius=1,
            stream_dim=1,
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
        gate=Gate.from_arrays(
            scores,
            layer_slices(embedding),
            {"0.centres": empty[:, : first.dim], "0.squared_radii": np.ones(1, dtype=np.float32)},
        ),
        calibration_scores=np.zeros(1, dtype=np.float32),
        calibration_offsets=np.array([0, 1]),
        calibration_embeddings=empty,
        calibration_labels=np.zeros(1, dtype=np.int64),
        calibration_p=np.ones((1, 1), dtype=np.float32),
        reference_embeddings=empty,
        reference_labels=np.zeros(1, dtype=np.int64),
        cluster_mean=zero,
        cluster_projection=one[:, :1],
        stream_mean=zero,
        stream_projection=one[:, :1],
    )
    return Bundle(
        path=Path("here"),
        manifest=manifest,
        weights={name: value.numpy().copy() for name, value in embedder.net.state_dict().items()},
        known=known,
        golden=Golden(items=tuple(items(3).tolist()), embeddings=embed_items(embedder, items(3))),
        card="",
    )


@pytest.mark.parametrize("layers", [("penultimate",), ("output",), ("output", "penultimate")])
def test_a_loaded_embedder_gives_the_golden_embeddings(layers: tuple[str, ...]) -> None:
    """A loaded embedder gives the embeddings the trainer saw, and cannot be trained by accident."""
    bundle = bundle_of(small_embedder(*layers))

    loaded = load_embedder(bundle)

    assert layers == loaded.layers
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
    bundle = bundle_of(small_embedder(), network=NetworkSpec(name="gru", options={}))

    with pytest.raises(BundleError, match=r"manifest\.json.*'gru'"):
        load_embedder(bundle)


def test_a_manifest_with_another_dimension_is_refused() -> None:
    """A manifest that gives a layer another dimension than it has is refused, whichever layer it is."""
    for layers in (("penultimate",), ("output", "penultimate")):
        bundle = bundle_of(small_embedder(*layers))
        specs = (*layer_specs(small_embedder(*layers))[:-1], LayerSpec(name="penultimate", dim=5))
        changed = bundle.manifest.model_copy(update={"embedding": EmbeddingSpec(layers=specs, norm="l2")})

        with pytest.raises(BundleError, match=r"the layer penultimate has 5 numbers, but it has 8"):
            load_embedder(dataclasses.replace(bundle, manifest=changed))


def test_a_layer_that_the_net_does_not_have_is_refused() -> None:
    """A manifest with an unknown layer names it, and what there is."""
    layers = (LayerSpec(name="pooled", dim=8),)
    bundle = bundle_of(small_embedder(), embedding=EmbeddingSpec(layers=layers, norm="l2"))

    with pytest.raises(
        BundleError, match=r"manifest\.json.*no layer 'pooled'; choose among penultimate, output"
    ):
        load_embedder(bundle)


@pytest.mark.parametrize(
    "options", [{"width": 10**6, "depth": 10**4}, {"width": 10**18}, {"depth": 10**6}, {"output_dim": 10**6}]
)
def test_a_net_too_large_for_the_weights_is_refused_before_it_is_made(options: dict[str, int]) -> None:
    """A few digits in a manifest cannot take all memory."""
    network = NetworkSpec(name="mlp", options={"output_dim": 2, "width": 8, "depth": 2, **options})
    bundle = bundle_of(small_embedder(), network=network)

    with pytest.raises(BundleError, match=r"here: manifest\.json describes a network that cannot be built"):
        load_embedder(bundle)
