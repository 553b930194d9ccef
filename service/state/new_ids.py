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

_FEW: Final = 32

_64_BITS: Final = (1 << 64) - 1
_STEPS: Final = np.arange(HASHES, dtype=np.uint64)[:, None]
_VALUES: Final = np.left_shift(1, np.arange(8)).astype(np.uint8)


class Bloom:
    """A set of ids that may hold more than was put in.

    A few ids are gone through one by one, which for one is twenty times faster than arrays are; many at once.

    Args:
        items: For so many.
    """

    def __init__(self, items: int) -> None:
        bits = min(max(1 << (BITS * items - 1).bit_length(), _LEAST_BITS), _MOST_BITS)
        self._mask = bits - 1
        self._bytes = bytearray(bits // 8)
        self._array = np.frombuffer(self._bytes, dtype=np.uint8)

    def add(self, ids: Sequence[bytes]) -> None:
        """Put in ids."""
        if len(ids) > _FEW:
            place, bit = self._places(ids)
            np.bitwise_or.at(self._array, place, bit)
            return
        for item_id in ids:
            for at in self._bits(item_id):
                self._bytes[at >> 3] |= 1 << (at & 7)

    def holds(self, ids: Sequence[bytes]) -> Sequence[bool]:
        """Whether each of B ids may have been put in."""
        if len(ids) > _FEW:
            place, bit = self._places(ids)
            found = np.all(self._array[place] & bit, axis=0)
            return [bool(one) for one in found]
        held = self._bytes
        return [all(held[at >> 3] >> (at & 7) & 1 for at in self._bits(item_id)) for item_id in ids]

    def _bits(self, item_id: bytes) -> list[int]:
        """The bits of one id."""
        start, mask = hash(item_id) & _64_BITS, self._mask
        stride = start >> 32 | 1
        return [(start + n * stride) & mask for n in range(HASHES)]

    def _places(self, ids: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Of each bit of B ids its byte, and its value there; both (HASHES, B)."""
        start = np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids)).view(np.uint64)
        at = (start + _STEPS * ((start >> np.uint64(32)) | np.uint64(1))) & np.uint64(self._mask)
        return (at >> np.uint64(3)).view(np.int64), _VALUES[(at & np.uint64(7)).view(np.int64)]


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

    def went_on(self, generation: int) -> None:
        """The stream stands in this generation: ids of the one before the last count no more."""
        for old in [g for g in self._generations if g < generation - 1]:
            del self._generations[old]

    def are_new(self, ids: Sequence[str]) -> bool:
        """Whether surely none of them has a verdict; False where that is not known."""
        if not ids or not self.are_known:
            return not ids
        fields = [id_field(item_id) for item_id in ids]
        return not any(any(bloom.holds(fields)) for bloom in self._generations.values())

    def _add(self, ids: Sequence[bytes], generation: int) -> None:
        if generation not in self._generations:
            self._generations[generation] = Bloom(self._horizon)
        self._generations[generation].add(ids)

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
