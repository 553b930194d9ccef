"""Which streams a store holds, and how each stands: asked without owning any of them, and without a scan.

The names are one set (`fs:streams`, keys.py); a stream's bundle key says whether it is there at all. Looking at a page
of streams is two round trips, whatever the number of keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.state.keys import STREAMS, Keys
from service.state.wire import Wire

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, kw_only=True)
class StoredStream:
    """A stream as it lies in the store.

    Attributes:
        name: Its name.
        bundle_id: Of the bundle that its state is of.
        seq: The seq after its last durable item; None where the state is of another bundle.
        epoch: How often it was taken.
        owner: Whose lease is alive; None where nobody has it open.
    """

    name: str
    bundle_id: str
    seq: int | None
    epoch: int
    owner: str | None


class StreamNames:
    """The streams of one store, for a reader with this bundle.

    Every method may raise StoreUnavailable and StoreMisconfigured.
    """

    def __init__(self, client: "Redis", bundle_id: str) -> None:
        self._wire = Wire(client)
        self._bundle_id = bundle_id

    async def has(self, name: str) -> bool:
        """Whether there is such a stream, of whatever bundle."""
        return int(await self._wire.command("EXISTS", self._keys(name).bundle)) == 1

    async def all(self) -> list[str]:
        """All names, in order; at most `MOST_STREAMS`. One may be of a stream that somebody has deleted."""
        found: Sequence[bytes] = await self._wire.command("SMEMBERS", STREAMS)
        return sorted(name.decode() for name in found)

    async def look(self, names: Sequence[str]) -> list[StoredStream]:
        """Those of these streams that are there, in the order of `names`."""
        asked: list[list[str | bytes | int]] = []
        for keys in map(self._keys, names):
            asked += [["GET", key] for key in (keys.bundle, keys.epoch, keys.lease)]
            asked.append(["HGET", keys.head, "seq"])
        replies = await self._wire.commands(*asked) if asked else []
        found: list[StoredStream] = []
        for n, name in enumerate(names):
            bundle, epoch, lease, seq = replies[4 * n : 4 * n + 4]
            if bundle is not None:
                found.append(
                    StoredStream(
                        name=name,
                        bundle_id=bundle.decode(),
                        seq=None if seq is None else int(seq),
                        epoch=int(epoch.split()[0]) if epoch else 0,
                        owner=None if lease is None else lease.decode(),
                    )
                )
        return found

    async def with_webhooks(self, names: Sequence[str]) -> list[str]:
        """Those of these streams that have webhooks."""
        counts = (
            await self._wire.commands(*(["HLEN", self._keys(name).hooks] for name in names)) if names else []
        )
        return [name for name, count in zip(names, counts, strict=True) if count]

    def _keys(self, name: str) -> Keys:
        return Keys(name, self._bundle_id)
