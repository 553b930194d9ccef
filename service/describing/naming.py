"""A name to suggest for a cluster, from what sets it apart; the same whenever it is asked for of the same cluster.

    texts     its telling terms            "flight, rome"
    tables    its two strongest features   "bytes high, protocol icmp"
    vectors   likewise                     "14 high, 3 low"
    pictures  what it is like              "like 8, no. 17"
    a drift   of what                      "dns, drifted"

A name is for people, and may be made of what a client sent: it is one short line without control characters, and is
data wherever it goes.
"""

from collections.abc import Sequence
from typing import Final

from service.describing.features import Feature
from service.describing.terms import Term

LONGEST: Final = 60
_FEW: Final = 3
_TWO: Final = 2


def suggested(
    cluster: int,
    *,
    drift_of: str | None,
    nearest: str | None,
    terms: Sequence[Term] = (),
    features: Sequence[Feature] = (),
) -> str:
    """A name for the cluster of this id.

    Args:
        cluster: Its id.
        drift_of: The known class that it is a drift of, or None.
        nearest: The known class nearest to it, or None.
        terms, features: What sets it apart, most telling first.
    """
    if drift_of is not None:
        name = f"{_line(drift_of)}, drifted"
    elif terms:
        name = ", ".join(_line(term.term) for term in terms[:_FEW])
    elif features:
        name = ", ".join(_told(feature) for feature in features[:_TWO])
    elif nearest is not None:
        name = f"like {_line(nearest)}, no. {cluster}"
    else:
        name = f"cluster {cluster}"
    return name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + "\u2026"


def _told(feature: Feature) -> str:
    name = _line(feature.feature)
    if feature.kind == "number":
        return f"{name} {'high' if feature.z > 0 else 'low'}"
    return f"{name} missing" if feature.kind == "missing" else f"{name} {_line(str(feature.value))}"


def _line(text: str) -> str:
    """One short line that can be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:200]).split()) or "?"
