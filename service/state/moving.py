"""A stream given another bundle, so that at every instant it is wholly of the one or wholly of the other.

    own it (lease, epoch)     nobody else serves it, or can write to it from now on
    write  fs:{stream}:+<t>:<new bundle>:...    under names that nobody reads: two snapshots of the engine as it is to
                              be, the ids with their verdicts, and a copy of all else that the stream has
    move                      one Function: names as they should be, the stream's bundle, and the note `kept`

The state that there was stays where it is, under the old bundle's id, and is what one step back goes to. All else
leaves from there in the same Function, and so does what an earlier move had kept: what a person wants forgotten
later, such as a payload, is in one place. Killed before it, a move leaves names with a `+`, which are no stream, and
which the next one clears; killed after it, it is done. Its reply lost, it can be made again.

The log begins anew at the place where the stream stands, and the sequence of places goes on. Ids keep their verdicts:
a verdict names classes by their number among a bundle's, so the numbers are changed, and a class that the other bundle
does not have is told by its name.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from service.state.checks import Head
from service.state.errors import StoreError
from service.state.keys import Keys
from service.state.packing import repacked
from service.state.reading import Cut, StreamReader
from service.state.snapshots import Description, chunk_count, cut
from service.state.store import StreamStore
from service.state.wire import Refusal, Wire

_FIELDS: Final = 500
Progress = Callable[[str, int, int, str], None]
"""stage, done, total, note."""


class NotMoved(StoreError):
    """The move was overtaken; the stream is as it was."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What there was before the last move. seq: where it stood then."""

    bundle_id: str
    seq: int

    def format(self) -> str:
        """As the key `kept` holds it."""
        return f"{self.bundle_id} {self.seq}"


async def kept_of(wire: Wire, keys: Keys) -> Kept | None:
    """What one step back goes to; None where there is nothing."""
    stored = await wire.command("GET", keys.kept)
    if stored is None:
        return None
    bundle_id, _, seq = stored.decode("ascii", "backslashreplace").partition(" ")
    if not seq.isdigit():
        raise StoreError(f"{keys.kept} is damaged: {stored!r}. A step back is not possible; a move is.")
    return Kept(bundle_id=bundle_id, seq=int(seq))


@asynccontextmanager
async def staging(
    wire: Wire, old: StreamReader, new: Keys, *, token: str, kept: Kept | None
) -> AsyncIterator["Moving"]:
    """A move under way; what it wrote is cleared if it does not come to its end.

    Args:
        wire: To a Redis that has the library of functions; its stream is owned by who moves it.
        old: Of the stream under the bundle it is of.
        new: Its keys under the one it is to be of.
        token: Unique to this move: letters and digits.
        kept: What is kept now, and leaves.
    """
    moving = Moving(wire, old, new, token=token, kept=kept)
    await moving.clear()
    try:
        yield moving
    finally:
        if not moving.is_done:
            await moving.clear()


class Moving:
    """One move of one stream; see `staging`."""

    def __init__(self, wire: Wire, old: StreamReader, new: Keys, *, token: str, kept: Kept | None) -> None:
        self._wire = wire
        self._old = old
        self._new = new
        self._token = token
        self._kept = kept
        self._written: dict[str, str] = {}
        self._copied: list[str] = []
        self.is_done = False

    async def clear(self) -> None:
        """Drop what moves that did not end have left."""
        if left := await self._old.staged():
            await self._wire.command("UNLINK", *left)

    async def copy_rest(self) -> None:
        """Take along what belongs to the stream and to no bundle: what is set aside, what is in hand, and so on."""
        old = self._old.keys
        for key in await self._old.names():
            if not key.startswith(old.own) or key in (old.head, old.log):
                continue
            if old.generation_of_ids(key) is None and old.place_of_chunk(key) is None:
                name = self._new.own + key.removeprefix(old.own)
                await self._wire.command("COPY", key, self._stage(name), "REPLACE")
                self._copied.append(key)

    async def write_ids(
        self,
        head: Head,
        *,
        before: Sequence[str],
        after: Sequence[str],
        progress: Progress,
    ) -> None:
        """All ids that are remembered, with their verdicts.

        Args:
            head: Of the cut.
            before: Labels by which their verdicts number classes.
            after: Labels by which they shall.
            progress: Told how far it is.
        """
        number = {label: n for n, label in enumerate(after)}
        numbers = [number.get(label, label) for label in before]
        total, done = sum(await self._old.count(head.live_ids)), 0
        for generation in head.live_ids:
            key = self._new.ids(generation)
            async for page in self._old.all_verdicts(generation):
                for first in range(0, len(page), _FIELDS):
                    pairs = page[first : first + _FIELDS]
                    flat = [part for id, data in pairs for part in (id, repacked(data, numbers))]
                    await self._wire.command("HSET", self._stage(key), *flat)
                done += len(page)
                progress("ids", min(done, total), total, "ids")

    async def write_state(self, blob: bytes, now: Cut, *, generation: int) -> None:
        """The engine's state at the head, in two snapshots, as every stream of some age has.

        Args:
            blob: The state.
            now: The cut: where the stream stands.
            generation: The last one handed out under either bundle.
        """
        seq = int(now.head[b"seq"])
        kept = [Description.of(blob, generation=generation + n, seq=seq) for n in (1, 2)]
        for description in kept:
            for n in range(chunk_count(blob)):
                key = self._stage(self._new.chunk(description.generation, n))
                await self._wire.command("SET", key, cut(blob, n))
        fields: dict[bytes, bytes | str | int] = {
            **{name: value for name, value in now.head.items() if name != b"saving"},
            b"gen": generation + 2,
            b"prev": kept[0].format(),
            b"cur": kept[1].format(),
            b"trimmed": seq,
        }
        await self._wire.command(
            "HSET", self._stage(self._new.head), *(part for pair in fields.items() for part in pair)
        )

    async def move(self, store: StreamStore, head: Head) -> None:
        """Make it so: from now on the stream is of the other bundle. Can be made again when its reply was lost."""
        old, new = self._old.keys, self._new
        leaving = [
            key
            for key in await self._old.names()
            if key.startswith(new.own)
            or (self._kept is not None and key.startswith(f"{new.shared}{self._kept.bundle_id}:"))
        ]
        note = Kept(bundle_id=old.bundle_id, seq=head.seq).format()
        leaving += self._copied
        names = [old.epoch, old.bundle, old.kept, old.head, *self._written.values(), *self._written, *leaving]
        try:
            await store.move(names, old.bundle_id, new.bundle_id, note, len(self._written), head.seq)
        except Refusal as refusal:
            if refusal.word != "MISSING":
                raise
            raise NotMoved(
                f"Stream {old.stream} changed while it was moved ({refusal.word.lower()} {refusal.rest}): nothing was "
                "moved. See what is there (`firstseen state verify`), and move it again."
            ) from None
        self.is_done = True

    def _stage(self, key: str) -> str:
        self._written[key] = self._new.staged(key, self._token)
        return self._written[key]
