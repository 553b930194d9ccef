"""A pipeline that keeps decisions in memory: what curation looks like from outside, until the engine does it."""

from dataclasses import replace
from typing import Any

from service.decisions import Action, Decided, Decision, Part, SplitPreview
from service.errors import CannotDecide, UnknownCluster
from service.pipeline.stream_view import StreamView
from service.records import ClusterState


class StandIn:
    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.made: list[Decided] = []
        self._next = 10_000

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    async def view(self, **asked: Any) -> StreamView:
        view = await self._pipeline.view(**asked)
        clusters = {c.id: c for c in view.clusters}
        for one in self.made:
            d = one.decision
            if one.undone_by is not None or d.action is Action.UNDO:
                continue
            c = clusters[d.cluster]
            match d.action:
                case Action.NAME:
                    c = replace(c, name=d.label or None)
                case Action.PROMOTE | Action.LINK:
                    c = replace(c, label=d.label)
                case Action.MERGE:
                    c = replace(c, merged_into=d.into, state=ClusterState.GONE)
                case Action.DISMISS:
                    c = replace(c, dismissed=True)
                case Action.SPLIT:
                    for n in one.created:
                        clusters[n] = replace(c, id=n, parent_id=c.id)
            clusters[d.cluster] = c
        found = replace(view, clusters=tuple(clusters.values()))
        object.__setattr__(found, "decisions", tuple(self.made))
        return found

    async def splits(self, cluster: int) -> SplitPreview:
        view = await self.view()
        if cluster not in {c.id for c in view.clusters}:
            raise UnknownCluster(f"There is no cluster {cluster}.")
        return SplitPreview(
            cluster=cluster,
            seq=view.seq,
            parts=tuple(Part(births=(n, n + 10), items=9 - n, exemplars=("a", "b")) for n in (1, 2)),
        )

    async def curate(self, decision: Decision) -> Decided:
        for one in self.made:
            if one.decision.key == decision.key:
                return one
        view = await self.view()
        clusters = {c.id: c for c in view.clusters}
        if decision.cluster not in clusters:
            raise UnknownCluster(
                f"There is no cluster {decision.cluster}; GET /clusters lists those there are."
            )
        if clusters[decision.cluster].state is ClusterState.GONE and decision.action is not Action.UNDO:
            raise CannotDecide(f"Cluster {decision.cluster} is gone.")
        self._next += 1
        created = ()
        if decision.action is Action.SPLIT:
            created = tuple(max(clusters) + 1 + n for n in range(len(decision.parts)))
        if decision.action is Action.UNDO:
            n = next(n for n, one in enumerate(self.made) if one.seq == decision.undoes)
            self.made[n] = replace(self.made[n], undone_by=self._next)
        made = Decided(decision=decision, seq=self._next, created=created)
        self.made.append(made)
        return made
