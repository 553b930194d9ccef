"""The sweep over the clusterer's settings replays one stream under each."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cluster_space import SHIPPED, Sizes, in_space, params_of, replay
from model.bundle import read_bundle
from model.datasets import load_dataset
from model.datasets.split import split
from model.inputs import scale
from model.networks import embed_items, load_embedder
from model.train import known_classes
from service.clustering.cluster_space import ClusterSpace
from service.clustering.params import EngineParams


def test_the_first_setting_is_what_a_user_of_the_bundle_gets(bundle_dir: Path) -> None:
    """The radius that its rehearsal found, and the space that its trainer made, of the same layers: to rounding."""
    bundle = read_bundle(bundle_dir)
    data = load_dataset("digits", data_dir=None)
    parts = split(data, ("3", "7"), seed=0)
    z = embed_items(load_embedder(bundle), scale(data.x[parts.fit], data.input))
    C, radius, alpha = Sizes().settings[0]
    known = in_space(bundle, z, known_classes(data, parts.fit)[1], C=C)
    params = params_of(bundle, radius=radius, alpha=alpha)

    def apart(space: ClusterSpace) -> np.ndarray:
        """Distances of some items: no sign of an axis matters to the clusterer."""
        x = space.project(z[:60])
        return np.linalg.norm(x[:, None] - x, axis=2)

    assert bundle.manifest.calibration.cluster_dim == known.cluster_projection.shape[1]
    assert apart(ClusterSpace(bundle.known)) == pytest.approx(apart(ClusterSpace(known)), rel=1e-3, abs=1e-3)
    assert bundle.manifest.calibration.cluster_radius == params.clustering_threshold
    assert EngineParams().intersection_factor == params.intersection_factor


def test_a_radius_no_item_fits_into_finds_nothing(bundle_dir: Path) -> None:
    """And the gates say the same as under any other setting, but for what clusters claim."""
    data = load_dataset("digits", data_dir=None)
    pair = ("3", "7")
    parts = split(data, pair, seed=0)
    bundle = read_bundle(bundle_dir)

    shipped, _ = replay(bundle, data, parts, pair, setting=SHIPPED, seed=0)
    tiny, purity = replay(bundle, data, parts, pair, setting=(8, 1e-6, 0.3), seed=0)

    assert tiny.clusters_announced == 0
    assert purity == 0.0
    assert tiny.known_accuracy == shipped.known_accuracy
    assert 0.8 < tiny.unseen_caught < shipped.unseen_caught
