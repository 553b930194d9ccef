"""A replay makes the recorded step, or says that it did not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import snapshot
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.pipeline.recovery import ReplayMismatch, replay, replay_entry
from service.state.batches import LogRecord
from service.state.packing import EntryUnreadable, pack_items
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

    with pytest.raises(ReplayMismatch, match="item at seq 1 "):
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


def records_of(log: list[tuple[int, bytes]]) -> list[LogRecord]:
    """As the store gives them; `replay` does not look at the counts."""
    return [LogRecord(first_seq=first_seq, count=1, payload=payload) for first_seq, payload in log]


@pytest.mark.parametrize("gates", ["both", "items"])
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, 120), min_size=12, max_size=24),
    pages=st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_a_log_is_replayed_to_the_live_state_however_it_is_cut(
    gates: str, seed: int, sizes: list[int], pages: list[int]
) -> None:
    """Batches of any sizes live, joined on any pages again, fits between them: the same state to the bit."""
    live, again = Driven(with_stream_gate(gates=gates)), with_stream_gate(gates=gates)
    z, _ = overlapping().stream(np.random.default_rng(seed), sum(sizes), at=0.25)
    at = 0
    for size in sizes:
        live.feed(z[at : at + size], batch=size)
        at += size
    records = records_of(live.log)
    at = 0
    while at < len(records):
        size = pages[at % len(pages)]
        replay(again, records[at : at + size])
        at += size

    assert live.engine.seq == again.seq
    assert snapshot.digest(live.engine) == snapshot.digest(again)


@pytest.mark.parametrize("wrong", [0, 3, 7])
def test_a_wrong_cluster_in_one_of_many_entries_is_found(wrong: int) -> None:
    """Every item of a joined batch is compared, and the first that differs is named."""
    live, again = Driven(with_stream_gate()), with_stream_gate()
    z, _ = overlapping().stream(np.random.default_rng(0), 80)
    live.feed(z, batch=10, makes_fits=False)
    records = records_of(live.log)
    said = [
        replace(verdict, cluster_id=9 if n == 4 else None)
        for n, verdict in enumerate(live.results[wrong].verdicts)
    ]
    observed = with_stream_gate().decide(z[wrong * 10 : wrong * 10 + 10], tuple("abcdefghij"), np.zeros(10))
    records[wrong] = replace(
        records[wrong], payload=pack_items(replace(observed, first_seq=wrong * 10), said)
    )

    with pytest.raises(ReplayMismatch, match=f"item at seq {wrong * 10 + 4} "):
        replay(again, records)


@pytest.mark.parametrize("damage", ["of another gate", "cut"])
def test_an_entry_among_many_that_cannot_be_replayed_is_named(damage: str) -> None:
    """By its own place, not by that of the batch it was joined to."""
    live, again = Driven(with_stream_gate()), with_stream_gate()
    z, _ = overlapping().stream(np.random.default_rng(0), 60)
    live.feed(z, batch=10, makes_fits=False)
    records = records_of(live.log)
    if damage == "cut":
        records[4] = replace(records[4], payload=records[4].payload[:-1])
    else:
        observed = with_stream_gate().decide(z[40:50], tuple("abcdefghij"), np.zeros(10))
        impossible = replace(observed, first_seq=40, novelty=np.full(10, 2.0))
        records[4] = replace(records[4], payload=pack_items(impossible, live.results[4].verdicts))

    with pytest.raises(EntryUnreadable, match=r"seq 40 cannot be re"):
        replay(again, records)
    assert 40 == again.seq
