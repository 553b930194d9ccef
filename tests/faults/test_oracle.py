"""The judge sees what it is there to see: every kind of broken promise, planted by hand."""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from service.clustering import snapshot
from service.state.events import StoredEvent
from tests.faults.oracle import State, flaws, flaws_of_events, flaws_of_replay, read_state, replayed
from tests.faults.rig import Rig
from tests.faults.senders import Book
from tests.faults.zygote import Zygote
from tests.service import digits

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Seen:
    """A sound run: what the judge was given."""

    state: State
    info: dict[str, Any]
    book: Book

    def flaws(self, state: State) -> list[str]:
        return flaws(state, self.info, self.book.answers, set(self.book.sent))


@pytest.fixture(scope="module")
def seen(zygote: Zygote) -> Iterator[Seen]:
    """120 items; snapshots at 40 and 80, and a log behind them."""
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        Rig(rng=random.Random(0), folder=Path(folder), zygote=zygote, binary=None) as rig,
    ):
        service = rig.serve(snapshot_every_items=40).ready()
        rig.http(service, rig.items(120), chunk=10).finish()
        yield Seen(asyncio.run(read_state(service.socket, digits.bundle())), service.get("/info"), rig.book)


def test_a_sound_run_has_no_flaws(seen: Seen) -> None:
    """In the store, in the counts, and in every replay."""
    assert seen.flaws(seen.state) == []
    assert flaws_of_replay(digits.bundle(), seen.state, seen.info["state_hash"]) == []
    assert flaws_of_events(digits.bundle(), seen.state) == []
    assert len(seen.state.snapshots) == 2


def test_an_event_that_is_lost_invented_or_told_twice(seen: Seen) -> None:
    """The outbox is what the log gives, no more and no less."""
    extra = StoredEvent(
        id=f"{seen.state.records[-1].first_seq}-9", number=len(seen.state.events) + 1, data=b"{}"
    )
    spoilt = [[*seen.state.events, extra], *([seen.state.events[:-1]] if seen.state.events else [])]

    for events in spoilt:
        assert flaws_of_events(digits.bundle(), replace(seen.state, events=events))


def test_a_lost_item(seen: Seen) -> None:
    """One that was acknowledged and has no verdict in the store."""
    left = {id: verdict for id, verdict in seen.state.verdicts.items() if id != "i7"}

    assert "acknowledged and lost: i7" in seen.flaws(replace(seen.state, verdicts=left))


def test_an_item_that_counts_twice(seen: Seen) -> None:
    """Two ids on one seq, as after two appends of which one was not refused."""
    doubled = {
        **seen.state.verdicts,
        "i7": replace(seen.state.verdicts["i7"], seq=seen.state.verdicts["i8"].seq),
    }

    assert any("share" in flaw for flaw in seen.flaws(replace(seen.state, verdicts=doubled)))


def test_a_verdict_that_changed(seen: Seen) -> None:
    """By the last digit of a float."""
    changed = replace(seen.state.verdicts["i7"], novelty=seen.state.verdicts["i7"].novelty + 1e-9)

    found = seen.flaws(replace(seen.state, verdicts={**seen.state.verdicts, "i7": changed}))
    assert any("told was" in flaw for flaw in found)


def test_an_answer_that_changed() -> None:
    """The book notes it by itself, whoever got it."""
    book = Book()
    for seq in (1, 1, 2):
        book.answered({"id": "a", "seq": seq, "verdict": "known"})

    assert len(book.wrong) == 1


def test_a_hole_in_the_log(seen: Seen) -> None:
    """An entry is gone."""
    records = [*seen.state.records[:-2], seen.state.records[-1]]

    assert any("the log goes from" in flaw for flaw in seen.flaws(replace(seen.state, records=records)))


def test_a_state_that_is_another(seen: Seen) -> None:
    """The live state has learnt what the log does not have."""
    short = replace(seen.state, records=seen.state.records[:-1])
    other = snapshot.digest(
        replayed(digits.bundle(), short, None if short.trimmed == 0 else short.snapshots[0])
    )

    assert other != seen.info["state_hash"]
    assert flaws_of_replay(digits.bundle(), seen.state, other)


def test_counts_that_are_wrong(seen: Seen) -> None:
    """The service says that it had one more."""
    info = {**seen.info, "verdicts": {**seen.info["verdicts"], "known": seen.info["verdicts"]["known"] + 1}}

    assert any("/info counts" in f for f in flaws(seen.state, info, seen.book.answers, set(seen.book.sent)))
