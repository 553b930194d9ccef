"""What readers see of an engine."""

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.pipeline.stream_view import view_of
from service.records import VerdictKind
from tests.service import digits


@pytest.fixture
def engine() -> Engine:
    bundle = digits.bundle()
    return Engine(bundle.known, bundle.manifest.labels, EngineParams())


def test_it_shows_what_the_engine_counts(engine: Engine) -> None:
    """Counts by class and by kind add up to the items; the place in the stream is the engine's."""
    z = digits.bundle().known.calibration_embeddings[:40]
    engine.step(z, tuple(map(str, range(40))), np.zeros(40))
    view = view_of(engine)

    assert view.seq == engine.seq == 40
    assert sum(view.verdict_counts.values()) == 40
    assert tuple(view.known_counts) == engine.labels
    assert sum(view.known_counts.values()) == view.verdict_counts[VerdictKind.KNOWN.value]
    assert view.clusters == engine.clusters()
    assert not view.stale


def test_the_hash_is_made_when_asked_for(engine: Engine) -> None:
    """It costs a copy of the state."""
    assert view_of(engine).state_hash is None
    assert view_of(engine, with_hash=True).state_hash == snapshot.digest(engine)
