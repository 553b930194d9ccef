"""Deciding about clusters: the calls of a client that change what an item is said to be, and the trail they leave.

A decision has a name before it is sent, its `Idempotency-Key`, drawn here or given as `key`. Whatever is cut, refused
for a moment or left unanswered is sent again under that name, and the service makes a decision once. So a lost reply
decides nothing twice; and who gave a key of his own may send it again himself, days later.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from service.client.answers import Cluster, Clusters, Decision, SplitPreview
from service.client.asking import Requests

_PAGE = 100


class Curating:
    """The part of `AsyncClient` that is about clusters. Every call raises what `Requests.ask` raises:

    GaveUp: The service was away for too long; whether it is decided is not known, and the same `key` finds out.
    Refused: It cannot be; the problem says what to do first.
    """

    _requests: Requests
    _new_id: Callable[[], str]

    async def clusters(
        self, state: str | None = None, *, name: str | None = None, dismissed: bool | None = None
    ) -> Clusters:
        """The clusters as they are: those announced, or those in one state.

        Args:
            state: candidate, variant, emerging, established, fading or gone.
            name: Part of the name, or of the class's label.
            dismissed: True: those that were dismissed alone; False: without them.
        """
        asked = {
            "state": state,
            "name": name,
            "dismissed": None if dismissed is None else str(dismissed).lower(),
        }
        _, said = await self._requests.ask("GET", "/clusters", parameters=_given(asked))
        return msgspec.convert(said, Clusters)

    async def cluster(self, id: int, *, follow: bool = False) -> Cluster:
        """One cluster, also one that is gone; with `follow` the one that it is part of now, where it was merged."""
        _, said = await self._requests.ask(
            "GET", f"/clusters/{id}", parameters={"follow": "true"} if follow else {}
        )
        return msgspec.convert(said, Cluster)

    async def evidence(self, id: int) -> dict[str, Any]:
        """What speaks for a cluster, and shows what it is: the JSON of `docs/evidence.md`, as the service gives it."""
        _, said = await self._requests.ask("GET", f"/clusters/{id}/evidence")
        return dict(said)

    async def name(self, id: int, label: str, *, why: str = "", key: str | None = None) -> Decision:
        """Call a cluster something; it stays a cluster. "" takes the name away."""
        return await self._decide("name", id, why, key, label=label)

    async def promote(self, id: int, label: str, *, why: str = "", key: str | None = None) -> Decision:
        """Make a cluster a known class, from the next item on, under a new label."""
        return await self._decide("promote", id, why, key, label=label)

    async def link(self, id: int, label: str, *, why: str = "", key: str | None = None) -> Decision:
        """Make a cluster part of a class that is known already, from the next item on."""
        return await self._decide("link", id, why, key, label=label)

    async def merge(self, id: int, into: int, *, why: str = "", key: str | None = None) -> Decision:
        """Let a cluster go into another one, and stay there."""
        return await self._decide("merge", id, why, key, into=into)

    async def split_preview(self, id: int) -> SplitPreview:
        """What a split would make of a cluster; nothing changes."""
        _, said = await self._requests.ask("GET", f"/clusters/{id}/split")
        return msgspec.convert(said, SplitPreview)

    async def split(
        self, id: int, parts: Iterable[Iterable[int]], *, why: str = "", key: str | None = None
    ) -> Decision:
        """Split a cluster into parts that stay apart: the `members` of each, as `split_preview` shows them.

        The first part keeps the id. A few members of each are enough, by their `seq`: the others go with the nearest.
        """
        return await self._decide("split", id, why, key, parts=[list(part) for part in parts])

    async def dismiss(
        self,
        id: int,
        *,
        until_rate: float | None = None,
        until: datetime | None = None,
        why: str = "",
        key: str | None = None,
    ) -> Decision:
        """Hear no more of a cluster, until it comes so many times as often as now, or until a date with a time zone."""
        when = None if until is None else until.isoformat()
        return await self._decide("dismiss", id, why, key, until_rate=until_rate, until=when)

    async def undo(
        self, id: int, decision: int | None = None, *, why: str = "", key: str | None = None
    ) -> Decision:
        """Take a decision about a cluster back: the latest that stands, or the one of that number."""
        return await self._decide("undo", id, why, key, decision=decision)

    async def decisions(
        self, cluster: int | None = None, *, action: str | None = None
    ) -> AsyncGenerator[Decision, None]:
        """What was decided, by whom, when and why: newest first, page by page as they are asked for.

        Args:
            cluster: Only what is about this one.
            action: Only decisions of this kind.
        """
        asked = {"cluster": cluster, "action": action, "limit": _PAGE, "after": None}
        while True:
            _, said = await self._requests.ask("GET", "/decisions", parameters=_given(asked))
            for one in said["decisions"]:
                yield msgspec.convert(one, Decision)
            if said["next"] is None:
                return
            asked["after"] = said["next"]

    async def _decide(self, action: str, id: int, why: str, key: str | None, **what: Any) -> Decision:  # noqa: ANN401 - JSON
        body = {name: value for name, value in {**what, "why": why or None}.items() if value is not None}
        headers = {"content-type": "application/json", "idempotency-key": f'"{key or self._new_id()}"'}
        _, said = await self._requests.ask(
            "POST", f"/clusters/{id}/{action}", body=msgspec.json.encode(body), headers=headers
        )
        return msgspec.convert(said, Decision)


def _given(asked: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in asked.items() if value is not None}
