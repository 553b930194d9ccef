"""Is the outbox what became of clusters? Held against itself, the head, and what a replay of the log tells again.

    numbers    one after the other, the last as the head has it
    ids        of items that are durable
    replay     from the first kept event on, as far back as the log goes: none wrong, none missing, none too much

An event is compared by what it says happened to which cluster: how a cluster is told may differ by version.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service.events import ClusterEvent
from service.state.checks import Findings, Head
from service.state.events import StoredEvent, place_of
from service.state.keys import MOST_EVENTS


@dataclass(frozen=True, slots=True)
class Gist:
    """What happened to which cluster."""

    event: str
    seq: int
    cluster: int


def gists_of(events: Sequence[ClusterEvent], first_seq: int) -> dict[str, Gist]:
    """Of the events of one entry of the log, by the ids that they have."""
    return {
        f"{first_seq}-{n}": Gist(event.kind.value, event.seq, event.cluster.id)
        for n, event in enumerate(events, 1)
    }


def check_events(
    found: Findings, stored: Sequence[StoredEvent], again: dict[str, Gist] | None, head: Head
) -> None:
    """Tell what is wrong with an outbox.

    Args:
        found: Where faults go.
        stored: All of it, oldest first, up to the number that the head has.
        again: What the log gives from `head.trimmed` on, by id; None where no replay tells.
        head: The stream's.
    """
    faults = [*_numbers(stored, head)]
    read: dict[str, Gist] = {}
    for event in stored:
        try:
            about = event.about()
        except msgspec.DecodeError as error:
            faults.append(f"event {event.id} cannot be read ({error})")
            continue
        read[event.id] = Gist(about.event, about.seq, about.cluster.id)
    if again is not None and stored:
        since = max(place_of(stored[0].id), (head.trimmed, 0))
        expected = {id: gist for id, gist in again.items() if place_of(id) >= since}
        kept = {id: gist for id, gist in read.items() if place_of(id) >= since}
        faults += [f"event {id} is missing" for id in expected.keys() - {event.id for event in stored}]
        faults += [f"event {id} did not happen" for id in kept.keys() - expected.keys()]
        faults += [
            f"event {id} is told as {kept[id]}, and was {expected[id]}"
            for id in kept.keys() & expected.keys()
            if kept[id] != expected[id]
        ]
    for fault in faults:
        found.failed("events", fault)
    found.passed("events", f"{len(stored)} of {head.events} events are kept, each once")


def _numbers(stored: Sequence[StoredEvent], head: Head) -> list[str]:
    faults = []
    numbers = [event.number for event in stored]
    if numbers != list(range(head.events - len(numbers) + 1, head.events + 1)):
        faults.append(f"they are not numbered one after the other up to {head.events}")
    if len(stored) < min(head.events, MOST_EVENTS):
        faults.append(f"only {len(stored)} of {head.events} are kept")
    if len(stored) > MOST_EVENTS:
        faults.append(f"{len(stored)} are kept, more than {MOST_EVENTS}")
    places = [place_of(event.id) for event in stored]
    if places != sorted(set(places)):
        faults.append("they are not in order")
    faults += [
        f"event {event.id} lies beyond the head" for event in stored if place_of(event.id)[0] >= head.seq
    ]
    return faults
