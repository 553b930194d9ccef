"""Benchmarks train as users do."""

from pathlib import Path

from benchmarks.training import train_digits
from model.bundle import read_bundle


def test_the_bundle_is_as_asked_for(tmp_path: Path) -> None:
    """Held-out classes are not among its labels; passes and seed are those given."""
    train_digits(tmp_path / "bundle", hold_out=("1", "5"), seed=4, epochs=1)

    manifest = read_bundle(tmp_path / "bundle").manifest
    assert tuple("02346789") == manifest.labels
    assert (4, 1) == (manifest.config["seed"], manifest.config["epochs"])
