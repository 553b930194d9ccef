"""Engines that follow the log notice where it leads elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.records import Int64s, Observed
from service.state.checks import Findings
from service.state.shadow import Diverged, Shadow, Shadows
from tests.service import digits
from tests.service.state.lived import embeddings


def engine() -> Engine:
    bundle = digits.bundle()
    return Engine(bundle.known, bundle.manifest.labels, EngineParams())


def stepped(live: Engine, n: int, seed: int) -> tuple[Observed, Int64s]:
    """The entry of n items that the live engine learns."""
    start = live.seq
    observed = live.decide(embeddings(n, seed), tuple(f"i{start + k}" for k in range(n)), np.zeros(n))
    verdicts = live.apply(observed).verdicts
    return observed, np.array([v.cluster_id or 0 for v in verdicts])


def shadows(found: Findings) -> Shadows:
    bundle = digits.bundle()
    return Shadows(found, bundle.known, bundle.manifest.labels)


def said(found: Findings) -> list[str]:
    return [detail for check in found.checks() for detail in check.details]


def test_two_ways_to_one_head() -> None:
    """From a snapshot over a newer one: the same bytes there, the same hash at the end."""
    live, found = engine(), Findings()
    followers = shadows(found)
    followers.start_from(snapshot.dump(live), name="older", seq=0)
    first = stepped(live, 20, seed=1)
    middle = snapshot.dump(live)
    second = stepped(live, 20, seed=2)
    followers.start_from(middle, name="newer", seq=20)
    verdicts = followers.step(first, 0)
    followers.step(second, 20)

    assert snapshot.digest(live) == followers.end(40)
    assert [v.id for v in verdicts] == list(first[0].ids)
    assert ["from older over newer, byte for byte, to the head"] == said(found)


def test_from_nothing() -> None:
    """The first entry says with what the stream set out."""
    live, found = engine(), Findings()
    followers = shadows(found)
    followers.start_from_nothing()
    live.configure(live.params)
    followers.step(live.params, 0)
    followers.step(stepped(live, 9, seed=1), 1)

    assert snapshot.digest(live) == followers.end(10)
    assert not found.has_failed()


def test_a_log_that_begins_with_items() -> None:
    """Nobody knows with what they were decided."""
    found = Findings()
    followers = shadows(found)
    followers.start_from_nothing()
    followers.step(stepped(engine(), 3, seed=1), 0)

    assert followers.end(3) is None
    assert ["the log does not begin with the stream's parameters"] == said(found)


def test_a_snapshot_that_is_elsewhere() -> None:
    """Whole, of the right place, and not where the log leads."""
    live, other, found = engine(), engine(), Findings()
    followers = shadows(found)
    followers.start_from(snapshot.dump(live), name="older", seq=0)
    entry = stepped(live, 20, seed=1)
    stepped(other, 20, seed=2)
    followers.start_from(snapshot.dump(other), name="newer", seq=20)
    followers.step(entry, 0)

    assert followers.end(20) is None
    assert 2 == len(said(found))
    assert "does not lead to newer" in said(found)[0]
    assert "end in different states" in said(found)[1]


@pytest.mark.parametrize(("blob", "told"), [(b"?", "is cut"), (None, "is of seq 0, not 3 as the head says")])
def test_a_snapshot_that_cannot_be_one(blob: bytes | None, told: str) -> None:
    """Not readable, or of another place than the head says."""
    found = Findings()
    shadows(found).start_from(snapshot.dump(engine()) if blob is None else blob, name="newer", seq=3)

    assert told in said(found)[0]


def test_other_clusters() -> None:
    """An entry whose clusters do not come again; nothing more is asked of that engine."""
    live = engine()
    batch, clusters = stepped(live, 5, seed=1)
    shadow = Shadow(name="older", engine=engine())
    with pytest.raises(Diverged, match="the entry at seq 0 gave other clusters than live"):
        shadow.follow((batch, clusters + 1), 0)

    assert None is shadow.follow((batch, clusters), 0)


def test_an_entry_that_does_not_fit() -> None:
    """Whatever the engine makes of it, it is told with its place."""
    batch, clusters = stepped(engine(), 5, seed=1)
    spoilt = replace(batch, nearest=batch.nearest + 100)

    with pytest.raises(Diverged, match="the entry at seq 0 cannot be replayed from older"):
        Shadow(name="older", engine=engine()).follow((spoilt, clusters), 0)


def test_a_log_that_ends_too_early() -> None:
    """The engine stands before the head."""
    live, found = engine(), Findings()
    followers = shadows(found)
    followers.start_from(snapshot.dump(live), name="older", seq=0)

    followers.end(7)
    assert ["replayed from older the log ends at 0, not 7"] == said(found)
