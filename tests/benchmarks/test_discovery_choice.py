"""The best point of a grid on design streams wins, and what is too slow is out."""

import numpy as np
import pytest

from benchmarks.discovery_cells import Cell
from benchmarks.discovery_choice import ITEMS, Design, answers_of, choose, time_for
from benchmarks.discovery_entries import Entry, Settings
from benchmarks.discovery_peers import Answers, Steps, TooSlow
from benchmarks.discovery_rbf import Blobs, cell_of, stream_of
from benchmarks.streams import Float64s, Int64s
from service.records import Float32s


@pytest.fixture(scope="module")
def drawn(few_blobs: Blobs) -> Blobs:
    return few_blobs


@pytest.fixture(scope="module")
def cell(drawn: Blobs) -> Cell:
    return cell_of(drawn, rate=0.1)


class Right:
    """Answers a share of the stream's items with the truth, in order, and the others with class 0."""

    def __init__(self, y: Int64s, share: float) -> None:
        self._y = y
        self._right = np.arange(len(y)) < share * len(y)
        self._at = 0

    def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:  # noqa: ARG002
        own = slice(self._at, self._at + len(z))
        self._at += len(z)
        return np.where(self._right[own], self._y[own], 0), np.zeros(len(z))


def entry_of(drawn: Blobs, *, slow: tuple[float, ...] = ()) -> Entry:
    """A peer with one setting, the share of items that it gets right; some of them take for ever."""

    class Slow:
        def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:  # noqa: ARG002
            raise TooSlow

    def make(cell: Cell, settings: Settings) -> Answers:  # noqa: ARG001
        return Slow() if settings["share"] in slow else Right(drawn.stream_y, settings["share"])

    return Entry(name="peer", module="numpy", make=make, grid={"share": (0.2, 1.0, 0.6)})


def test_the_point_with_the_best_macro_f1_is_chosen(cell: Cell, drawn: Blobs) -> None:
    """Whatever its place in the grid."""
    design = Design(cell=cell, stream=stream_of(drawn))

    assert {"share": 1.0} == choose(entry_of(drawn), [design], limit_s=10.0)


def test_a_point_that_takes_too_long_is_out(cell: Cell, drawn: Blobs) -> None:
    """When all do, nothing is chosen."""
    design = Design(cell=cell, stream=stream_of(drawn))

    assert {"share": 0.6} == choose(entry_of(drawn, slow=(1.0,)), [design], limit_s=10.0)
    assert choose(entry_of(drawn, slow=(0.2, 0.6, 1.0)), [design], limit_s=10.0) is None


def test_a_short_stream_has_as_short_a_time(drawn: Blobs) -> None:
    """In proportion: what is too slow for a long stream is too slow for a short one."""
    stream = stream_of(drawn)

    assert time_for(stream, 120.0) == pytest.approx(120.0 * len(stream) / ITEMS)


def test_answers_meet_the_truth_item_by_item(cell: Cell, drawn: Blobs) -> None:
    """A peer that is always right makes no error, and has found both new classes."""
    stream = stream_of(drawn)
    answers = answers_of(Steps(cell, Right(drawn.stream_y, 1.0), limit_s=10.0), cell, stream)

    assert answers.is_right[~answers.is_unseen].all()
    assert ("2", "3") == answers.unseen
    assert [1, 2] == np.unique(answers.cluster[answers.is_unseen]).tolist()
