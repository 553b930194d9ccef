"""The parts that a cluster could be split into, as people are shown them before they decide: with members of each.

As with the evidence (evidence.py), the engine is looked at between two steps, and payloads are put to it beside.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from model.bundle import Bundle
from model.inputs import Payload
from service.clustering.engine import Engine
from service.clustering.members import Member
from service.decisions import SplitPreview
from service.describing.evidence import Shown, shown
from service.describing.exemplars import Exemplar, exemplars


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPart:
    """A part.

    Attributes:
        members: Places in the stream of its members: what a decision says of it.
        items: About how many items it has.
        exemplars: Members to look at.
    """

    members: tuple[int, ...]
    items: int
    exemplars: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSplit:
    """What a cluster could be split into; see `SplitPreview`."""

    cluster: int
    seq: int
    parts: tuple[ShownPart, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LookedParts:
    """What `look_at_parts` has seen: of each part, in order, its members to show."""

    preview: SplitPreview
    chosen: tuple[tuple[tuple[Exemplar, Member], ...], ...]

    @property
    def wanted(self) -> list[str]:
        """Ids of all payloads that `describe_parts` can use."""
        return [member.id for part in self.chosen for _, member in part]


def look_at_parts(engine: Engine, cluster: int, bundle: Bundle) -> LookedParts:
    """What an engine at rest would split a cluster into; raises as `Engine.splits`."""
    preview, known = engine.splits(cluster), engine.space.project(bundle.known.prototypes)
    chosen = []
    for part in preview.parts:
        own = set(part.members)
        rows = [n for n, member in enumerate(engine.lives[cluster].members) if member.seq in own]
        members = [member for member in engine.lives[cluster].members if member.seq in own]
        x = engine.space.project(engine.lives[cluster].members.z[rows])
        chosen.append(tuple((one, members[one.row]) for one in exemplars(x, known)))
    return LookedParts(preview=preview, chosen=tuple(chosen))


def describe_parts(seen: LookedParts, payloads: Mapping[str, Payload], bundle: Bundle) -> ShownSplit:
    """The parts.

    Args:
        seen: What `look_at_parts` gave.
        payloads: Those that are there, by id.
        bundle: What the stream is decided with.
    """
    preview = seen.preview
    return ShownSplit(
        cluster=preview.cluster,
        seq=preview.seq,
        parts=tuple(
            ShownPart(
                members=part.members,
                items=part.items,
                exemplars=tuple(shown(one, member, payloads, bundle) for one, member in chosen),
            )
            for part, chosen in zip(preview.parts, seen.chosen, strict=True)
        ),
    )
