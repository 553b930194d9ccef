"""A cell is what its bundle says, of items that no training saw; a kept one is not trained again."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import discovery_cells
from benchmarks.discovery_cells import Cell, key_of, labels_of, parts_of, trained
from model.bundle import read_bundle
from model.config import TrainConfig
from model.datasets import load_dataset
from model.networks import load_embedder

CONFIG = TrainConfig(dataset="digits", hold_out=("3", "7", "9"), epochs=2, threads=1, seed=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def cell(cache: Path) -> Cell:
    """Digits without 3, 7 and 9, of which 9 never comes."""
    return trained(CONFIG, data_dir=None, cache=cache, apart=("9",))


def test_a_kept_cell_is_not_trained_again(cell: Cell, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read, and is the same."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(discovery_cells, "train_bundle", refuse)
    again = trained(CONFIG, data_dir=None, cache=cache, apart=("9",))

    assert np.array_equal(cell.z_pool, again.z_pool)
    assert cell.pool == again.pool
    assert cell.made["seconds"] > 0.0


def test_another_configuration_has_another_place() -> None:
    """Any field counts."""
    assert key_of(CONFIG) == key_of(dataclasses.replace(CONFIG))
    assert key_of(CONFIG) != key_of(dataclasses.replace(CONFIG, seed=2))


def test_the_pool_has_what_training_has_not_seen(cell: Cell) -> None:
    """All unseen items, a quarter of the known ones; and the parts are the trainer's own, none twice."""
    data = load_dataset("digits", data_dir=None)
    parts = parts_of(CONFIG, data)
    rows = [set(own.tolist()) for _, own, _ in parts.values()]

    assert len(data.y) == sum(map(len, rows)) == len(set().union(*rows))
    assert ("3", "7") == cell.unseen
    assert len(cell.pool) == len(parts["fresh"][1]) + len(parts["unseen"][1])
    assert Counter(cell.pool)["3"] == int((data.y == data.labels.index("3")).sum())
    assert {"3", "7", "9"}.isdisjoint(cell.labels)


def test_embeddings_and_gate_are_the_bundles(cell: Cell, cache: Path) -> None:
    """At the rate of calibration, about that share of calibration's own kind is refused."""
    bundle = read_bundle(cache / key_of(CONFIG) / "bundle")
    nearest, p = cell.p(cell.z_pool)
    known = np.array([label in cell.labels for label in cell.pool])

    assert cell.z_pool.shape[1] == load_embedder(bundle).dim == bundle.manifest.embedding.dim
    assert bundle.manifest.labels == cell.labels
    assert (p[known] <= 0.1).mean() < 0.2 < (p[~known] <= 0.1).mean()
    assert nearest.max() < len(cell.labels)
    assert cell.space(cell.z_pool[:3]).shape == (3, bundle.manifest.calibration.cluster_dim)


def test_the_gate_of_peers_is_the_one_that_the_engine_begins_with(cell: Cell) -> None:
    """Item by item the same class, the same p and the same decision: nobody gets a weaker gate than ours."""
    nearest, p = cell.p(cell.z_pool)
    ids = tuple(map(str, range(len(cell.pool))))
    said = cell.engine().decide(cell.z_pool, ids, np.zeros(len(ids)))  # type: ignore[attr-defined]

    assert np.array_equal(said.nearest, nearest)
    assert np.array_equal(said.novelty, 1.0 - p)
    assert np.array_equal(said.accepted, p > cell.params.known_error_rate)


def test_the_gate_refuses_the_share_that_it_was_asked_to(cell: Cell) -> None:
    """Of held-out known items, at every rate, to one item: the largest of many p-values alone would refuse fewer."""
    _, p = cell.p(cell.known.calibration_embeddings)

    for rate in (0.05, 0.1, 0.2):
        assert rate - 0.02 <= float((p <= rate).mean()) <= rate + 0.02


def test_no_item_is_asked_of_an_empty_batch(cell: Cell) -> None:
    """No answer, no error."""
    nearest, p = cell.p(cell.z_pool[:0])

    assert (0, 0) == (len(nearest), len(p))


def test_streams_are_drawn_from_the_pool(cell: Cell) -> None:
    """Known items and arriving classes, each item once; what stands apart never comes; a null stream has no new."""
    stream = cell.stream(seed=0, length=400)
    nothing = cell.stream(seed=0, length=300, null=True)

    assert [cell.pool[row] for row in stream.rows.tolist()] == list(stream.truth)
    assert len(set(stream.rows.tolist())) == len(stream)
    assert {"3", "7"} == set(stream.truth) - set(cell.labels)
    assert set(nothing.truth) <= set(cell.labels)
    assert () == nothing.schedule.arrivals


def test_some_of_the_unseen_classes_arrive_and_the_seed_says_which(cell: Cell) -> None:
    """In an order of its own."""
    arriving = {
        tuple(a.label for a in cell.stream(seed=seed, length=300, arriving=1).schedule.arrivals)
        for seed in range(8)
    }

    assert {("3",), ("7",)} == arriving


def test_the_engine_answers_every_item(cell: Cell) -> None:
    """As it ships, and changed."""
    ids = tuple(map(str, range(50)))
    for changes in discovery_cells.VARIANTS.values():
        result = cell.engine(**changes).step(cell.z_pool[:50], ids, np.arange(50.0))
        assert list(ids) == [v.id for v in result.verdicts]


def test_the_classes_of_a_data_set_are_known_before_training() -> None:
    """Splits are drawn from them."""
    assert tuple("0123456789") == labels_of(CONFIG, data_dir=None)
