"""What killed the process? The decisions of that search, without the doing.

An exception can be caught, and leaves its item behind. A kernel that faults, or a payload for which the system kills
the process, leaves nothing, and a client that resends the item kills the next process, too. So an owner whose
predecessor did not leave in order is *wary*: before each step it writes down, durably, what it has in hand
(`service.state.hand`). An heir that finds the note counts it against those items:

    death 1    the owner was not wary: nobody is suspected, the heir is wary
    death 2    [a b c d] were in hand: that may be chance, since a process can be killed at any time
    death 3    [a b c d] again: `SUSPECT`, each will be tried alone
    death 4    [c] was in hand, alone
    death 5    [c] again: twice alone, `GUILTY`: it goes into quarantine without being run

A step that became durable killed nobody: the note says where the stream stood, and the heir looks how far it got. So
somebody who kills the process now and then accuses nobody, and does not even change how items come together.

Being wary costs a second write a batch. It ends after `FINE` batches; after each further unclean end, twice as many,
so that an item which is resent slowly is met by a wary owner, too. After an orderly stop, or an owner that lived for
an hour, it begins anew. A process that never crashes pays one write at its start and one at its end.
"""

import hashlib
from dataclasses import replace
from typing import Final

from service.records import AUTO_ID_PREFIX, Item
from service.state.hand import Deaths, Note

FINE: Final = 64
"""Batches that a first wary owner has to bring through."""

SUSPECT: Final = 2
"""Deaths in company after which an item is tried alone; after one alone it is, too."""

GUILTY: Final = 2
"""Deaths alone that convict an item."""

TOGETHER: Final = 256
"""Items that a wary owner takes at once, at most: a note is to stay short."""

_MOST_DOUBLINGS: Final = 10
_MOST_DOUBTED: Final = 4 * TOGETHER
_LONG_LIFE_S: Final = 3600.0

REASON: Final = "the process ended twice while this item was alone in hand"


def name_of(item: Item) -> str:
    """An item in a note: its id; without one, what it holds."""
    if item.id is not None:
        return item.id
    data = item.x.encode() if isinstance(item.x, str) else item.x.tobytes()
    return f"{AUTO_ID_PREFIX}#{hashlib.blake2b(data, digest_size=16).hexdigest()}"


def succeed(before: Note | None, *, owner: str, seq: int, now: float) -> Note:
    """The first note of an owner who finds `before`.

    Args:
        before: None: the predecessor left in order.
        owner: Who takes over; one who finds his own note has merely been interrupted.
        seq: How far the stream got, the log replayed.
        now: Seconds since 1970 (UTC).
    """
    if before is None:
        return Note(owner=owner, t=now, seq=seq, deaths={})
    if before.owner == owner:
        return replace(before, items=())
    deaths = dict(before.deaths)
    for name in before.items if seq <= before.seq else ():
        known = deaths.pop(name, Deaths(0, 0))
        if len(before.items) == 1:
            deaths[name] = Deaths(known.in_company, known.alone + 1)
        else:
            deaths[name] = Deaths(known.in_company + 1, known.alone)
    unclean = 1 if now - before.t > _LONG_LIFE_S else before.unclean + 1
    latest = dict(list(deaths.items())[-_MOST_DOUBTED:])
    return Note(owner=owner, t=now, unclean=unclean, seq=seq, deaths=latest)


class Doubt:
    """How far one owner trusts what it is given."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self._fine = 0
        self._is_stale = False  # the note that is written counts deaths that do not count any more
        self._needed = FINE * 2 ** min(note.unclean - 1, _MOST_DOUBLINGS) if note.unclean else 0

    @property
    def is_wary(self) -> bool:
        """Whether everything has to be written down before it is stepped."""
        return self._fine < self._needed

    @property
    def knows_some(self) -> bool:
        """Whether any item is in doubt by name."""
        return bool(self.note.deaths)

    def deaths_of(self, name: str) -> Deaths:
        """What is counted against an item."""
        return self.note.deaths.get(name, Deaths(0, 0))

    def is_suspect(self, name: str) -> bool:
        """Whether an item is to be tried alone."""
        deaths = self.deaths_of(name)
        return deaths.alone > 0 or deaths.in_company >= SUSPECT

    def is_guilty(self, name: str) -> bool:
        """Whether an item is not to be tried any more."""
        return self.deaths_of(name).alone >= GUILTY

    def takes(self, names: tuple[str, ...], *, seq: int) -> Note | None:
        """These are next: the note to write before they are stepped, None where none is needed."""
        if self.is_wary or any(name in self.note.deaths for name in names):
            self.note = replace(self.note, items=names, seq=seq)
        elif self.note.items or self._is_stale:  # the last one of the wary time must not stay
            self.note = replace(self.note, items=())
        else:
            return None
        self._is_stale = False
        return self.note

    def acquitted(self, names: tuple[str, ...]) -> None:
        """They are durable: verdicts, or letters in quarantine."""
        self._fine += self.is_wary
        if any(name in self.note.deaths for name in names):
            left = {name: deaths for name, deaths in self.note.deaths.items() if name not in names}
            self.note = replace(self.note, deaths=left)
            self._is_stale = True
