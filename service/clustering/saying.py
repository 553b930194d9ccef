"""What is said of an item that goes to the clusterer, in the light of what people made of clusters.

    the ball it lies in ─► else who claims it ─► else who took it for a class ─► = its cluster
    its cluster ─► part of a class? ─► known, of that class
                └► no ────────────────► as the gates say (gates.py)

Where it lies in the ball of another cluster than the one that took it for a class, the ball has the word: a prototype
reaches far (promoted.py), and what is announced there is announced for what lies there. But if that cluster is part of
a class itself, the prototypes have been compared, and have it.
"""

from typing import TYPE_CHECKING

from service.clustering.gates import Said
from service.records import NO_CLUSTER, VerdictKind

if TYPE_CHECKING:
    from service.clustering.engine import Engine


def home_of(engine: "Engine", home: int, claimed: int, taken: int) -> int:
    """The announced cluster whose item one is, or NO_CLUSTER.

    Args:
        engine: As it is before the item.
        home: The cluster whose ball it lies in.
        claimed: Who claims it.
        taken: Who took it for a class.
    """
    own, by = engine.announced(home), engine.goes_by(taken)
    if NO_CLUSTER not in (by, own) and engine.lives[own].label is not None:
        return by
    return own or engine.goes_by(claimed) or by


def said_of(
    engine: "Engine", cluster: int, taken: int, novelty: float, *, accepted: bool
) -> tuple[Said, int | None]:
    """What a fed item is.

    Args:
        engine: As it is before the item.
        cluster: Its `home_of`.
        taken: The cluster that took it for a class, or NO_CLUSTER.
        novelty: 1 - p of all reasons, or of that class.
        accepted: What the gates said.

    Returns:
        Kind, cluster and novelty; and its class where it is known by its cluster, which is not its nearest then.
    """
    if taken == NO_CLUSTER:
        said = engine.gates.verdict(novelty, cluster, accepted=accepted)
    elif cluster in (NO_CLUSTER, engine.goes_by(taken)):
        said = VerdictKind.KNOWN, NO_CLUSTER, novelty
    else:
        said = VerdictKind.CLUSTER, cluster, novelty
    label = engine.lives[cluster].label if said[0] is VerdictKind.CLUSTER else None
    return (said, None) if label is None else ((VerdictKind.KNOWN, NO_CLUSTER, said[2]), label)
