"""The note of what is in hand, on real servers."""

import pytest

from service.state.errors import Fenced
from service.state.hand import Deaths, Note, pack_note, unpack_note
from service.state.store import StreamStore
from tests.service.state.conftest import MakeStore

NOTE = Note(
    owner="owner-a", t=1.5, unclean=2, seq=7, items=("a", "~#00", "\U0001f600"), deaths={"b": Deaths(1, 2)}
)


def test_a_note_comes_back_as_it_was() -> None:
    """Every field."""
    assert NOTE == unpack_note(pack_note(NOTE))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", pack_note(NOTE)[:-1]])
def test_what_cannot_be_read_is_nobodys(data: bytes) -> None:
    """It says that there was an owner, and accuses nobody."""
    note = unpack_note(data)

    assert ("?", (), {}) == (note.owner, note.items, note.deaths)


async def test_put_and_get(store: StreamStore) -> None:
    """There is none at first, then the latest, and none after an orderly end."""
    assert await store.hand.get() is None
    await store.hand.put(NOTE)
    await store.hand.put(NOTE)
    assert NOTE == await store.hand.get()
    await store.hand.put(None)
    assert await store.hand.get() is None


async def test_fenced(store: StreamStore, make_store: MakeStore) -> None:
    """Who has lost the stream writes none."""
    heir = make_store(owner="owner-b")
    await heir.acquire(steal=True)
    await heir.hand.put(NOTE)

    for note in (None, NOTE):
        with pytest.raises(Fenced):
            await store.hand.put(note)
    assert NOTE == await heir.hand.get()
