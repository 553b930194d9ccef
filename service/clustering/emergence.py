"""Emergence: when do outliers become a class? A sequential test that may be looked at after every item.

For a candidate cluster, let p0 bound the rate at which items of *known* classes would fall into it; held-out known
items tell (background.py). If the stream holds nothing new, each item that arrives after the
candidate's birth falls into it with probability at most p0, whatever came before. Against that stands a
mixture over all larger rates:

    E_n = 1/(1-p0) * int_{p0}^{1} p^h (1-p)^(n-h) dp  /  ( p0^h (1-p0)^(n-h) )

for h hits in n trials: a supermartingale under every rate up to p0 (Robbins 1970; Ramdas et al. 2023, "Game-
theoretic statistics and safe anytime-valid inference"). By Ville's inequality the chance that it *ever* reaches
1/a is at most a, so one may look after every item. The j-th candidate of a stream gets a_j = 6 a / (pi^2 j^2),
which sums to the operator's budget a over all candidates for ever.

**Starts.** A candidate may live long on what known classes leak before its class appears, and then a test that began
at its birth drowns in the items of the quiet time. So a test is started at its birth and every START_EVERY items
again, the latest MOST_STARTS are kept, and the evidence is their weighted sum, the j-th start having the weight
w_j = 6 / (pi^2 j^2) (an e-detector; Shin, Ramdas and Rinaldo 2024, arXiv:2203.03532). Each is a supermartingale from
its start on and the weights sum to at most 1, so Ville's inequality holds for the sum.

An entry of the stream that is no item, a fit or other parameters, counts as a trial without a hit: it can only lower
the evidence.

Four things keep the test honest: items from before the candidate's birth do not count; an item counts by the region as
it was *before* that item was learnt; the same item over again counts once (moments.py); and p0 never falls while a
candidate lives. Two conditions are
left, and are the operator's to know: the bound p0 is itself an estimate, right with 95 % confidence, and the
held-out items must look like the stream's known items: drift of a known class is novelty to this test.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from scipy.special import betaincc, betaln


def log_e_value(hits: int, trials: int, p0: float) -> float:
    """Ln E_n of the mixture test above; 0 (E = 1) before the first trial and for p0 = 1."""
    if trials == 0 or p0 >= 1.0:
        return 0.0
    misses = trials - hits
    tail = float(betaincc(hits + 1, misses + 1, p0))
    if tail == 0.0:  # so far below p0 that the integral underflows: no evidence at all
        return -math.inf
    alternative = float(betaln(hits + 1, misses + 1)) + math.log(tail) - math.log1p(-p0)
    null = hits * math.log(p0) + misses * math.log1p(-p0)
    return alternative - null


START_EVERY = 250
"""Items between starts."""

MOST_STARTS = 8
"""Starts kept; one that is forgotten can only lower the evidence."""


class Start(msgspec.Struct):
    """One start of a candidate's test: which (from 1), at which item, and the hits since. Owned by the candidate."""

    number: int
    seq: int
    hits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Detected:
    """The evidence of all starts, with hits and trials of the one that says most."""

    log_e: float
    hits: int
    trials: int


def count_hit(starts: list[Start], seq: int) -> None:
    """The item at `seq` fell into the candidate's region: every start before it counts that."""
    for start in starts:
        if start.seq < seq:
            start.hits += 1


def begin_anew(starts: list[Start], seq: int) -> None:
    """Start once more when it is time; the first start is the birth."""
    if not starts or seq - starts[-1].seq >= START_EVERY:
        starts.append(Start(number=starts[-1].number + 1 if starts else 1, seq=seq, hits=0))
        del starts[: max(0, len(starts) - MOST_STARTS)]


def log_e_detector(starts: Sequence[Start], seq: int, p0: float) -> Detected:
    """The evidence up to and with the item at `seq`: ln of the weighted sum, -inf without a start."""
    best, parts = (-math.inf, 0, 0), []
    for start in starts:
        trials = max(0, seq - start.seq)
        hits = min(start.hits, trials)
        log_weight = math.log(6.0 / (math.pi**2 * start.number**2))
        parts.append(log_weight + log_e_value(hits, trials, p0))
        best = max(best, (parts[-1], hits, trials))
    top = best[0]
    log_e = top if math.isinf(top) else top + math.log(sum(math.exp(part - top) for part in parts))
    return Detected(log_e=log_e, hits=best[1], trials=best[2])


def log_threshold(candidate: int, budget: float) -> float:
    """ln(1/a_j) for the j-th candidate of the stream (from 1), a_j = 6 budget / (pi^2 j^2)."""
    return math.log(math.pi**2 * candidate**2 / (6.0 * budget))


def rounded(x: float) -> float:
    """What comes out of special functions, without the last bits: these differ between processors."""
    return round(x, 9)
