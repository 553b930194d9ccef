"""The map is fixed: where an item lies is told by the bundle and the item alone."""

import numpy as np
import pytest

from model.bundle import KnownArrays
from model.inputs import decode_item
from service.cli.demo import make_stream
from service.embedding import Embedder
from service.overview.landmarks import Landmarks, disc_of
from service.records import Float32s
from tests.service import digits
from tests.service.known_of import known_of


@pytest.fixture(scope="module")
def landmarks() -> Landmarks:
    return Landmarks(digits.bundle().known)


def blobs(K: int, D: int = 6, n: int = 60) -> tuple[KnownArrays, Float32s]:
    """K classes well apart, and their middles."""
    rng = np.random.default_rng(K)
    middles = np.eye(K, D) * 20 if K <= D else rng.normal(size=(K, D)) * 8
    y = np.arange(K).repeat(n)
    z_fit, z_cal = ((middles[y] + rng.normal(size=(K * n, D))).astype(np.float32) for _ in range(2))
    return known_of(z_fit, y, z_cal, y), middles.astype(np.float32)


def test_a_place_depends_on_nothing_but_the_item(landmarks: Landmarks) -> None:
    """Not on the batch, its order, or who made the map: the same to the bit."""
    features = landmarks.features(digits.bundle().known.calibration_embeddings)
    order = np.random.default_rng(0).permutation(len(features))
    whole = landmarks.place(features)
    single = np.concatenate([landmarks.place(features[n : n + 1]) for n in range(60)])

    assert whole[:60].tobytes() == single.tobytes()
    assert whole[order].tobytes() == landmarks.place(features[order]).tobytes()
    assert whole.tobytes() == Landmarks(digits.bundle().known).place(features).tobytes()


def test_classes_stand_apart_around_the_middle(landmarks: Landmarks) -> None:
    """Each disc lies towards its landmark, and no two share a middle."""
    discs = landmarks.discs
    towards = (discs[:, :2] * landmarks.rim).sum(axis=1)
    between = np.sqrt(np.square(discs[:, None, :2] - discs[None, :, :2]).sum(axis=-1))

    assert (towards > 0.4).all()
    assert between[~np.eye(len(discs), dtype=bool)].min() > 2 * np.median(discs[:, 2])


def test_what_is_new_lies_inside_and_outside_the_discs(landmarks: Landmarks) -> None:
    """3s and 7s, which the net never saw: hardly one within a known class's disc, and nearer to the middle."""
    bundle = digits.bundle()
    stream = make_stream(0)
    new = [item["x"] for item in stream.items if stream.truth[item["id"]] in ("3", "7")]
    z = Embedder(bundle, device="cpu", threads=1).embed([decode_item(x, bundle.manifest.input) for x in new])
    places = landmarks.place(landmarks.features(z))
    away = np.sqrt(np.square(places[:, None] - landmarks.discs[None, :, :2]).sum(axis=-1))

    assert (away < landmarks.discs[:, 2]).any(axis=1).mean() < 0.05
    assert np.median(np.hypot(*places.T)) < 0.7 * np.median(np.hypot(*landmarks.discs[:, :2].T))


def test_what_is_like_two_classes_lies_between_them() -> None:
    """And what is far from all of them is drawn to the middle."""
    known, middles = blobs(5)
    landmarks = Landmarks(known)
    halfway, lost = middles[:2].mean(axis=0, keepdims=True), middles[:1] * 0 + 1e4
    between = landmarks.place(landmarks.features(halfway))[0]

    assert np.hypot(*(between - landmarks.rim[:2].mean(axis=0))) < 0.35
    assert np.hypot(*landmarks.place(landmarks.features(lost))[0]) < 0.35


@pytest.mark.parametrize("K", [2, 3, 4, 40])
def test_any_number_of_classes(K: int) -> None:
    """All places are finite and on the map, those of embeddings far beyond any item too."""
    known, middles = blobs(K)
    landmarks = Landmarks(known)
    far = np.concatenate([middles, middles * 1e6, -middles * 1e30, middles * 0]).astype(np.float32)
    places = landmarks.place(landmarks.features(far))

    assert np.isfinite(places).all()
    assert (np.hypot(*places.T) <= 1.0 + 1e-6).all()
    assert np.isfinite(landmarks.discs).all()
    assert (K, 3) == landmarks.discs.shape


def test_no_item_is_no_place(landmarks: Landmarks) -> None:
    """An empty batch is one."""
    assert (0, 2) == landmarks.place(landmarks.features(digits.bundle().known.prototypes[:0])).shape


def test_half_of_them_lie_within_a_disc() -> None:
    """By hand: five on a line."""
    points = np.array([[0, 1], [1, 1], [2, 1], [3, 1], [9, 1]], dtype=np.float32)

    assert [2.0, 1.0, 1.0] == disc_of(points).tolist()
