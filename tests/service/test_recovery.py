"""A replay makes the recorded step, or says that it did not."""

from dataclasses import replace

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.recovery import ReplayMismatch, replay_entry
from tests.service import digits


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
