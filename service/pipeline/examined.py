"""An answer with more than a verdict: why it is so, or what would be said of an item that is not learnt."""

from dataclasses import dataclass
from typing import Any

import msgspec

from service.clustering.explanation import Explanation
from service.records import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """What was said of an item that somebody wants to know more of, or does not want to be learnt.

    Attributes:
        id: The client's, or firstseen's for a learnt item without one; None for one in a dry run.
        verdict: Of a dry run: what the item would get, were it the next of the stream; its place is that one's.
        is_learned: Whether it is durable and counts; False in a dry run.
        explanation: Why, where that was asked for. Of an item learnt just now, as of just before it was; of one that
            had its verdict before, as of now: what is said now may differ, and the verdict stays.
    """

    id: str | None
    verdict: Verdict
    is_learned: bool
    explanation: Explanation | None

    @property
    def seq(self) -> int | None:
        """The item's place in the stream; None for a dry run, which takes none."""
        return self.verdict.seq if self.is_learned else None


def fields_of(examined: Examined) -> dict[str, Any]:
    """As JSON or MessagePack: a verdict's fields, `learned`, and `explanation` where there is one."""
    said = examined.verdict
    shown: dict[str, Any] = {
        "id": examined.id,
        "seq": examined.seq,
        "verdict": said.verdict.value,
        "label": said.label,
        "cluster_id": said.cluster_id,
        "novelty": said.novelty,
        "nearest": said.nearest,
        "distance": said.distance,
        "learned": examined.is_learned,
    }
    if examined.explanation is not None:
        shown["explanation"] = msgspec.to_builtins(examined.explanation)
    return shown
