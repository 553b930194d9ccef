"""The protocol is DeepAligned's: who is known, what is labelled, what is scored; and no label is looked at twice."""

import numpy as np
import pytest
import torch

from benchmarks.discovery_intents import (
    DESIGN_SEEDS,
    GOALS,
    OURS,
    SEEDS,
    TEST,
    VALIDATE,
    MapSettings,
    backlog,
    flattened,
    grouped,
    intents,
    mapped,
    mean_rows,
    scores,
)
from benchmarks.streams import Int64s
from service.records import Float32s

Y = np.repeat(np.arange(20), 150)


def sentences(*, d: int = 160, noise: float = 0.8, seed: int = 0) -> Float32s:
    """An encoder's view of 20 intents: a middle each, and much that has nothing to do with it."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(20, d)) / np.sqrt(d)
    z = middles[Y] + noise * rng.normal(size=(len(Y), d)) / np.sqrt(d)
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def test_the_protocol_divides_as_it_says() -> None:
    """120 an intent to train, a tenth of these labelled where it is known; 15 to test; no item twice."""
    items = backlog(Y, seed=0)
    labelled = np.bincount(Y[items.labelled], minlength=20)
    parts = np.concatenate([items.labelled, items.unlabelled, items.test])

    assert len(items.known) == 15
    assert [12 if k in items.known else 0 for k in range(20)] == labelled.tolist()
    assert [TEST] * 20 == np.bincount(Y[items.test]).tolist()
    assert len(set(parts.tolist())) == len(parts) == 20 * (150 - VALIDATE)


def test_seeds_that_settings_were_chosen_on_are_not_reported() -> None:
    """Three or more of these."""
    assert set(SEEDS).isdisjoint(DESIGN_SEEDS)
    assert len(SEEDS) >= 3


def test_another_seed_knows_other_intents() -> None:
    """And the same seed the same."""
    one, again, other = (backlog(Y, seed=seed) for seed in (0, 0, 1))

    assert np.array_equal(one.labelled, again.labelled)
    assert not np.array_equal(one.known, other.known)


def test_the_map_brings_items_of_a_known_class_together_and_keeps_their_length() -> None:
    """Items of a class are more alike than before, also those whose label it has not seen."""
    z = sentences()
    items = backlog(Y, seed=0)
    settings = MapSettings(epochs=20, batch=64)
    bent = mapped(z, items.labelled, np.searchsorted(items.known, Y[items.labelled]), settings, seed=0)

    def alike(z: Float32s) -> float:
        """Mean cosine of test items of a class over that of all."""
        test = items.test[np.isin(Y[items.test], items.known)]
        cosines, same = z[test] @ z[test].T, Y[test][:, None] == Y[test]
        return float(cosines[same].mean() - cosines[~same].mean())

    assert np.linalg.norm(bent, axis=1) == pytest.approx(np.ones(len(z)), abs=1e-5)
    assert alike(bent) > alike(z) + 0.05


def test_the_same_seed_gives_the_same_map() -> None:
    """To the bit, and torch's own generator is left where it was."""
    z = sentences()[::10]
    rows, classes = np.arange(0, 150), Y[::10][:150]
    state = torch.get_rng_state()
    one, again = (mapped(z, rows, classes, MapSettings(epochs=4), seed=0) for _ in range(2))

    assert np.array_equal(one, again)
    assert torch.equal(state, torch.get_rng_state())


def test_test_items_are_grouped_by_centres_of_others() -> None:
    """Where intents are apart the partition is right, and shuffling test labels changes no answer."""
    z = sentences(noise=0.3)
    items = backlog(Y, seed=0)
    found = grouped(z, Y, items, k=20, seed=0)
    moved = Y.copy()
    moved[items.test] = np.random.default_rng(0).permutation(moved[items.test])

    assert scores(Y[items.test], found, items.known)["acc"] == 1.0
    assert np.array_equal(found, grouped(z, moved, items, k=20, seed=0))


def test_leading_directions_keep_what_lies_in_them() -> None:
    """Cosines are the same where nothing is left out."""
    z = sentences()[:200]
    rank = flattened(z, 160)

    assert rank @ rank.T == pytest.approx(z @ z.T, abs=1e-4)


def test_unseen_intents_are_scored_by_themselves_too() -> None:
    """On paper: two known intents in one cluster, two unseen ones apart."""
    y: Int64s = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    found: Int64s = np.array([5, 5, 5, 5, 6, 6, 7, 7])
    result = scores(y, found, np.array([0, 1]))

    assert (0.75, 1.0, 1.0) == (result["acc"], result["acc_unseen"], result["nmi_unseen"])


def test_goals_are_columns() -> None:
    """Over all intents, and over the unseen ones: the goal can be read either way."""
    (row, *_) = intents(sentences(), Y, seeds=(0,), settings=MapSettings(epochs=1))

    assert {"acc", "nmi", "acc_unseen", "nmi_unseen"} == {goal.figure for goal in GOALS} <= set(row)


def test_rows_are_means_over_seeds_and_published_ones_stand_below() -> None:
    """Ours first, with its parts taken away one by one."""
    rows = intents(sentences(), Y, seeds=(0, 1), settings=MapSettings(epochs=2))
    means = mean_rows(rows)

    assert OURS == means[0]["method"]
    assert means[0]["acc"] == pytest.approx(np.mean([r["acc"] for r in rows if r["method"] == OURS]))
    assert "DeepAligned" in means[-2]["method"]
    assert all(set(row) == set(means[0]) for row in means)
