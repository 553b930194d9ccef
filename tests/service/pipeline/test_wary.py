"""What killed the process: notes, heirs, and whole lives of processes that an item kills."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from service.pipeline.wary import FINE, Doubt, name_of, succeed
from service.records import Item
from service.state.hand import Deaths, Note

NOTE = Note(owner="one", t=1000.0, seq=5, items=("a",), deaths={})


def test_after_an_orderly_stop_nobody_is_wary() -> None:
    """No note: nothing is in doubt."""
    note = succeed(None, owner="two", seq=5, now=1001.0)

    assert note == Note(owner="two", t=1001.0, seq=5, deaths={})
    assert not Doubt(note).is_wary


def test_ones_own_note_is_no_death() -> None:
    """Who lost the stream for a moment and took it again has not died."""
    note = succeed(NOTE, owner="one", seq=5, now=1001.0)

    assert note == replace(NOTE, items=())


@pytest.mark.parametrize(
    ("items", "seq", "expected"),
    [
        ((), 5, {}),
        (("a",), 5, {"a": Deaths(0, 1)}),
        (("a", "b"), 5, {"a": Deaths(1, 0), "b": Deaths(1, 0)}),
        (("a",), 6, {}),
        (("a", "b"), 7, {}),
    ],
)
def test_what_was_in_hand_is_counted(items: tuple[str, ...], seq: int, expected: dict[str, Deaths]) -> None:
    """Alone or in company; not what had become durable."""
    heir = succeed(replace(NOTE, items=items), owner="two", seq=seq, now=1001.0)

    assert expected == heir.deaths
    assert () == heir.items
    assert Doubt(heir).is_wary


@pytest.mark.parametrize(
    ("deaths", "is_suspect", "is_guilty"),
    [
        (Deaths(0, 0), False, False),
        (Deaths(1, 0), False, False),
        (Deaths(2, 0), True, False),
        (Deaths(9, 0), True, False),
        (Deaths(0, 1), True, False),
        (Deaths(2, 1), True, False),
        (Deaths(0, 2), True, True),
    ],
)
def test_who_is_suspect_and_who_guilty(deaths: Deaths, is_suspect: bool, is_guilty: bool) -> None:
    """Once in company may be chance; twice, or once alone, is tried alone; twice alone is enough."""
    doubt = Doubt(Note(owner="two", t=0.0, deaths={"a": deaths}))

    assert (is_suspect, is_guilty) == (doubt.is_suspect("a"), doubt.is_guilty("a"))


def test_an_item_on_its_own() -> None:
    """Sent on its own, it is convicted after three deaths."""
    assert (4, [], ["i0"]) == lives(["i0"], {"i0"})


def test_wary_for_longer_each_time() -> None:
    """Each further unclean end doubles it; a long life begins anew."""
    lengths = []
    note = replace(NOTE, items=())
    for n in range(3):
        note = succeed(note, owner=f"heir-{n}", seq=5, now=1001.0 + n)
        doubt = Doubt(note)
        lengths.append(0)
        while doubt.is_wary:
            doubt.acquitted(())
            lengths[-1] += 1

    assert [FINE, 2 * FINE, 4 * FINE] == lengths
    assert 1 == succeed(note, owner="late", seq=5, now=note.t + 3601.0).unclean


def test_a_calm_owner_writes_nothing() -> None:
    """Normal operation pays nothing."""
    doubt = Doubt(succeed(None, owner="two", seq=0, now=0.0))

    assert [None] * 100 == [doubt.takes((f"i{n}",), seq=n) for n in range(100)]


def test_the_last_note_of_a_wary_time_is_taken_back() -> None:
    """Else an heir would count what was over long ago."""
    doubt = Doubt(succeed(replace(NOTE, items=()), owner="two", seq=0, now=1001.0))
    written: list[Note | None] = []
    for n in range(FINE + 3):
        written.append(doubt.takes((f"i{n}",), seq=n))
        doubt.acquitted((f"i{n}",))

    assert [(f"i{n}",) for n in range(FINE)] == [note.items for note in written[:FINE] if note]
    last = written[FINE]
    assert last is not None
    assert () == last.items
    assert [None, None] == written[FINE + 1 :]


def test_a_doubted_item_is_written_down_by_a_calm_owner_too() -> None:
    """And once it got through, the doubt is taken back."""
    doubt = Doubt(Note(owner="two", t=0.0, deaths={"a": Deaths(1, 0)}))

    assert doubt.takes(("b",), seq=1) is None
    note = doubt.takes(("a",), seq=1)
    assert note is not None
    assert ("a",) == note.items
    doubt.acquitted(("a",))
    after = doubt.takes((), seq=2)
    assert after is not None
    assert ({}, ()) == (after.deaths, after.items)
    assert doubt.takes(("a",), seq=3) is None


def test_names() -> None:
    """An id names its item; without one, its content does."""
    x = np.zeros((1, 2), dtype=np.float32)

    assert "a" == name_of(Item(id="a", x=x))
    assert name_of(Item(id=None, x=x)) == name_of(Item(id=None, x=x.copy()))
    assert name_of(Item(id=None, x=x)) != name_of(Item(id=None, x=x + 1))
    assert name_of(Item(id=None, x="text")).startswith("~#")


def lives(items: Sequence[str], deadly: set[str]) -> tuple[int, list[str], list[str]]:
    """Processes, one after the other, are sent what has no answer yet; a deadly item ends the one that steps it.

    Returns how many there were, what was answered, and what was convicted.
    """
    note: Note | None = None
    durable: list[str] = []
    convicted: list[str] = []
    for process in range(1, 100):
        note = succeed(note, owner=f"p{process}", seq=len(durable), now=float(process))
        doubt = Doubt(note)
        left = [name for name in items if name not in durable and name not in convicted]
        while left:
            suspects = [name for name in left if doubt.is_suspect(name)]
            first = left[0]
            if doubt.is_guilty(first):
                convicted.append(left.pop(0))
                doubt.acquitted((first,))
                continue
            size = 1 if first in suspects else 16
            part = []
            while left and len(part) < size and (not part or left[0] not in suspects):
                part.append(left.pop(0))
            note = doubt.takes(tuple(part), seq=len(durable)) or note
            if deadly.intersection(part):
                break
            durable += part
            doubt.acquitted(tuple(part))
        else:
            return process, durable, convicted
    raise AssertionError("it never ends")


@pytest.mark.parametrize("deadly", [set(), {"i0"}, {"i7"}, {"i3", "i4"}, {"i0", "i30", "i59"}])
def test_lives(deadly: set[str]) -> None:
    """In a bounded number of starts the deadly items are convicted, they alone, and all others are answered."""
    items = [f"i{n}" for n in range(60)]
    starts, durable, convicted = lives(items, deadly)

    assert sorted(deadly) == sorted(convicted)
    assert [name for name in items if name not in deadly] == durable
    assert starts <= 1 + (1 + 4 * len(deadly) if deadly else 0)
