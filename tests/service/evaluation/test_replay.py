"""A stream through an engine: in order, in batches, decided before learnt, and measured afterwards."""

from collections.abc import Sequence

import numpy as np
import pytest

from model.bundle import Bundle
from service.clustering.engine import Engine, StepResult
from service.clustering.params import EngineParams
from service.clustering.stream_gate import constants
from service.evaluation.labelled_stream import draw
from service.evaluation.replay import answered, notes_of, replay, run
from service.evaluation.schedule import Schedule, standard
from service.events import EventKind
from service.records import Float32s, Float64s
from tests.service.answered import event
from tests.service.replayed import KNOWN, UNSEEN, WAITS, Omniscient, a_run, embed, stream


def told_of(n: int, batch: int) -> tuple[list[int], list[int]]:
    engine, told = Omniscient(), list[int]()
    emitted = run(engine, embed(["a"] * n), [f"i{k}" for k in range(n)], batch=batch, tell=told.append)
    assert [f"i{k}" for k in range(n)] == [v.id for v in emitted.verdicts]
    return engine.batches, told


@pytest.mark.parametrize(
    ("n", "batch", "expected"), [(0, 4, []), (3, 4, [3]), (8, 4, [4, 4]), (9, 4, [4, 4, 1])]
)
def test_batches(n: int, batch: int, expected: Sequence[int]) -> None:
    """All items once, in order, and progress is told after each batch."""
    batches, told = told_of(n, batch)

    assert expected == batches
    assert list(np.cumsum(expected)) == told


def test_an_engine_that_sees_everything() -> None:
    """It has every measure right but for the items before each class was announced."""
    found = a_run()
    own = found.measures

    assert (2, 2, 0, 1.0) == (own.classes_found, own.clusters_announced, own.false_clusters, own.fragments)
    assert (1.0, 0.0, 1.0) == (own.known_accuracy, own.fnew, own.auroc)
    assert WAITS + 1 == own.delay_median
    assert own.mnew == pytest.approx(2 * WAITS / own.unseen_items)
    assert own.oracle_accuracy == 1.0
    assert own.macro_f1 is not None
    assert own.oracle_f1_any_gate is not None
    assert own.macro_f1 < own.oracle_f1_any_gate == 1.0


def test_batch_size_changes_nothing(digits_bundle: Bundle) -> None:
    """The engine's answers, and so every figure, are the same in batches of 1, 7 and 256."""
    rng = np.random.default_rng(0)
    labels = digits_bundle.manifest.labels
    z = digits_bundle.known.reference_embeddings
    far = rng.normal(size=(60, z.shape[1])).astype(np.float32) * 0.05 + z.mean(axis=0)
    pool = [labels[k] for k in digits_bundle.known.reference_labels] + ["new"] * 60
    points = np.concatenate([z, far])
    drawn = draw(standard(["new"], length=300, share=0.4), pool, known=labels, seed=0)
    runs = [
        replay(
            Engine(digits_bundle.known, labels, EngineParams()),
            drawn,
            points[drawn.rows],
            unseen=["new"],
            seed=0,
            batch=batch,
        )
        for batch in (1, 7, 256)
    ]

    assert runs[0] == runs[1] == runs[2]


def test_the_oracle_looks_in_the_embedding_and_in_other_spaces() -> None:
    """All of them are told, the best one first."""
    drawn = stream()
    z = embed(drawn.truth)
    noise = np.random.default_rng(0).normal(size=(len(z), 1))
    found = replay(Omniscient(), drawn, z, unseen=UNSEEN, seed=0, spaces={"noise": noise})

    assert ["embedding", "noise"] == [ceiling.space for ceiling in found.ceilings]
    assert found.measures.oracle_accuracy == found.ceilings[0].accuracy


def test_answers_meet_the_truth_item_by_item() -> None:
    """With what events said of clusters: told to be a drift, a class is not found."""

    class Regrets(Omniscient):
        """Announces as `Omniscient` does, and takes the first cluster back at the end."""

        def step(self, z: Float32s, ids: tuple[str, ...], t: Float64s) -> StepResult:
            result = super().step(z, ids, t)
            if self.seq < len(drawn):
                return result
            regret = event(EventKind.DRIFTED, self.seq - 1, 1)
            return StepResult(verdicts=result.verdicts, events=(regret,))

    drawn = stream()
    found = answered(Regrets(), drawn, embed(drawn.truth), unseen=UNSEEN)

    assert list(drawn.truth) == [(*found.known, *found.unseen)[k] for k in found.y.tolist()]
    assert [(1, len(drawn) - 1), (2, None)] == [(a.cluster, a.retracted_at) for a in found.announced]


def test_a_seed_decides_everything() -> None:
    """The same seed gives the same run."""
    assert a_run(3) == a_run(3)
    assert a_run(3) != a_run(4)


def test_null() -> None:
    """Nothing new: nothing found, nothing announced, no picture of it."""
    found = a_run(0, ())

    assert (0, 0, None) == (
        found.measures.classes_unseen,
        found.measures.clusters_announced,
        found.pictures.plane,
    )
    assert () == found.ceilings == found.classes


def test_notes() -> None:
    """What did not go as the schedule says is said."""
    pool = ["a"] * 60 + ["x"] * 2
    notes = notes_of(draw(standard(["x"], length=100, share=0.3), pool, known=KNOWN, seed=0))

    assert 2 == len(notes)
    assert notes[0].startswith("Class x ran out of items at item")
    assert notes[1].startswith("The stream ends at item 6")
    assert () == notes_of(draw(Schedule(length=20), pool, known=KNOWN, seed=0))


def test_what_never_came_is_noted() -> None:
    """A class that is to be found and is not in the stream: no figure tells of it."""
    pool = ["a"] * 60 + ["x", "y"]
    drawn = draw(standard(["x"], length=40, share=1e-300), pool, known=KNOWN, seed=0)

    assert [f"No item of the unseen class {label} came" for label in "xy"] == [
        note.partition(":")[0] for note in notes_of(drawn, ["x", "y"])
    ]


def test_a_fit_that_fails_ends_no_replay(digits_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """As live: it is counted, told, and tried again EVERY items later, not at the next batch."""
    tried: list[int] = []
    engine = Engine(digits_bundle.known, digits_bundle.manifest.labels, EngineParams())
    far = np.zeros((600, digits_bundle.manifest.embedding.dim), dtype=np.float32)
    monkeypatch.setattr(Engine, "is_fit_due", property(lambda _: True))
    monkeypatch.setattr(Engine, "fit_job", lambda _: None)

    def fails(_: object) -> None:
        tried.append(engine.seq)
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(engine.stream, "solve", fails)
    emitted = run(engine, far, [f"i{n}" for n in range(600)], batch=10)

    assert 600 == len(emitted.verdicts)
    assert 6 == len(tried) == len(emitted.failures)
    assert {constants.EVERY} == {*np.diff(tried).tolist()}
    assert "failed: 6." in notes_of(stream(), failures=emitted.failures)[0]
    assert "singular" in notes_of(stream(), failures=emitted.failures)[0]


def test_more_spaces() -> None:
    """The oracle looks into every space it is given, and the embedding."""
    drawn = stream()
    found = replay(
        Omniscient(),
        drawn,
        embed(drawn.truth),
        unseen=UNSEEN,
        seed=0,
        spaces={"flat": np.random.default_rng(0).normal(size=(len(drawn), 2))},
    )

    assert {"embedding", "flat"} == {top.space for top in found.ceilings}
    assert "embedding" == found.ceilings[0].space
