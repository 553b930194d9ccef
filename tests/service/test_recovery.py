"""A replay makes the recorded step, or says that it did not."""

from dataclasses import replace

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.recovery import ReplayMismatch, replay_entry
from service.state.packing import EntryUnreadable
from tests.service import digits
from tests.service.clustering.overlapping import Driven, overlapping
from tests.service.clustering.overlapping import engine as with_stream_gate


def engine() -> Engine:
    bundle = digits.bundle()
    return Engine(bundle.known, bundle.manifest.labels, EngineParams())


def test_a_replayed_batch_leads_to_the_live_state() -> None:
    """The same digest, the same place in the stream."""
    live, again = engine(), engine()
    z = digits.bundle().known.calibration_embeddings[:20]
    observed = live.decide(z, tuple(f"i{n}" for n in range(20)), np.arange(20.0))
    clusters = np.array([v.cluster_id or 0 for v in live.apply(observed).verdicts])
    replay_entry(again, (observed, clusters))

    assert snapshot.digest(live) == snapshot.digest(again)


def test_parameters_are_replayed_in_their_place() -> None:
    """A configure entry takes a place and holds from there on."""
    again = engine()
    wanted = replace(again.params, known_error_rate=0.1)
    replay_entry(again, wanted)

    assert (1, wanted) == (again.seq, again.params)


def test_a_replay_that_answers_otherwise_is_refused() -> None:
    """The place is named: the state behind it cannot be trusted."""
    again = engine()
    z = digits.bundle().known.calibration_embeddings[:2]
    observed = again.decide(z, ("a", "b"), np.zeros(2))

    with pytest.raises(ReplayMismatch, match="seq 0 "):
        replay_entry(again, (observed, np.array([0, 7])))


def test_a_fit_is_replayed_in_its_place() -> None:
    """It takes a place, and items are decided by it from there on."""
    driven, again = Driven(with_stream_gate()), with_stream_gate()
    z, _ = overlapping().stream(np.random.default_rng(0), 600, at=0.2)
    driven.feed(z, makes_fits=False)
    fit = driven.engine.stream.solve(driven.engine.fit_job())
    for start in range(0, 600, 50):
        again.step(
            z[start : start + 50],
            tuple(f"i{n}" for n in range(start, start + 50)),
            np.arange(start, start + 50, dtype=np.float64),
        )
    driven.use(fit)
    replay_entry(again, fit)

    assert 601 == again.seq
    assert snapshot.digest(driven.engine) == snapshot.digest(again)


@pytest.mark.parametrize("what", ["a fit", "items"])
def test_entries_of_another_bundle_are_refused_by_their_place(what: str) -> None:
    """In words for a person, and before anything is changed: the log is not ours to go on from."""
    ours, theirs = with_stream_gate(), engine()
    ours.configure(ours.params)
    before = snapshot.digest(ours)
    z, _ = overlapping().stream(np.random.default_rng(0), 600)
    driven = Driven(with_stream_gate())
    driven.feed(z, makes_fits=False)
    fit = driven.engine.stream.solve(driven.engine.fit_job())
    observed = with_stream_gate(gates="items").decide(z[:2], ("a", "b"), np.zeros(2))
    narrow = replace(fit, weights=fit.weights[1:])
    with pytest.raises(EntryUnreadable, match=r"seq 1 cannot be replayed: .*another bundle"):
        replay_entry(
            ours, narrow if what == "a fit" else (replace(observed, first_seq=1), np.zeros(2, dtype=np.int64))
        )
    assert before == snapshot.digest(ours)

    with pytest.raises(
        EntryUnreadable, match=r"seq 0 cannot be replayed: there is a fit, and no stream gate"
    ):
        replay_entry(theirs, fit)
