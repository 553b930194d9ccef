"""The clusters a stream remembers beside its micro-clusters: what each is, where it came from, what it went into.

    parent_id     what it split from. Items of a part that is not announced yet go by the id of the elder: the first
                  announced one on the way up.
    merged_into   what took it in. An old id goes by its heir: the last on the way down.

No way is a circle. A cluster that ended stays listed, so that its id leads to its heir; the oldest are forgotten.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from service.clustering.arrivals import Arrivals
from service.clustering.dismissal import Dismissal
from service.clustering.emergence import Start, count_hit
from service.clustering.members import Member, Members
from service.clustering.moments import Moment, is_repeat, remember
from service.clustering.shape import Shape
from service.records import ANNOUNCED, NO_CLUSTER, SHOWN, ClusterState, Evidence, Float64s, Missing

MAX_GONE = 1_000
"""Clusters that are gone or merged stay listed, so that an old id redirects; beyond this many the oldest leave."""


@dataclass(kw_only=True, slots=True)
class Life:
    """What the engine remembers of one cluster beside its micro-clusters. Owned and changed by Engine alone.

    `residual` counts items of micro-clusters it had and that are gone; `starts` are those of its sequential test; one
    that `is_united` stays one cluster though its micro-clusters come apart; `variant_of` is the index of the known
    class that it is a drift of, `missing` how that was seen; `usual` and `cores` are the counts usual at its birth, and
    all until then: variants.py. `repeats`, `moments` (moments.py) and `shape` (shape.py) are a candidate's; `members`
    (members.py) are those of its items that are remembered, `arrivals` (arrivals.py) when they came.

    What people decided: `label` is the index of the class that it is part of; `dismissed` until when (dismissal.py); it
    `is_bound` since they merged another into it, and stays `apart` from those that they split it from.
    """

    id: int
    ordinal: int
    born_seq: int
    first_t: float
    last_seq: int
    last_t: float
    state: ClusterState = ClusterState.CANDIDATE
    name: str | None = None
    label: int | None = None
    dismissed: Dismissal | None = None
    apart: list[int] = field(default_factory=list)
    parent_id: int | None = None
    merged_into: int | None = None
    variant_of: int | None = None
    usual: list[int] = field(default_factory=list)
    cores: list[int] = field(default_factory=list)
    residual: int = 0
    is_united: bool = False
    is_bound: bool = False
    starts: list[Start] = field(default_factory=list)
    repeats: int = 0
    moments: list[Moment] = field(default_factory=list)
    shape: Shape = field(default_factory=Shape)
    missing: Missing | None = None
    p0: float = 0.0
    exemplars: list[str] = field(default_factory=list)
    members: Members = field(default_factory=Members)
    arrivals: Arrivals = field(default_factory=Arrivals)
    emerged_seq: int | None = None
    items_to_emerge: int | None = None
    evidence: Evidence | None = None

    @property
    def is_decided(self) -> bool:
        """Whether people have decided what it is: then neither a chain nor a fit does."""
        return self.label is not None or self.is_bound or bool(self.apart)


Lives = dict[int, Life]
"""By id, in order of birth."""


def count_item(life: Life, x: Float64s, seq: int) -> None:
    """An item, float64 (C,) at `seq`, fell into a candidate's region, as that was before the item."""
    if life.state is not ClusterState.CANDIDATE:
        return
    if is_repeat(life.moments, x, seq):
        life.repeats += 1
        return
    remember(life.moments, x, seq)
    count_hit(life.starts, seq)
    life.shape.add(x)


def join(lives: Lives, own: int, verdict: int, member: Member) -> None:
    """An item becomes a member of the cluster that its micro-cluster is part of, now that it is learnt.

    Or else of the one whose item it was said to be, where that is another, and not merely the elder of the first.
    """
    cluster = own if verdict == NO_CLUSTER or (own in lives and elder(lives, own) == verdict) else verdict
    life = lives.get(cluster)
    if life is not None and life.state is not ClusterState.GONE:
        life.members.add(member, keep_sample=life.state in SHOWN)
        life.arrivals.add(member.seq)


def elder(lives: Lives, cluster: int) -> int:
    """The cluster itself if people know it, else the one it is splitting from, else NO_CLUSTER."""
    while cluster != NO_CLUSTER and lives[cluster].state not in ANNOUNCED:
        cluster = lives[cluster].parent_id or NO_CLUSTER
    return cluster


def heir(lives: Lives, cluster: int) -> int:
    """The cluster it goes by now: itself, or what took it in; NO_CLUSTER where that is gone or forgotten."""
    life = lives.get(cluster)
    while life is not None and life.merged_into is not None:
        life = lives.get(life.merged_into)
    return NO_CLUSTER if life is None or life.state is ClusterState.GONE else life.id


def absorb(lives: Lives, life: Life, into: Life, *, exemplars: int) -> None:
    """One cluster ends in another, which gets what is remembered of it; its micro-clusters have changed hands.

    Args:
        lives: all.
        life: the one that ends.
        into: its heir.
        exemplars: how many the heir keeps, the latest of the two.
    """
    into.residual += life.residual
    into.is_united |= life.is_united
    into.is_bound |= life.is_bound
    into.label = life.label if into.label is None else into.label
    _stay_apart_as(lives, life, into)
    if into.state is ClusterState.CANDIDATE:
        into.shape.take_in(life.shape)
        into.repeats += life.repeats
    earlier, later = sorted((life, into), key=lambda one: one.last_seq)
    before = [id for id in earlier.exemplars if id not in later.exemplars]
    into.exemplars = [*before, *later.exemplars][-exemplars:]
    into.members.take_in(life.members)
    into.arrivals.take_in(life.arrivals)
    life.members, life.arrivals = Members(), Arrivals()
    into.last_seq, into.last_t = later.last_seq, later.last_t
    _hand_children_over(lives, life, into)
    life.state, life.merged_into, life.residual = ClusterState.GONE, into.id, 0
    life.usual, life.cores = [], []
    life.moments, life.shape, life.repeats = [], Shape(), 0


def keep_apart(lives: Lives, one: int, other: int) -> None:
    """Nothing makes the two one from now on."""
    for cluster, apart in ((lives[one], other), (lives[other], one)):
        cluster.apart = sorted({*cluster.apart, apart})


def let_meet(lives: Lives, one: int, other: int) -> None:
    """Nothing keeps the two apart any more."""
    for cluster, apart in ((one, other), (other, one)):
        if cluster in lives:
            lives[cluster].apart = [own for own in lives[cluster].apart if own != apart]


def apart_pairs(lives: Lives, shown: Collection[int]) -> list[tuple[int, int]]:
    """The clusters of which no chain makes one since people have decided about either, as pairs.

    Where two are kept apart, one that is united could bring them together again: so it meets nobody, either.
    """
    if not any(lives[cluster].is_decided for cluster in shown):
        return []
    fixed = {cluster for cluster in shown if lives[cluster].is_decided or lives[cluster].is_united}
    return [(one, other) for one in sorted(fixed) for other in sorted(shown) if one != other]


def _stay_apart_as(lives: Lives, life: Life, into: Life) -> None:
    """The heir stays apart from those that the one that ends stayed apart from."""
    for other in life.apart:
        let_meet(lives, life.id, other)
        if other in lives and other != into.id:
            keep_apart(lives, into.id, other)
    life.apart = []


def _hand_children_over(lives: Lives, life: Life, into: Life) -> None:
    """What split off from a cluster that ended now split off from its heir. Parents never form a cycle."""
    above = into
    while above.parent_id is not None:
        if above.parent_id == life.id:  # the heir itself descends from it: then it takes its place
            into.parent_id = life.parent_id
            break
        above = lives[above.parent_id]
    for child in lives.values():
        if child.parent_id == life.id and child is not into:
            child.parent_id = into.id


def forget(lives: Lives, cluster: int) -> None:
    """It never was; what split from it came from nothing, and what it stayed apart from may meet anybody."""
    for other in lives[cluster].apart:
        let_meet(lives, cluster, other)
    del lives[cluster]
    for life in lives.values():
        if life.parent_id == cluster:
            life.parent_id = None


def forget_oldest(lives: Lives, kept: Collection[int] = ()) -> None:
    """Let no more than MAX_GONE be listed that have ended, beside those that are to be kept."""
    gone = [c for c, life in lives.items() if life.state is ClusterState.GONE and c not in kept]
    for cluster in gone[: max(0, len(gone) - MAX_GONE)]:
        forget(lives, cluster)
