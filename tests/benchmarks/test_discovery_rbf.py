"""The protocol is the README's, item by item, and both ways to count are what they say."""

import numpy as np
import pytest
from river.datasets import synth

from benchmarks import discovery_rbf
from benchmarks.discovery_rbf import (
    KNOWN,
    PUBLISHED,
    SEED,
    STREAM,
    Blobs,
    InOrder,
    bayes,
    blobs,
    cell_of,
    figures,
    rbf,
    stream_of,
)
from benchmarks.streams import Float64s, Int64s
from model.calibrate import default_gate


class Says:
    """A detector that answers everything with one number."""

    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.learnt = 0

    def learn_many(self, x: Float64s, y: Int64s) -> None:
        self.learnt = len(x)
        assert set(y.tolist()) == {0, 1}

    def predict_many(self, x: Float64s) -> Int64s:
        return np.full(len(x), self.answer, dtype=np.int64)


def test_the_stream_is_the_one_in_the_readme() -> None:
    """Known items until there are 1,000, all others thrown away; then 5,000 of all classes, none left out."""
    training: list[tuple[list[float], int]] = []
    stream: list[tuple[list[float], int]] = []
    source = synth.RandomRBF(seed_model=SEED, seed_sample=SEED, n_classes=4, n_features=5, n_centroids=10)
    for x, y in source.take(60_000):
        if len(training) < 1000:
            if y in (0, 1):
                training.append((list(x.values()), y))
        elif len(stream) < STREAM:
            stream.append((list(x.values()), y))
        else:
            break
    drawn = blobs(SEED)

    assert np.array_equal(np.array([x for x, _ in training]), drawn.x)
    assert [y for _, y in training] == drawn.y.tolist()
    assert np.array_equal(np.array([x for x, _ in stream]), drawn.stream_x)
    assert [y for _, y in stream] == drawn.stream_y.tolist()


def test_the_same_rows_come_in_the_same_order(few_blobs: Blobs) -> None:
    """Nothing is drawn anew; the new classes are there from the first item on."""
    stream = stream_of(few_blobs)

    assert list(range(200)) == stream.rows.tolist()
    assert [str(y) for y in few_blobs.stream_y.tolist()] == list(stream.truth)
    assert {(0, 200)} == {arrival.spans[0] for arrival in stream.schedule.arrivals}


@pytest.mark.parametrize(("answer", "mnew_flag", "fnew", "mnew"), [(-1, 0.0, 1.0, 1.0), (0, 1.0, 0.0, 1.0)])
def test_calling_everything_unknown_pays_only_where_peers_count(
    answer: int, mnew_flag: float, fnew: float, mnew: float, few_blobs: Blobs
) -> None:
    """Their Mnew is then 0, ours 1; calling everything known misses all in both."""
    detector = Says(answer)
    cell = cell_of(few_blobs, rate=0.1)
    found = figures(InOrder(detector, few_blobs), cell, stream_of(few_blobs))

    assert (mnew_flag, fnew, mnew) == (found["mnew_flag"], found["fnew"], found["mnew"])
    assert detector.learnt == 400


def test_errors_are_weighed_by_items(few_blobs: Blobs) -> None:
    """Err of "everything is class 0": new items and those of class 1."""
    found = figures(InOrder(Says(0), few_blobs), cell_of(few_blobs, rate=0.1), stream_of(few_blobs))

    assert float((few_blobs.stream_y != 0).mean()) == pytest.approx(found["err_flag"])


def test_nobody_can_be_expected_to_be_below_who_knows_the_generator() -> None:
    """On the README's stream .134; taking everything for known has an Err of .264 at the least."""
    drawn = blobs(SEED)

    assert bayes(SEED, drawn) == pytest.approx(0.134, abs=5e-4)
    assert float((drawn.stream_y > 1).mean()) == pytest.approx(0.264, abs=5e-4)


def test_the_embedding_is_made_of_known_items_alone_and_is_frozen(few_blobs: Blobs) -> None:
    """Other stream items change nothing of what is calibrated; both parts have the same say."""
    cell = cell_of(few_blobs, rate=0.1)
    z = np.concatenate([cell.z_fit, cell.known.calibration_embeddings])

    assert KNOWN == cell.labels
    assert z[:, :5].mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-5)
    assert np.square(z[:, :5]).sum(axis=1).mean() == pytest.approx(5.0, rel=1e-4)
    assert np.square(z[:, 5:]).sum(axis=1).mean() == pytest.approx(5.0, rel=0.1)


def test_published_figures_have_the_columns_of_ours(few_blobs: Blobs) -> None:
    """They are rows of one table."""
    ours = figures(InOrder(Says(0), few_blobs), cell_of(few_blobs, rate=0.1), stream_of(few_blobs))

    assert [set(row) for row in PUBLISHED] == [{"method", *ours}] * 3


def test_the_gate_is_the_one_that_ships(few_blobs: Blobs) -> None:
    """Of both layers, by the trainer's own choice."""
    specs = cell_of(few_blobs, rate=0.1).known.gate.specs

    assert default_gate(("raw", "fourier")) == tuple((spec.score, spec.layer) for spec in specs)


def test_what_the_shipped_rate_gives_stands_beside_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, where it is the one that was chosen."""
    monkeypatch.setattr(discovery_rbf, "ours", lambda _, rate: {"err_flag": rate})
    monkeypatch.setattr(discovery_rbf, "DESIGN_SEEDS", (13,))
    chosen = [row["method"] for row in rbf(peers=False)]
    monkeypatch.setattr(discovery_rbf, "choose_rate", lambda _: 0.05)
    both = [row["method"] for row in rbf(peers=False)]

    assert ["firstseen at 0.02, as it ships"] == chosen
    assert ["firstseen at 0.05", "firstseen at 0.02, as it ships"] == both
