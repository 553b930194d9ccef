"""Every peer can be made from every point of its grid, and answers; an absent package is said, not an error."""

import numpy as np
import pytest

from benchmarks.discovery_cells import Cell
from benchmarks.discovery_entries import ENTRIES, Entry
from benchmarks.discovery_peers import Steps
from benchmarks.discovery_rbf import Blobs, cell_of


@pytest.fixture(scope="module")
def cell(few_blobs: Blobs) -> Cell:
    """As in test_discovery_peers.py."""
    return cell_of(few_blobs, rate=0.1)


def test_grids_have_some_points_and_names_are_distinct() -> None:
    """Nobody is at a disadvantage by its settings: eight points at least, and no more than are tried in minutes."""
    sizes = [len(list(entry.settings())) for entry in ENTRIES]

    assert min(sizes) >= 8
    assert max(sizes) <= 48
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_first_and_the_last_point_of_each_grid_answer_every_item(entry: Entry, cell: Cell) -> None:
    """Of a stream of a hundred."""
    if not entry.is_installed():
        pytest.skip(f"{entry.module} is not installed: {entry.how}")
    points = list(entry.settings())
    for settings in (points[0], points[-1]):
        steps = Steps(cell, entry.make(cell, settings), limit_s=60.0)
        ids = tuple(map(str, range(100)))
        verdicts = steps.step(cell.z_pool[:100], ids, np.zeros(100)).verdicts

        assert list(ids) == [v.id for v in verdicts]


def test_a_package_that_is_not_there_is_not_measured() -> None:
    """And the entry says how to get it."""
    entry = Entry(name="x", module="no_such_package", how="pip install it", make=ENTRIES[0].make)

    assert not entry.is_installed()
    assert [{}] == list(entry.settings())
