"""Leaving known classes out: which, from what, and what is chosen by it."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.calibrate import wanted_gate
from model.config import TrainConfig
from model.datasets import LabelledData
from model.evaluate import auroc
from model.inputs import ImageInput, TableColumn, TableInput, TextInput
from model.leave_out import STOPS, Fold, Jury, choose, folds, joined, jury_of, measure
from model.networks import Network
from model.scores import Gate, LayerSlice

QUICK = TrainConfig(epochs=5, augment=False, threads=1, batch_size=32)
TINY = ImageInput(shape=(1, 4, 4), minimum=0, maximum=1)


def silent(stage: str, done: int, total: int, note: str) -> None:
    """Take a report and keep nothing."""


def blobs(counts: list[int], *, seed: int = 0) -> LabelledData:
    """Images of 16 pixels in classes of these sizes, each a blob around a random place."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    x = 0.5 + 0.2 * rng.normal(size=(len(counts), 16))[y] + 0.03 * rng.normal(size=(len(y), 16))
    return LabelledData(
        name="blobs",
        input=TINY,
        x=x.clip(0, 1).astype(np.float32).reshape(-1, *TINY.shape),
        y=y,
        labels=tuple("abcdefghijklmnopqrstuvwxyz"[: len(counts)]),
        source="drawn",
    )


def everything(data: LabelledData) -> np.ndarray:
    return np.arange(len(data.y))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=14), st.integers(1, 6), st.integers(0, 50))
def test_a_fold_parts_items_of_large_enough_classes(counts: list[int], number: int, seed: int) -> None:
    """All items of such classes, each once: two thirds and one third of those kept, all of those left out."""
    data = blobs(counts)
    enough = [k for k, n in enumerate(counts) if n >= 12]
    made = folds(data, everything(data), count=number, seed=seed)

    assert (number if len(enough) >= 5 else 0) == len(made)
    for fold in made:
        parts = fold.split
        together = np.concatenate([parts.fit, parts.fresh, parts.unseen])
        assert np.flatnonzero(np.isin(data.y, enough)).tolist() == sorted(together.tolist())
        assert len(parts.calibrate) == 0
        assert fold.left_out == tuple(data.labels[k] for k in np.unique(data.y[parts.unseen]))
        for k in set(enough) - set(data.y[parts.unseen].tolist()):
            assert -(-2 * counts[k] // 3) == (data.y[parts.fit] == k).sum()
            assert counts[k] // 3 == (data.y[parts.fresh] == k).sum()


@pytest.mark.parametrize(
    ("known", "size"), [(5, 1), (6, 2), (7, 2), (8, 2), (10, 2), (12, 3), (20, 5), (26, 6)]
)
def test_about_a_quarter_of_the_classes_is_left_out(known: int, size: int) -> None:
    """And two at least, once six are known, so that they can be told from each other."""
    data = blobs([12] * known)

    assert {size} == {len(fold.left_out) for fold in folds(data, everything(data), count=3, seed=0)}


@pytest.mark.parametrize("known", [5, 6, 7, 8, 11])
def test_no_class_is_left_out_twice_before_all_were_once(known: int) -> None:
    """After any number of folds, the classes' turns differ by one at most."""
    data = blobs([12] * known)
    made = folds(data, everything(data), count=9, seed=3)
    turns = dict.fromkeys(data.labels, 0)
    for fold in made:
        assert len(set(fold.left_out)) == len(fold.left_out)
        for label in fold.left_out:
            turns[label] += 1
        assert max(turns.values()) - min(turns.values()) <= 1


def test_the_seed_decides_the_folds() -> None:
    """The same seed leaves the same classes out, another others."""
    data = blobs([15] * 12)
    first, again, other = (folds(data, everything(data), count=2, seed=seed) for seed in (1, 1, 2))

    assert [fold.left_out for fold in first] == [fold.left_out for fold in again]
    assert first[0].split.fit.tolist() == again[0].split.fit.tolist()
    assert [fold.left_out for fold in first] != [fold.left_out for fold in other]


def test_only_the_given_items_take_part() -> None:
    """Items that are for calibration or for honest figures are in no fold."""
    data = blobs([40] * 6)
    items = np.random.default_rng(0).permutation(len(data.y))[:150]
    for fold in folds(data, items, count=3, seed=0):
        parts = fold.split
        assert set(np.concatenate([parts.fit, parts.fresh, parts.unseen]).tolist()) <= set(items.tolist())


class Told(Network):
    """A net whose layers are halves of its input: the first tells classes, the second is the same for all."""

    def __init__(self) -> None:
        super().__init__({"penultimate": 2, "output": 2})
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def layers(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"penultimate": x[:, :2] + self.bias, "output": x[:, 2:]}


def jury(centres: dict[str, list[tuple[float, float]]]) -> Jury:
    """Twenty items around each centre, in the first two of four numbers; the others are noise."""
    rng = np.random.default_rng(0)
    rows, classes, ends = [], [], [0]
    for kind in ("fit", "fresh", "unseen"):
        for k, centre in enumerate(centres[kind]):
            rows.append(np.hstack([rng.normal(size=(20, 2)) + centre, rng.normal(size=(20, 2))]))
            classes += [k] * 20
        ends.append(20 * sum(map(len, (centres[name] for name in ("fit", "fresh", "unseen")[: len(ends)]))))
    return Jury(
        items=np.concatenate(rows).astype(np.float32),
        y=np.array(classes, dtype=np.int64),
        fit=slice(ends[0], ends[1]),
        fresh=slice(ends[1], ends[2]),
        unseen=slice(ends[2], ends[3]),
    )


def looking(*layers: str) -> TrainConfig:
    """A run whose embedding is these layers as they are."""
    return TrainConfig(layers=layers, norm="none", cluster_dim=2)


KNOWN = [(0.0, 0.0), (20.0, 0.0), (0.0, 20.0)]


def test_far_classes_are_told_and_come_apart_in_the_layer_that_sees_them() -> None:
    """Two far classes score 1 and 1 where they can be seen, and a guess where they cannot."""
    far = jury({"fit": KNOWN, "fresh": KNOWN, "unseen": [(60.0, 60.0), (60.0, -60.0)]})
    seen, blind = measure(Told().eval(), far, [looking("penultimate"), looking("output")])

    assert (seen.auroc, seen.cluster_accuracy) == (1.0, 1.0)
    assert blind.auroc == pytest.approx(0.5, abs=0.15)
    assert blind.cluster_accuracy is not None
    assert blind.cluster_accuracy < 0.8


def test_a_single_left_out_class_has_nothing_to_come_apart_from() -> None:
    """Its cluster accuracy is None."""
    far = jury({"fit": KNOWN, "fresh": KNOWN, "unseen": [(60.0, 60.0)]})

    assert measure(Told().eval(), far, [looking("penultimate")])[0].cluster_accuracy is None


def test_the_gate_that_is_asked_for_judges() -> None:
    """A score on the blind layer alone guesses, though the embedding has the one that sees; clusters stay."""
    far = jury({"fit": KNOWN, "fresh": KNOWN, "unseen": [(60.0, 60.0), (60.0, -60.0)]})
    both = looking("penultimate", "output")
    blind = dataclasses.replace(both, gate=("mahalanobis:output",))
    seen, guessed = measure(Told().eval(), far, [both, blind])

    assert seen.auroc == 1
    assert guessed.auroc == pytest.approx(0.5, abs=0.15)
    assert seen.cluster_accuracy == guessed.cluster_accuracy


@pytest.mark.parametrize("norm", ["l2", "none"])
@pytest.mark.parametrize("gate", [(), ("energy:output",), ("mahalanobis", "centre-radius:penultimate")])
def test_the_gate_that_judges_is_the_one_a_bundle_would_have(gate: tuple[str, ...], norm: str) -> None:
    """Fitted to the joined embedding, all parts at once; among other candidates and alone."""
    near = jury({"fit": KNOWN, "fresh": KNOWN, "unseen": [(3.0, 3.0), (9.0, -9.0)]})
    asked = dataclasses.replace(looking("penultimate", "output"), gate=gate, norm=norm)
    other = dataclasses.replace(looking("output"), gate=("mahalanobis",), norm=norm)
    net = Told().eval()
    out = {name: part.detach().numpy() for name, part in net.layers(torch.from_numpy(near.items)).items()}
    z = joined([out["penultimate"], out["output"]], norm=norm)
    whole = Gate.fit(
        wanted_gate(gate, ("penultimate", "output")),
        [LayerSlice(name="penultimate", start=0, stop=2), LayerSlice(name="output", start=2, stop=4)],
        z_fit=z[near.fit],
        y_fit=near.y[near.fit],
        z_cal=z[near.fresh],
        y_cal=near.y[near.fresh],
    )

    expected = auroc(whole(z[near.fresh]).min(1), whole(z[near.unseen]).min(1))
    assert 0.3 < expected < 1
    assert [expected, expected] == [
        measure(net, near, [*before, asked])[-1].auroc for before in ((), (other,))
    ]


def test_joined_layers_stand_side_by_side_each_of_length_one() -> None:
    """With norm l2 no layer outweighs another; without, they are as they are; a zero row stays one."""
    first = np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    second = np.array([[10.0], [2.0]], dtype=np.float32)

    np.testing.assert_allclose(joined([first, second], norm="l2"), [[0.6, 0.8, 1], [0, 0, 1]], atol=1e-7)
    np.testing.assert_array_equal(joined([first, second], norm="none"), [[3, 4, 10], [0, 0, 2]])
    assert joined([first, second], norm="l2").dtype == np.float32


def test_a_jury_is_the_items_of_the_fold() -> None:
    """Rows are fitted, fresh and unseen items, scaled, their classes numbered among themselves."""
    data = blobs([30] * 8)
    fold = folds(data, everything(data), count=1, seed=0)[0]
    called = jury_of(data, fold)

    np.testing.assert_array_equal(data.x[fold.split.unseen], called.items[called.unseen])
    np.testing.assert_array_equal(data.x[fold.split.fit], called.items[called.fit])
    assert set(called.y[called.fresh].tolist()) == set(range(6))
    assert set(called.y[called.unseen].tolist()) == {0, 1}


def test_no_class_of_a_fold_is_missing_from_its_jury(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only some items are called, rare classes keep their number and at least one item of each kind."""
    monkeypatch.setattr("model.leave_out._MOST_ITEMS", 60)
    data = blobs([12, 400, 12, 400, 400, 400])
    fold = folds(data, everything(data), count=1, seed=0)[0]
    called = jury_of(data, fold)
    classes = np.unique(data.y[fold.split.fit])

    assert len(called.y) < 3 * 66
    for part in (called.fit, called.fresh):
        assert set(range(len(classes))) == set(called.y[part].tolist())
        for item, k in zip(np.asarray(called.items)[part], called.y[part], strict=True):
            assert (data.x[data.y == classes[k]] == item).all((1, 2, 3)).any()


def test_classes_of_texts_are_left_out_like_any_others() -> None:
    """A net whose items are no arrays is trained, measured and chosen in the same way."""
    rng = np.random.default_rng(0)
    words = [[f"{stem}{n}" for n in range(4)] for stem in ("ape", "bee", "cow", "dog", "elk", "fox")]
    texts = [" ".join(rng.choice(words[k], 6)) for k in range(6) for _ in range(20)]
    data = LabelledData(
        name="texts",
        input=TextInput(),
        x=np.array(texts, dtype=np.dtypes.StringDType()),
        y=np.repeat(np.arange(6), 20),
        labels=tuple("abcdef"),
        source="drawn",
    )
    run = TrainConfig(network="tfidf", embedding_dim=8, epochs=2, threads=1, batch_size=16)
    choice = choose(
        [run, dataclasses.replace(run, layers=("features",))], data, everything(data), silent, count=1
    )

    assert 2 == len(choice.tried)
    assert choice.tried[0].auroc > 0.9
    assert choice.tried[1].auroc > 0.9


def hidden(seed: int = 0) -> LabelledData:
    """Eight classes at the corners of a small cube, among pixels that vary much more and mean nothing."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(8), 40)
    corners = np.array([[k >> bit & 1 for bit in range(3)] for k in range(8)], dtype=float)
    informative = 0.3 + 0.4 * corners[y] + 0.02 * rng.normal(size=(len(y), 3))
    x = np.hstack([informative, rng.uniform(size=(len(y), 13))]).clip(0, 1)
    return LabelledData(
        name="hidden",
        input=TINY,
        x=x.astype(np.float32).reshape(-1, *TINY.shape),
        y=y,
        labels=tuple("abcdefgh"),
        source="drawn",
    )


def test_the_run_under_which_left_out_classes_are_met_best_is_chosen() -> None:
    """A net that learns what tells classes apart beats one that hardly moves, though that is preferred."""
    data = hidden()
    idle = dataclasses.replace(QUICK, epochs=8, learning_rate=1e-9)
    learns = dataclasses.replace(QUICK, epochs=8)
    choice = choose([idle, learns], data, everything(data), silent, count=2)

    assert learns == dataclasses.replace(choice.winner, stop_at=1.0)
    assert choice.expected is not None
    assert choice.expected.value > choice.tried[0].value + 0.05
    assert 2 == len(choice.left_out) == len(choice.tried[0].met)
    assert any("is best" in reason for reason in choice.reasons)


def test_the_choice_is_the_same_again_and_sees_no_other_items() -> None:
    """It repeats to the last digit, and does not change with items that it was not given."""
    data = blobs([40] * 6)
    items = np.random.default_rng(0).permutation(len(data.y))[:160]
    candidates = [QUICK, dataclasses.replace(QUICK, objective="supcon")]
    first = choose(candidates, data, items, silent, count=2)
    x = data.x.copy()
    x[np.setdiff1d(everything(data), items)] = 0.5

    assert first == choose(candidates, dataclasses.replace(data, x=x), items, silent, count=2)


def test_runs_that_differ_in_the_embedding_share_a_training() -> None:
    """Three ways to look at a net cost the epochs of one run in each fold; progress counts them to the end."""
    data = blobs([20] * 6)
    looks = [
        QUICK,
        dataclasses.replace(QUICK, layers=("output",), norm="none"),
        dataclasses.replace(QUICK, gate=("energy",)),
    ]
    reports: list[tuple[str, int, int, str]] = []
    choice = choose(
        looks, data, everything(data), lambda *report: reports.append(report), count=2, effort=0.6
    )

    assert [("choose", done + 1, 6) for done in range(6)] == [report[:3] for report in reports[:-1]]
    assert reports[0][3] == "fold 1 of 2, proxy-anchor"
    assert ("choose", 6, 6) == reports[-1][:3]
    assert reports[-1][3].startswith("took ")
    assert looks == [tried.config for tried in choice.tried]


def test_the_winners_training_is_measured_along_its_schedule() -> None:
    """All stops are there, the whole schedule first; the winner is one of them."""
    data = blobs([20] * 6)
    choice = choose([QUICK], data, everything(data), silent, count=2)

    assert sorted(STOPS, reverse=True) == [tried.config.stop_at for tried in choice.stops]
    assert choice.expected in choice.stops
    assert choice.expected is not None
    assert choice.expected.config == choice.winner


def test_stops_that_fall_on_one_epoch_are_one() -> None:
    """A fold's run of two epochs can stop after the first or the second."""
    data = blobs([20] * 6)
    run = dataclasses.replace(QUICK, epochs=2)
    choice = choose([run], data, everything(data), silent, count=1)

    assert [1.0, 0.6] == [tried.config.stop_at for tried in choice.stops]


def texts() -> LabelledData:
    """Six classes of texts, told by which verb goes with which thing, among words that mean nothing."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(6), 20)
    verbs, things, fillers = (
        ("play", "find", "stop"),
        ("music", "card"),
        ("please", "now", "the", "some", "my", "hi"),
    )
    column = [f"{verbs[k // 2]} {' '.join(rng.choice(fillers, size=2))} {things[k % 2]}" for k in y]
    return LabelledData(
        name="texts",
        input=TextInput(max_characters=200),
        x=np.array(column, dtype=np.dtypes.StringDType()),
        y=y,
        labels=tuple("abcdef"),
        source="drawn",
    )


def rows() -> LabelledData:
    """Six classes of rows, told by a number and a category; some cells are missing."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(6), 20)
    x = np.column_stack([y // 2 + 0.1 * rng.normal(size=len(y)), y % 2]).astype(np.float32)
    x[::9, 0] = np.nan
    size = TableColumn(name="size", kind="number")
    kind = TableColumn(name="kind", kind="category", values=("a", "b"))
    return LabelledData(
        name="rows", input=TableInput(columns=(size, kind)), x=x, y=y, labels=tuple("abcdef"), source="drawn"
    )


@pytest.mark.parametrize(("data", "network"), [(texts(), "tfidf"), (rows(), "table")], ids=["texts", "rows"])
@pytest.mark.parametrize("auxiliary", ["none", "two-views"])
def test_texts_and_tables_are_left_out_like_images(data: LabelledData, network: str, auxiliary: str) -> None:
    """The same choice is made of any kind of item, with the auxiliary and without."""
    run = TrainConfig(network=network, auxiliary=auxiliary, epochs=2, threads=1, batch_size=32)
    choice = choose([run], data, everything(data), silent, count=1)

    assert choice.expected is not None
    assert 0 <= choice.expected.auroc <= 1
    assert choice.expected.cluster_accuracy is not None


@pytest.mark.parametrize("counts", [[40] * 4, [40] * 5, [40] * 5 + [11]])
def test_with_too_few_classes_the_first_candidate_is_taken_and_said_to_be_unmeasured(
    counts: list[int],
) -> None:
    """Up to five classes with enough items, nothing is trained: one left out would not show all."""
    data = blobs(counts)
    candidates = [QUICK, dataclasses.replace(QUICK, objective="supcon")]
    choice = choose(candidates, data, everything(data), silent)

    assert choice.winner == QUICK
    assert choice.tried == ()
    assert choice.expected is None
    assert "Fewer than 6 known classes" in choice.reasons[0]


def test_classes_left_out_of_a_fold_are_not_among_its_labels() -> None:
    """Over three folds of eight classes six are left out, none twice."""
    data = hidden()
    made: tuple[Fold, ...] = folds(data, everything(data), count=3, seed=1)

    assert all(not set(a.left_out) & set(b.left_out) for a, b in combinations(made, 2))
