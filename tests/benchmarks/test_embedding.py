"""The comparison of runtimes measures each that can be had, on nets that give their own golden embeddings."""

from pathlib import Path

import numpy as np

from benchmarks.embedding import measured, untrained
from model.bundle import check_golden, read_bundle
from service.embedding.torch_cpu import TorchCpu


def test_a_net_of_chance_gives_its_golden_embeddings(bundle_dir: Path) -> None:
    """So that every runtime can be checked on it."""
    photos = untrained(read_bundle(bundle_dir), side=16, channels=2, hidden=4, output_dim=3)

    assert check_golden(photos, TorchCpu(photos, threads=1).embed) < 1e-4
    assert (16, 11) == photos.golden.embeddings.shape


def test_every_runtime_has_a_row_for_each_size(bundle_dir: Path) -> None:
    """Positive rates, and next to nothing off."""
    rows = measured(read_bundle(bundle_dir), sizes=(1, 3), runs=1, compiled=False)

    assert {("cpu, torch", 1), ("cpu, torch", 3)} <= {(row["runtime"], row["items a call"]) for row in rows}
    assert all(row["items/s"] > 0 and row["off"] < 1e-2 for row in rows)
    np.testing.assert_allclose(
        [row["items/s"] * row["ms a call"] / 1e3 for row in rows], [1, 3] * (len(rows) // 2)
    )
