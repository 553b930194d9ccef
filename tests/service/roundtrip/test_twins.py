"""Two engines along one log: with the same settings nothing differs; with others, what can be told is told."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.decisions import Action, Decision
from service.records import ANNOUNCED, Float32s
from service.roundtrip.comparing import Compared
from service.roundtrip.twins import NotTested, Twins, changed
from service.state.packing import pack_configure, pack_curate, unpack_entry
from tests.service.clustering.overlapping import APART, EVEN, FAR, LABELS, PARAMS, Driven, K, overlapping


def items(seed: int, n: int, share: float = 0.1) -> Float32s:
    """Known items, and two new classes."""
    rng = np.random.default_rng(seed)
    which = np.where(
        rng.random(n) < share, APART, np.where(rng.random(n) < share, FAR, rng.choice(K, n, p=EVEN))
    )
    return overlapping().items(rng, which)


def lived(seed: int, n: int, *, batch: int = 50, lag: int = 1, **params: Any) -> Driven:
    """A stream with a log, from its first entry on."""
    driven = Driven(Engine(overlapping().known, LABELS, PARAMS.with_changes(**params)), lag=lag)
    configure(driven)
    driven.feed(items(seed, n), batch=batch)
    return driven


def configure(driven: Driven, **changes: Any) -> None:
    params = driven.engine.params.with_changes(**changes)
    driven.log.append((driven.engine.seq, pack_configure(params)))
    driven.engine.configure(params)


def twins(driven: Driven, start: Engine | None = None, **changes: Any) -> tuple[Twins, Compared]:
    """The log once more, from the first entry or from a state on its way."""
    if start is None:
        params = changed(PARAMS, changes)
        known = overlapping().known
        found = Twins(Engine(known, LABELS, PARAMS), Engine(known, LABELS, params), changes)
    else:
        found = Twins(start, snapshot.copy_of(start), changes)
    for seq, payload in driven.log:
        if seq >= found.was.seq:
            found.step(unpack_entry(payload, first_seq=seq))
    return found, found.comparison.done(found.was.clusters(), found.would.clusters(), since=0)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 900),
    batch=st.integers(1, 120),
    gates=st.sampled_from(["both", "items", "stream"]),
)
def test_with_the_same_settings_nothing_differs(seed: int, n: int, batch: int, gates: str) -> None:
    """Whatever the stream: the other engine ends in the same state, to the bit, and made no fit of its own."""
    driven = lived(seed, n, batch=batch, gates=gates)
    found, compared = twins(driven)

    assert not compared.differs
    assert (compared.same, compared.untold) == (n, 0)
    assert (found.own_fits, found.left_out) == (0, 0)
    assert snapshot.digest(driven.engine) == snapshot.digest(found.was) == snapshot.digest(found.would)


def test_nor_does_it_from_a_state_on_the_way() -> None:
    """A log that was trimmed begins at a snapshot; settings that change on the way change in both."""
    driven = lived(3, 600)
    start = snapshot.copy_of(driven.engine)
    driven.feed(items(4, 300))
    configure(driven, known_error_rate=0.03)
    driven.feed(items(5, 300))
    found, compared = twins(driven, start)

    assert not compared.differs
    assert 600 == compared.items
    assert snapshot.digest(found.was) == snapshot.digest(found.would)


def test_a_looser_rate_takes_more_for_known() -> None:
    """What was refused and lies within the other rate is known: its embedding is in the log, so all can be told."""
    _, compared = twins(lived(1, 800), known_error_rate=0.001)

    assert 0 == compared.untold
    assert sum(change.items for change in compared.changes if change.would.startswith("known")) > 0


def test_of_a_stricter_rate_the_log_does_not_tell_all() -> None:
    """An item that was known and would be refused has no embedding: it is counted, and nothing is made up."""
    driven = lived(1, 800)
    found, compared = twins(driven, known_error_rate=0.2)

    assert compared.untold > 0
    assert found.unfed >= compared.untold
    assert 800 == compared.items
    assert found.would.seq == driven.engine.seq


def test_a_cluster_that_would_come_later_is_the_same_with_a_delay() -> None:
    """It is matched by the items that both hold."""
    _, compared = twins(lived(2, 1500, gates="items"), min_items_to_emerge=40)
    delays = [match.delay for match in compared.clusters if match.was is not None and match.would is not None]

    assert delays
    assert all(delay is None or delay >= 0 for delay in delays)
    assert any(delay for delay in delays)
    assert compared.differs


def test_a_gate_that_was_off_cannot_be_asked() -> None:
    """The stream gate needs features of every item."""
    with pytest.raises(NotTested, match="features"):
        twins(lived(1, 100, gates="items"), gates="both")


def test_a_gate_that_was_on_can_be_left_out() -> None:
    """Without it the clusterer would be fed more, which is counted."""
    found, compared = twins(lived(1, 900), gates="items")

    assert 900 == compared.items
    assert found.unfed > 0
    assert not found.would.gates.has_stream


@pytest.mark.parametrize(
    "changes", [{"known_error_rate": 2.0}, {"no_such": 1}, {"backend": "other"}, {"gone_after_items": 1}]
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    """In the words of the parameters."""
    with pytest.raises(NotTested):
        changed(EngineParams(), changes)


def test_a_stream_keeps_its_clusterer() -> None:
    """Another one would need all embeddings."""
    with pytest.raises(NotTested, match="for life"):
        twins(lived(1, 50), backend="river")


def decide(driven: Driven, action: Action, cluster: int, **said: Any) -> None:
    """What a person decides, and its entry of the log."""
    seq = driven.engine.seq
    made = Decision(key=f"d{seq}", action=action, cluster=cluster, t=0.0, who="ann", **said)
    prepared = driven.engine.prepared(made)
    driven.log.append((seq, pack_curate(prepared)))
    driven.engine.carry_out(prepared)


def curated() -> Driven:
    """Of two clusters one is promoted, and the other, after it was named, goes into the first; then that is undone."""
    driven = lived(2, 1200, gates="items")
    one, other, *_ = [life.id for life in driven.engine.lives.values() if life.state in ANNOUNCED]
    decide(driven, Action.PROMOTE, one, label="elk")
    driven.feed(items(6, 200))
    decide(driven, Action.NAME, other, label="far")
    decide(driven, Action.LINK, other, label="elk")
    driven.feed(items(7, 200))
    decide(driven, Action.UNDO, other, undoes=driven.engine.decisions[-1].seq)
    driven.feed(items(8, 200))
    return driven


def test_decisions_are_made_again() -> None:
    """With the same settings they come to the same, to the bit."""
    driven = curated()
    found, compared = twins(driven)

    assert (False, 0) == (compared.differs, found.left_out)
    assert snapshot.digest(driven.engine) == snapshot.digest(found.was) == snapshot.digest(found.would)


def test_a_decision_about_a_cluster_that_would_not_be_is_left_out() -> None:
    """And counted; the rest goes on."""
    driven = curated()
    found, compared = twins(driven, min_items_to_emerge=100_000)

    assert found.left_out >= 4
    assert driven.engine.seq == found.would.seq
    assert compared.differs
