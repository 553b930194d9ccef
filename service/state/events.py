"""What became of clusters, as durable as the items that caused it: the outbox of a stream.

    engine ─► StepResult.events ─► Append.events ─┐ one Function
              the batch ─────────► Append ────────┴────────────► log, verdicts, events ─► /events, webhooks

An event told after the commit could be lost between the two, and one told before it could be of items that nobody has.
So it is written with the batch ("transactional outbox", C. Richardson, Microservices Patterns, 2018, chapter 3), and
whoever tells it reads it from here, as often as it takes.

An event has the id `<seq>-<n>`: the n-th, from 1, of the log entry whose first item has this seq. So it is the same
for whoever commits it, and a resend that the store recognises adds none. A replay of the log makes the same events
again, and writes none. Besides, each has a number, from 1: two that follow each other in the outbox, and whose numbers
do not, have had others between them that left, since no more than MOST_EVENTS are kept.

The stored form is the message of `/watch` without its `type`, as JSON: `{"event", "seq", "t", "cluster", "other_id",
"decision", "label"}`.
What reads it looks at few fields and hands on the rest as it is, so that one of another version can be told, too.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from service.events import ClusterEvent
from service.state.keys import Keys
from service.state.wire import Wire

FIRST: Final = "0-0"
"""Before every event."""

_ID: Final = re.compile(r"(0|[1-9]\d{0,15})-(0|[1-9]\d{0,8})")


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    seq: int
    t: float
    cluster: object
    other_id: int | None
    decision: int | None
    label: str | None


class AboutCluster(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at of an event's cluster.

    Attributes:
        id: Its own.
        items: It had so many.
        first_t: When it began, seconds since 1970 (UTC).
        last_t: When its latest item came.
        dismissed: Whether nobody wants to hear of it.
    """

    id: int
    items: int
    first_t: float
    last_t: float
    dismissed: bool = False


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at of an event; see `service.events.ClusterEvent`."""

    event: str
    seq: int
    t: float
    cluster: AboutCluster


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvent:
    """An event of the outbox.

    Attributes:
        id: `<seq>-<n>`.
        number: Its place among all events of the stream, from 1.
        data: JSON, as it was written.
    """

    id: str
    number: int
    data: bytes

    def about(self) -> About:
        """What the event is about.

        Raises:
            msgspec.DecodeError: It is not an event.
        """
        return msgspec.json.decode(self.data, type=About)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Some events that follow each other.

    Attributes:
        events: Oldest first.
        has_gap: Whether some have left that came after the one asked for.
        total: How many there have been.
    """

    events: tuple[StoredEvent, ...]
    has_gap: bool
    total: int


def is_event_id(text: str) -> bool:
    """Whether an event can have this id."""
    return _ID.fullmatch(text) is not None


def place_of(id: str) -> tuple[int, int]:
    """Seq and n of an event's id, by which events are in order."""
    seq, _, n = id.partition("-")
    return int(seq), int(n)


def pack_events(events: Iterable[ClusterEvent]) -> tuple[bytes, ...]:
    """Events as `Append.events` takes them."""
    return tuple(
        msgspec.json.encode(
            _Stored(
                event=e.kind.value,
                seq=e.seq,
                t=e.t,
                cluster=e.cluster,
                other_id=e.other_id,
                decision=e.decision,
                label=e.label,
            )
        )
        for e in events
    )


class EventBox:
    """The outbox of one stream, read. Needs no ownership. May raise StoreUnavailable and StoreMisconfigured."""

    def __init__(self, wire: Wire, keys: Keys) -> None:
        self._wire = wire
        self._keys = keys

    async def after(self, id: str = FIRST, *, limit: int) -> EventPage:
        """The oldest events after this one, at most so many, as of one instant."""
        key = self._keys.events
        page, itself, oldest, total = await self._wire.transaction(
            ["XRANGE", key, f"({id}", "+", "COUNT", limit],
            ["XRANGE", key, id, id],
            ["XRANGE", key, "-", "+", "COUNT", 1],
            ["HGET", self._keys.head, "events"],
        )
        first = [] if itself else [read_event(*one) for one in oldest]
        return EventPage(
            events=tuple(read_event(*one) for one in page),
            has_gap=any(place_of(id) < place_of(one.id) and one.number > 1 for one in first),
            total=int(total or 0),
        )

    async def latest(self) -> StoredEvent | None:
        """The newest event."""
        found = await self._wire.command("XREVRANGE", self._keys.events, "+", "-", "COUNT", 1)
        return read_event(*found[0]) if found else None


def read_event(id: bytes, fields: Mapping[bytes, bytes]) -> StoredEvent:
    """One entry of XRANGE."""
    return StoredEvent(id=id.decode(), number=int(fields[b"k"]), data=fields[b"e"])
