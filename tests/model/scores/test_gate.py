"""Several scores as one: their units, their average, their layers, and what a bundle must not say of them."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.manifest import EmbeddingSpec, LayerSpec, ScoreSpec
from model.scores import SCORES, Gate, LayerSlice, layer_slices

LAYERS = (LayerSlice(name="pooled", start=0, stop=3), LayerSlice(name="output", start=3, stop=5))
EVERY = tuple((score, layer.name) for score in SCORES for layer in LAYERS)


def blobs(n: int, seed: int, *, K: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Draw n items of each of K classes in five dimensions, of different sizes: float32 (K n, 5), int64 (K n,)."""
    centres = 3 * np.random.default_rng(99).normal(size=(K, 5))
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(K), n)).astype(np.int64)
    return (centres[y] + (1 + y[:, None]) * rng.normal(size=(K * n, 5))).astype(np.float32), y


def gate(*wanted: tuple[str, str], K: int = 3) -> Gate:
    (z_fit, y_fit), (z_cal, y_cal) = blobs(30, 0, K=K), blobs(20, 1, K=K)
    return Gate.fit(wanted, LAYERS, z_fit=z_fit, y_fit=y_fit, z_cal=z_cal, y_cal=y_cal)


@pytest.mark.parametrize("part", EVERY)
def test_a_part_is_in_units_of_held_out_items(part: tuple[str, str]) -> None:
    """Of the score of held-out items for their own class the mean is 0 and the standard deviation 1."""
    z, y = blobs(20, 1)
    own = gate(part)(z)[np.arange(len(y)), y]

    assert own.mean() == pytest.approx(0, abs=1e-9)
    assert own.std() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("part", EVERY)
def test_a_part_is_its_score_on_its_layer(part: tuple[str, str]) -> None:
    """Fitted to that layer of the fitting items, less the mean, over the scale that the manifest is told."""
    score, name = part
    layer = next(layer for layer in LAYERS if layer.name == name)
    (z_fit, y_fit), (z, _) = blobs(30, 0), blobs(5, 2)
    made = gate(part)
    (spec,) = made.specs
    alone = SCORES[score].fit(z_fit[:, layer.start : layer.stop], y_fit)
    expected = (alone(z[:, layer.start : layer.stop].astype(np.float64)) - spec.mean) / spec.scale

    assert (spec.score, spec.layer) == part
    assert spec.scale > 0
    np.testing.assert_allclose(expected, made(z), rtol=1e-9, atol=1e-9)


def test_parts_have_the_same_say() -> None:
    """The gate's score is the mean of what each part gives alone."""
    z, _ = blobs(10, 2)
    together = gate(*EVERY)(z)

    np.testing.assert_allclose(np.mean([gate(part)(z) for part in EVERY], axis=0), together, rtol=1e-12)


def test_a_part_is_blind_to_other_layers() -> None:
    """Whatever stands in the columns of another layer."""
    z, _ = blobs(10, 2)
    changed = z.copy()
    changed[:, :3] = 1e3

    for score in SCORES:
        np.testing.assert_array_equal(gate((score, "output"))(z), gate((score, "output"))(changed))
        assert not np.array_equal(gate((score, "pooled"))(z), gate((score, "pooled"))(changed))


@settings(max_examples=20, deadline=None)
@given(B=st.integers(0, 9), seed=st.integers(0, 99), is_fortran=st.booleans())
def test_what_an_item_scores_does_not_depend_on_its_batch(B: int, seed: int, is_fortran: bool) -> None:
    """Batches are rows one by one, to the last bit, however they lie in memory."""
    made = gate(*EVERY)
    z = np.random.default_rng(seed).normal(size=(B, 5)).astype(np.float32)
    found = made(np.asfortranarray(z) if is_fortran else z)

    assert (B, 3) == found.shape
    for row in range(B):
        np.testing.assert_array_equal(found[row], made(z[row : row + 1])[0], strict=True)


@pytest.mark.parametrize("K", [1, 2, 4])
def test_what_a_bundle_holds_is_the_gate_that_was_fitted(K: int) -> None:
    """Through manifest and arrays it comes back to the last bit; with more than ten parts, names stay apart."""
    wanted = (*EVERY, *EVERY[:2])
    made = gate(*wanted, K=K)
    specs = tuple(ScoreSpec.model_validate_json(spec.model_dump_json()) for spec in made.specs)
    again = Gate.from_arrays(specs, LAYERS, made.arrays())
    z, _ = blobs(10, 2, K=K)

    assert len(wanted) == 12 == len(specs)
    assert made.specs == again.specs
    assert K == made.classes == again.classes
    assert all(array.dtype == np.float32 for array in made.arrays().values())
    np.testing.assert_array_equal(made(z), again(z), strict=True)


def test_scores_that_are_all_the_same_have_a_scale() -> None:
    """A single held-out item has no spread, and a relative score of one class none either: nothing divides by 0."""
    (z, y), (z_cal, y_cal) = blobs(30, 0), blobs(1, 1)
    single = Gate.fit([("mahalanobis", "output")], LAYERS, z_fit=z, y_fit=y, z_cal=z_cal[:1], y_cal=y_cal[:1])

    for made in (single, gate(("relative-mahalanobis", "pooled"), K=1)):
        assert made.specs[0].scale > 0
        assert np.isfinite(made(z)).all()


def test_layers_lie_one_after_the_other() -> None:
    """In the order of the embedding."""
    layers = (LayerSpec(name="pooled", dim=3), LayerSpec(name="output", dim=2))

    assert layer_slices(EmbeddingSpec(layers=layers, norm="l2")) == LAYERS


def test_the_manifest_knows_the_scores_there_are() -> None:
    """A score is in both lists, or a bundle with it could not be written or not be read."""
    assert set(SCORES) == set(get_args(ScoreSpec.model_fields["score"].annotation))


def spec(score: Any, layer: str) -> ScoreSpec:
    return ScoreSpec(score=score, layer=layer, mean=0, scale=1)


ONE = np.ones((2, 3), np.float32)
TWO = np.ones((2, 2), np.float32)


@pytest.mark.parametrize(
    ("specs", "arrays", "message"),
    [
        (
            [spec("energy", "last")],
            {"0.directions": ONE},
            "uses the layer 'last', which is not in the embedding",
        ),
        ([spec("energy", "pooled")], {}, r"in part 0 \(energy\) has no array directions"),
        ([spec("energy", "pooled")], {"directions": ONE}, r"in part 0 \(energy\) has no array directions"),
        (
            [spec("energy", "pooled")],
            {"0.directions": ONE, "0.means": ONE},
            r"in part 0 \(energy\) has an unknown array 'means'",
        ),
        (
            [spec("energy", "pooled")],
            {"0.directions": ONE, "1.directions": ONE},
            "an unknown array '1.directions'",
        ),
        (
            [spec("energy", "pooled")],
            {"0.directions": ONE, "surprise": ONE},
            "has an unknown array 'surprise'",
        ),
        (
            [spec("energy", "pooled"), spec("mahalanobis", "output")],
            {"0.directions": ONE, "1.means": TWO, "1.whitener": np.eye(2)},
            r"in part 1 \(mahalanobis\) has whitener as float64",
        ),
        (
            [spec("energy", "pooled")],
            {"0.directions": TWO},
            r"in part 0 \(energy\) is for 2 numbers; the layer pooled has 3",
        ),
        (
            [spec("energy", "pooled"), spec("energy", "output")],
            {"0.directions": ONE, "1.directions": np.ones((5, 2), np.float32)},
            "has parts for different numbers of classes",
        ),
    ],
)
def test_what_is_no_such_gate_is_refused(
    specs: Sequence[ScoreSpec], arrays: dict[str, np.ndarray], message: str
) -> None:
    """An unknown layer, a missing, unknown or ill-formed array, another width, other classes: each is named."""
    with pytest.raises(ValueError, match=message):
        Gate.from_arrays(specs, LAYERS, arrays)


def test_the_parts_average_to_the_score() -> None:
    """What each part says, in the order of the specs; of no items, nothing."""
    z, _ = blobs(10, 2)
    whole = gate(("mahalanobis", "pooled"), ("energy", "output"))
    parts = whole.parts(z)

    assert (2, len(z), 3) == parts.shape
    np.testing.assert_allclose(parts.mean(axis=0), whole(z))
    np.testing.assert_array_equal(parts[1], gate(("energy", "output"))(z))
    assert (2, 0, 3) == whole.parts(z[:0]).shape
