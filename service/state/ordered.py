"""The verdicts of a generation of ids, in order of their items, without holding them all.

Ids lie in Redis in no order. They are dealt into temporary files by their place, each of which fits into memory and is
sorted there.

    HSCAN ─► pile by place ─► pile 0, sorted ─► pile 1, sorted ─► ...
"""

import struct
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from service.state.checks import Head
from service.state.packing import seq_of_verdict
from service.state.reading import StreamReader

_FILES: Final = 64
_ITEMS: Final = 65536
_PAIR: Final = struct.Struct("<II")


class UnreadableVerdict(ValueError):
    """A stored verdict cannot be read, or is of another generation; the message names its id."""


@asynccontextmanager
async def ordered(
    reader: StreamReader, generation: int, head: Head, *, folder: Path, told: Callable[[int, int], None]
) -> AsyncIterator[Iterator[tuple[bytes, bytes]]]:
    """Each (id, verdict) of a generation once, by the place of its item, then by id; none from the head on.

    Args:
        reader: Of the stream.
        generation: Which.
        head: Of the cut.
        folder: For temporary files, as large as the ids are.
        told: Told of each page: rows, and how many there are in all.

    Raises:
        UnreadableVerdict: See there.
    """
    lowest = max(0, (generation - 1) * head.horizon)
    width = max(_ITEMS, -(-2 * head.horizon // _FILES))
    total = (await reader.count([generation]))[0]
    with ExitStack() as stack:
        piles: dict[int, BinaryIO] = {}
        async for page in reader.all_verdicts(generation):
            for item_id, verdict in page:
                seq = seq_of_verdict(verdict)
                if seq is None or seq < lowest:
                    raise UnreadableVerdict(f"id {item_id!r} has a verdict that cannot be read")
                if seq >= head.seq:
                    continue
                at = (seq - lowest) // width
                if at not in piles:
                    piles[at] = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                piles[at].write(_PAIR.pack(len(item_id), len(verdict)) + item_id + verdict)
            told(len(page), total)
        yield chain.from_iterable(_sorted(pile) for _, pile in sorted(piles.items()))


def _sorted(pile: BinaryIO) -> list[tuple[bytes, bytes]]:
    """Each pair of a pile once, by the place of its item."""
    pile.seek(0)
    pairs = {}
    while intro := pile.read(_PAIR.size):
        id_bytes, verdict_bytes = _PAIR.unpack(intro)
        item_id = pile.read(id_bytes)
        pairs[item_id] = pile.read(verdict_bytes)
    return sorted(pairs.items(), key=lambda pair: (seq_of_verdict(pair[1]) or 0, pair[0]))
