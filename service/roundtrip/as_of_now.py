"""What holds of an item by today's decisions, though its verdict stays what it was.

    known                        the class that was answered, by the bundle, or since people had made it; where that
                                 was undone, the cluster that it had been made of, if it was one ─► its class now
    cluster c                    c ─► its heir (merges redirect) ─► the class that was promoted or linked of it
    any, and among the members   that cluster ─► its heir ─► class: a split part, or an item of before it was announced
    that a cluster remembers

An item that is no remembered member, and came before its cluster was parted, may lie in either part. Where people
decided otherwise of the parts, nothing is said of it: what they did not decide is no label to learn from.

Read-only, and for exports alone: nothing is ever relabelled in the stream itself.
"""

from dataclasses import dataclass

from service.clustering.engine import Engine
from service.clustering.kinship import Life, elder, heir
from service.decisions import Action
from service.records import NO_CLUSTER, ClusterState, Verdict

BY_VERDICT = "verdict"
BY_DECISION = "decision"


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """What holds now; None for nothing. by: who says the label, `BY_VERDICT` or `BY_DECISION`."""

    label: str | None = None
    by: str | None = None
    cluster: int | None = None
    name: str | None = None

    def as_row(self) -> tuple[object, ...]:
        """In the order of the columns `..._now`."""
        return self.label, self.by, self.cluster, self.name


class AsOfNow:
    """Today's reading of verdicts.

    Args:
        engine: At the head of the stream.
    """

    def __init__(self, engine: Engine) -> None:
        self._lives = engine.lives
        self._labels = engine.labels
        own, promoted = engine.bundle_classes, engine.gates.promoted
        self._by = dict.fromkeys(engine.labels[:own], BY_VERDICT)
        self._by |= {
            label: BY_DECISION for k, label in enumerate(engine.labels) if k >= own and promoted.has_class(k)
        }
        self._parted = _parted(engine)
        self._taken_back = {
            label: clusters.pop() for label, clusters in _made_of(engine).items() if len(clusters) == 1
        }
        self._of_cluster: dict[int, Now] = {}
        self._member = {
            id: cluster
            for life in engine.lives.values()
            if self._heir(cluster := _announced(engine, life))
            for id in life.members.ids
        }

    def of(self, verdict: Verdict) -> Now:
        """What holds of the item that got this verdict."""
        if verdict.label in self._by:
            return Now(label=verdict.label, by=self._by[verdict.label])
        if verdict.id in self._member:
            return self._now(self._member[verdict.id])
        said = verdict.cluster_id or self._taken_back.get(verdict.label or "") or NO_CLUSTER
        could_be = {self._now(cluster) for cluster in self._parts(said, verdict.seq)}
        if len(could_be) == 1:
            return could_be.pop()
        classes = {(now.label, now.by) for now in could_be}
        label, by = classes.pop()
        return Now() if classes else Now(label=label, by=by)

    def of_id(self, id: str) -> Now:
        """What holds of an item whose verdict is not kept any more."""
        return self._now(self._member.get(id, NO_CLUSTER))

    def _parts(self, cluster: int, seq: int) -> set[int]:
        """The clusters that an item of this one may lie in, where it came at `seq`."""
        found = {self._heir(cluster)}
        more = list(found)
        while more:
            left = {part for at, part in self._parted.get(more.pop(), ()) if at > seq} - found
            found |= left
            more += left
        return found

    def _now(self, cluster: int) -> Now:
        if cluster not in self._of_cluster:
            self._of_cluster[cluster] = self._look(cluster)
        return self._of_cluster[cluster]

    def _look(self, cluster: int) -> Now:
        now = self._heir(cluster)
        if now == NO_CLUSTER:
            return Now()
        life = self._lives[now]
        if life.label is None:
            return Now(cluster=now, name=life.name)
        return Now(label=self._labels[life.label], by=BY_DECISION, cluster=now, name=life.name)

    def _heir(self, cluster: int) -> int:
        return heir(self._lives, cluster)


def _made_of(engine: Engine) -> dict[str, set[int]]:
    """The clusters that people ever made part of each class, as they go by now."""
    found: dict[str, set[int]] = {}
    for decided in engine.decisions:
        if decided.label is not None and decided.decision.action in (Action.PROMOTE, Action.LINK):
            found.setdefault(decided.label, set()).add(heir(engine.lives, decided.decision.cluster))
    return found


def _parted(engine: Engine) -> dict[int, list[tuple[int, int]]]:
    """(place, part) of each part that left a cluster, is still there, and that people decided of."""
    found: dict[int, list[tuple[int, int]]] = {}
    for life in engine.lives.values():
        if (
            life.parent_id is not None
            and life.emerged_seq is not None
            and life.is_decided
            and heir(engine.lives, life.id)
        ):
            found.setdefault(heir(engine.lives, life.parent_id), []).append((life.emerged_seq, life.id))
    return found


def _announced(engine: Engine, life: Life) -> int:
    """The cluster that people know its items by: of a candidate, which nobody has seen, the one that it splits from."""
    return elder(engine.lives, life.id) if life.state is ClusterState.CANDIDATE else life.id
