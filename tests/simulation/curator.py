"""A person who decides about clusters: whatever comes to mind, of what there was a moment ago, until it is answered."""

import random
from typing import TYPE_CHECKING

from service.decisions import Action, Decision
from service.errors import ClientError
from service.pipeline.stream_view import StreamView
from service.records import SHOWN
from tests.simulation import small

if TYPE_CHECKING:
    from tests.simulation.process import Process

_LABELS = ("cat", "dog")


async def thought_of(rng: random.Random, process: "Process", key: str) -> Decision | None:
    """A decision about what one process shows; None where there is nothing to decide about."""
    view = await process.pipeline.view()
    shown = [cluster.id for cluster in view.clusters if cluster.state in SHOWN]
    if not shown:
        return None
    given = {"key": key, "cluster": rng.choice(shown), "t": 0.0, "who": "curator"}
    action = rng.choice(list(Action))
    match action:
        case Action.NAME:
            return Decision(**given, action=action, label=rng.choice(("", "a name")))  # type: ignore[arg-type]
        case Action.PROMOTE:
            return Decision(**given, action=action, label=rng.choice(_LABELS))  # type: ignore[arg-type]
        case Action.LINK:
            return Decision(**given, action=action, label=rng.choice((*_LABELS, *small.LABELS)))  # type: ignore[arg-type]
        case Action.MERGE:
            return Decision(**given, action=action, into=rng.choice(shown))  # type: ignore[arg-type]
        case Action.DISMISS:
            return Decision(**given, action=action, until_rate=rng.choice((None, 1.1, 3.0)))  # type: ignore[arg-type]
        case Action.SPLIT:
            return _split(process, given)
        case Action.UNDO:
            return _undo(rng, view, key)


def _split(process: "Process", given: dict[str, object]) -> Decision | None:
    try:
        shown = process.pipeline._present().splits(given["cluster"])  # type: ignore[arg-type]
    except ClientError:
        return None
    parts = tuple(part.members for part in shown.parts)
    return Decision(**given, action=Action.SPLIT, parts=parts) if len(parts) > 1 else None  # type: ignore[arg-type]


def _undo(rng: random.Random, view: StreamView, key: str) -> Decision | None:
    made = [one for one in view.decisions if one.undone_by is None]
    if not made:
        return None
    one = rng.choice(made)
    return Decision(
        key=key, action=Action.UNDO, cluster=one.decision.cluster, t=0.0, who="curator", undoes=one.seq
    )
