"""Which ids surely have no verdict, so that nobody has to ask the store.

    acquire at seq s ─► nothing is known: every id is looked up
                    ─► ids that the store has are read beside the stream, page by page ─► all is known
    an append        ─► its ids are noted before it is sent

Nearly every item is new, and a look-up that finds nothing is half of what a single item waits for the store. The owner
of a stream may know that it finds nothing: while he owns it nobody else writes ids, so what was there when he took it,
and what he has written since, is all there is. It is kept as the store keeps it (keys.py): a generation of ids for each
`horizon` items, of which the latest two count.

A generation is a Bloom filter: bits, all 0; an id sets the `HASHES` bits that its hash points to, and one of whose bits
any is 0 was never there. It may take a new id for one that was there, which is then looked up; never one that was there
for a new one. With `BITS` bits an item that happens to one new id of 1,400 when a generation is full, and to none at
first. It is 2 MB for a million items; a horizon beyond `_MOST_BITS` / `BITS` = 4 million items gets no more bits (8 MB)
and more look-ups. Hashes are Python's, with a key of the process's own: nobody can choose ids that collide.

The truth stays with the store: an append that carries an id which has a verdict is refused there (DuplicateIds), and
the stream is taken anew. That takes an id that was there and was not read. `HSCAN` gives every field that is there all
the time, on one server; so who reads asks before and after whether it is still the same run of the same server.

Reference: B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970; positions by double hashing,
A. Kirsch and M. Mitzenmacher, "Less hashing, same performance", 2006.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from service.state.batches import id_field
from service.state.errors import StoreError, StoreUnavailable
from service.state.keys import Keys
from service.state.wire import Wire

log = structlog.get_logger("firstseen.state")

BITS: Final = 16
"""Bits an item, at least."""

HASHES: Final = 6
"""Bits that an id sets."""

_LEAST_BITS: Final = 1 << 13
_MOST_BITS: Final = 1 << 26

_PAGE: Final = 1000
_PAUSE_S: Final = 0.01
"""Fields a page, and the pause after it: two million ids are read in 20 s and more, at a few per cent of a core."""

_AGAIN_S: Final = 1.0
"""The pause before it is read from the start, after the store was away."""

_STEPS: Final = np.arange(HASHES, dtype=np.uint64)[:, None]

UInt64s = NDArray[np.uint64]


def hashes_of(ids: Sequence[bytes]) -> UInt64s:
    """Uint64 (B,)."""
    return np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids)).view(np.uint64)


class Bloom:
    """A set that may hold more than was put in.

    Args:
        items: For so many.
    """

    def __init__(self, items: int) -> None:
        bits = min(max(1 << (BITS * items - 1).bit_length(), _LEAST_BITS), _MOST_BITS)
        self._mask = np.uint64(bits - 1)
        self._bytes = np.zeros(bits // 8, dtype=np.uint8)

    def add(self, hashes: UInt64s) -> None:
        """Put in B hashes, uint64 (B,)."""
        place, bit = self._places(hashes)
        np.bitwise_or.at(self._bytes, place, bit)

    def holds(self, hashes: UInt64s) -> NDArray[np.bool_]:
        """Whether each of B hashes may have been put in: bool (B,)."""
        place, bit = self._places(hashes)
        found: NDArray[np.bool_] = (self._bytes[place] & bit).all(axis=0)
        return found

    def _places(self, hashes: UInt64s) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Of each bit its byte, and its value there; both (HASHES, B)."""
        stride = (hashes >> np.uint64(32)) | np.uint64(1)
        at = (hashes + _STEPS * stride) & self._mask
        return (at >> np.uint64(3)).view(np.int64), np.left_shift(
            1, at & np.uint64(7), dtype=np.uint64
        ).astype(np.uint8)


class NewIds:
    """What the owner of one stream knows of its ids. Made by StreamStore, which tells what it does.

    Args:
        wire: To the store.
        keys: The stream's.
        horizon: Items a generation.
    """

    def __init__(self, wire: Wire, keys: Keys, horizon: int) -> None:
        self._wire = wire
        self._keys = keys
        self._horizon = horizon
        self._generations: dict[int, Bloom] = {}
        self._unread: tuple[int, ...] | None = None  # generations in the store; None: not the owner
        self._is_behind = asyncio.Event()

    @property
    def are_known(self) -> bool:
        """Whether all is known that is to be known."""
        return self._unread == ()

    def begin(self, seq: int) -> None:
        """The stream was taken, at this seq."""
        latest = seq // self._horizon
        self._generations = {}
        self._unread = tuple(g for g in (latest, latest - 1) if g >= 0) if seq else ()
        self._is_behind.set()

    def end(self) -> None:
        """The stream is not ours, or nobody knows whether it is."""
        self._unread = None

    def note(self, ids: Sequence[bytes], generation: int) -> None:
        """These are about to be written into a generation."""
        if ids and self._unread is not None:
            self._add(ids, generation)

    def may_be_known(self, ids: Sequence[bytes]) -> NDArray[np.bool_]:
        """Whether each of B ids may have a verdict: bool (B,)."""
        if not self.are_known:
            return np.ones(len(ids), dtype=np.bool_)
        hashes = hashes_of(ids)
        found = np.zeros(len(ids), dtype=np.bool_)
        for bloom in self._generations.values():
            found |= bloom.holds(hashes)
        return found

    def are_new(self, ids: Sequence[str]) -> bool:
        """Whether surely none of them has a verdict; False where that is not known."""
        return not ids or (
            self.are_known and not self.may_be_known([id_field(item_id) for item_id in ids]).any()
        )

    def _add(self, ids: Sequence[bytes], generation: int) -> None:
        kept = self._generations
        latest = max(kept, default=generation)
        if generation < latest - 1:
            return
        if generation not in kept:
            kept[generation] = Bloom(self._horizon)
            for old in [g for g in kept if g < generation - 1]:
                del kept[old]
        kept[generation].add(hashes_of(ids))

    # Reading what is there

    async def read(self) -> None:
        """Read what the store has, each time that the stream was taken, for as long as this runs.

        What goes wrong costs look-ups only.
        """
        while True:
            await self._is_behind.wait()
            self._is_behind.clear()
            try:
                while not await self.read_once():  # noqa: ASYNC110 - the store has to come back
                    await asyncio.sleep(_AGAIN_S)
            except StoreError as error:
                log.warning("ids_not_read", reason=str(error))

    async def read_once(self) -> bool:
        """Read what is there from the start to the end.

        Returns:
            Whether there is nothing to read any more: all is known, or the stream is not ours. Not so where it was
            taken anew meanwhile, or the server is another one, or went away.

        Raises:
            StoreError: It does not let us read.
        """
        unread = self._unread
        if not unread:
            return True
        try:
            before = await self._run()
            for generation in unread:
                await self._read(generation)
            is_same = await self._run() == before
        except StoreUnavailable:
            return False
        if is_same and self._unread is unread:
            self._unread = ()
        return not self._unread

    async def _read(self, generation: int) -> None:
        key, cursor = self._keys.ids(generation), 0
        while True:
            cursor, page = await self._wire.command("HSCAN", key, cursor, "COUNT", _PAGE)
            if page and self._unread is not None:
                self._add(list(page), generation)
            if not int(cursor):
                return
            await asyncio.sleep(_PAUSE_S)

    async def _run(self) -> Any:  # noqa: ANN401 - as the server says it
        """Which run of which server answers."""
        return (await self._wire.command("INFO", "server")).get("run_id")
