"""What can be wrong with an outbox, one thing at a time."""

from dataclasses import replace

import pytest

from service.events import ClusterEvent, EventKind
from service.state.checks import Findings, Head
from service.state.event_checks import Gist, check_events, gists_of
from service.state.events import StoredEvent, pack_events
from tests.service.told import cluster

HEAD = Head(seq=100, horizon=100, idgen=0, gen=0, trimmed=10, events=6, cur=None, prev=None, saving=None)


def event(seq: int, id: int, kind: EventKind = EventKind.EMERGED) -> ClusterEvent:
    return ClusterEvent(kind=kind, seq=seq, t=1.0, cluster=cluster(id=id))


LIVED = {
    0: [event(1, 1)],
    7: [event(8, 2), event(9, 3)],
    20: [event(21, 4)],
    50: [event(50, 1), event(51, 2)],
}
AGAIN: dict[str, Gist] = {}
for _seq, _events in LIVED.items():
    if _seq >= HEAD.trimmed:
        AGAIN |= gists_of(_events, _seq)
STORED = [
    StoredEvent(id=f"{seq}-{n}", number=number, data=data)
    for number, (seq, n, data) in enumerate(
        ((seq, n, data) for seq, events in LIVED.items() for n, data in enumerate(pack_events(events), 1)), 1
    )
]


def faults(stored: list[StoredEvent], again: dict[str, Gist] | None = AGAIN, **head: int) -> tuple[str, ...]:
    found = Findings()
    check_events(found, stored, again, replace(HEAD, **head))  # type: ignore[arg-type]  # values by name
    (check,) = found.checks()
    return check.details if check.outcome == "failed" else ()


def test_an_outbox_that_is_whole() -> None:
    """With and without a replay to hold it against, and from where the log goes back to."""
    assert () == faults(STORED)
    assert () == faults(STORED, None)
    assert () == faults([], {}, events=0)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (STORED[:-1], "they are not numbered one after the other up to 6"),
        (STORED[1:], "only 5 of 6 are kept"),
        ([*STORED[:3], replace(STORED[3], id="20-2"), *STORED[4:]], "event 20-1 is missing"),
        ([*STORED[:3], replace(STORED[3], id="20-2"), *STORED[4:]], "event 20-2 did not happen"),
        ([*STORED[:3], replace(STORED[3], data=STORED[0].data), *STORED[4:]], "event 20-1 is told as"),
        ([*STORED[:3], replace(STORED[3], data=b"{}"), *STORED[4:]], "event 20-1 cannot be read"),
        ([*STORED[:5], replace(STORED[5], id="100-1")], "event 100-1 lies beyond the head"),
        ([STORED[1], STORED[0], *STORED[2:]], "they are not in order"),
    ],
)
def test_what_is_wrong_is_told(changed: list[StoredEvent], fault: str) -> None:
    """Missing, invented, changed, out of place."""
    assert any(fault in told for told in faults(changed))


def test_how_a_cluster_is_told_may_differ() -> None:
    """Another version of firstseen knows other fields of it; what happened to which is the same."""
    data = STORED[3].data.replace(b'"items":8', b'"items":8,"added_later":true')

    assert STORED[3].data != data
    assert () == faults([*STORED[:3], replace(STORED[3], data=data), *STORED[4:]])
