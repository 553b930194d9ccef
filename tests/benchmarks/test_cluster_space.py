"""The sweep over the clusterer's settings replays one stream under each."""

from pathlib import Path

from benchmarks.cluster_space import SHIPPED, Sizes, replay
from model.bundle import read_bundle
from model.datasets import load_dataset
from model.datasets.split import split


def test_the_first_setting_is_the_one_that_is_shipped() -> None:
    """So that the table always shows what users get."""
    assert Sizes().settings[0] == SHIPPED


def test_a_radius_no_item_fits_into_finds_nothing(bundle_dir: Path) -> None:
    """And the known gate, which the sweep does not touch, says the same as under any other setting."""
    data = load_dataset("digits", data_dir=None)
    pair = ("3", "7")
    parts = split(data, pair, seed=0)
    bundle = read_bundle(bundle_dir)

    shipped, _ = replay(bundle, data, parts, pair, setting=SHIPPED, seed=0)
    tiny, purity = replay(bundle, data, parts, pair, setting=(8, 1e-6, 0.3), seed=0)

    assert tiny.clusters_announced == 0
    assert purity == 0.0
    assert tiny.known_accuracy == shipped.known_accuracy
    assert tiny.unseen_caught == shipped.unseen_caught
