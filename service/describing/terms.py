"""Terms that set a cluster's texts apart: words and pairs of words that are in them and seldom elsewhere.

Counted are texts that have a term, not how often they have it, so that no text speaks for many. Of n texts of the
cluster y have it, of m others x have it, and of all texts a share f is expected to. With that as prior the log-odds
ratio and its standard error are (Monroe, Colaresi and Quinn 2008, "Fightin' Words", equations 16 and 19)

    a = A f    ratio = ln (y + a) / (n + A - y - a)  -  ln (x + a) / (m + A - x - a)
    z = ratio / sqrt(1 / (y + a) + 1 / (x + a))

and a term is told of where z is above ENOUGH and its share at least LIFT times that elsewhere, the surest first. One
that more than COMMON of many other texts have names nothing, however sure it is that this cluster has it more.
Elsewhere are texts of other clusters, the few texts that the bundle has, and, where its net counts words
(`model/networks/tfidf.py`), the share of the texts that it was fitted to that have a term: these count as FITTED texts.

A pair is told of only where both its words are, and of terms that share a word only the first.

A text is hostile: terms are runs of letters and digits, short, and of a text only the first characters count.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from model.bundle import Bundle

MOST_TERMS: Final = 10
ENOUGH: Final = 1.64
LIFT: Final = 3.0
COMMON: Final = 0.05
PRIOR: Final = 10.0
FITTED: Final = 200.0

_MANY: Final = 50
_LONGEST_READ: Final = 4000
_LONGEST_WORD: Final = 40
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A term that sets texts apart.

    Attributes:
        term: A word, or two with a space between.
        z: How surely.
        share: Of the cluster's texts that have it.
        elsewhere: Of other texts that have it.
    """

    term: str
    z: float
    share: float
    elsewhere: float


def distinguishing(
    own: Sequence[str], others: Sequence[str], fitted: Mapping[str, float] | None = None
) -> tuple[Term, ...]:
    """What sets some texts apart from others.

    Args:
        own: The cluster's.
        others: Of other clusters and known classes.
        fitted: The share of known classes' texts that have a term, where that is known; others have none.
    """
    ours, theirs = _texts_with(own), _texts_with(others)
    n, known = len(own), {} if fitted is None else fitted
    m = len(others) + (FITTED if known else 0.0)
    judged: dict[str, Term] = {}
    for term, y in ours.items():
        if y < 2 and n > 1:
            continue
        x = theirs[term] + FITTED * known.get(term, 0.0)
        judged[term] = Term(
            term=term,
            z=round(_z(y, n, x, m), 6),
            share=round(y / n, 6),
            elsewhere=round(x / m, 6) if m else 0.0,
        )
    rare = COMMON if m >= _MANY else 1.0
    told = {
        term
        for term, found in judged.items()
        if found.z > ENOUGH and LIFT * found.elsewhere <= found.share and found.elsewhere <= rare
    }
    chosen: list[Term] = []
    used: set[str] = set()
    for term in sorted(told, key=lambda term: (-judged[term].z, -len(term), term)):
        words = set(term.split(" "))
        if words & used or not words <= told:
            continue
        chosen.append(judged[term])
        used |= words
    return tuple(chosen[:MOST_TERMS])


def fitted_shares(bundle: Bundle) -> dict[str, float]:
    """The share of the texts that the bundle's net was fitted to that have a term; nothing where it counts none."""
    raw, idf = bundle.files.get("vocabulary.json"), bundle.weights.get("idf")
    if raw is None or idf is None:
        return {}
    words: list[str] = json.loads(raw)["words"]
    return {
        word: math.exp(1.0 - float(weight)) for word, weight in zip(words, idf[: len(words)], strict=True)
    }


def _z(y: float, n: float, x: float, m: float) -> float:
    if not m:  # nothing to compare with: what is in all texts comes first, long words before short
        return ENOUGH + y / n
    a = PRIOR * min(0.99, max(0.01, (y + x) / (n + m)))
    ratio = math.log((y + a) / (n + PRIOR - y - a)) - math.log((x + a) / (m + PRIOR - x - a))
    return ratio / math.sqrt(1.0 / (y + a) + 1.0 / (x + a))


def _texts_with(texts: Iterable[str]) -> Counter[str]:
    """How many texts have each term."""
    return Counter(term for text in texts for term in _terms_of(text))


def _terms_of(text: str) -> set[str]:
    words = [word for word in _WORD.findall(text[:_LONGEST_READ].lower()) if len(word) <= _LONGEST_WORD]
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}
