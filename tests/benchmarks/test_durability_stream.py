"""Entries of a real stream, cut at will: the same items in the same order, and a log that replays."""

from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.durability_stream import IDS, Decided, batches, decide
from service.clustering.engine import Engine
from service.pipeline.recovery import replay
from service.state.batches import LogRecord
from service.state.packing import unpack_entries


@pytest.fixture(scope="module")
def decided(bundle_dir: Path) -> Decided:
    return decide(bundle_dir, 300)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_stream_is_replayed_however_it_was_cut(decided: Decided, size: int) -> None:
    """Seqs have no gap, every item has an id and a verdict, and the engine gives the clusters again."""
    log = list(batches(decided, size, IDS["UUID"]))
    engine = Engine(decided.bundle.known, decided.bundle.manifest.labels, decided.params)
    replay(
        engine,
        [LogRecord(first_seq=b.first_seq, count=b.count, payload=b.payload) for b in log],
    )

    assert all(one.first_seq + one.count == other.first_seq for one, other in pairwise(log))
    assert [0, *[size] * 3] == [0, *(b.count for b in log[1:4])]
    assert all(len(b.verdicts) == b.count for b in log[1:])
    assert 301 == engine.seq
    assert 0.0 < decided.fed_share < 0.5


def test_known_items_alone(decided: Decided) -> None:
    """Nothing that went to the clusterer is left, so no embedding."""
    log = batches(decided, 16, IDS["12 characters"], only_known=True, first_seq=500)
    entries = list(unpack_entries((b.first_seq, b.payload) for b in log))
    kept = [entry[0] for entry in entries if isinstance(entry, tuple)]

    assert sum(len(batch) for batch in kept) == round(300 * (1 - decided.fed_share))
    assert all(batch.accepted.all() and not len(batch.z_fed) for batch in kept)
    assert 501 == kept[0].first_seq


def test_ids_look_as_they_are_called_and_are_all_different() -> None:
    """Twelve characters, or 36."""
    short, long = ([name_of(n) for n in range(20_000)] for name_of in IDS.values())

    assert {12} == {len(id) for id in short}
    assert {36} == {len(id) for id in long}
    assert 20_000 == len(set(short)) == len(set(long))
