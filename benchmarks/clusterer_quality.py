"""How right are the answers while the stream goes by?

Prequential, in blocks (Gama, Sebastião & Rodrigues 2013, "On evaluating stream learning algorithms"; interleaved
chunks): the items of a block of 25 get their clusters from what was learnt before them, then the block is learnt.
The same for everybody, since some take blocks only and some recluster at the first question after an item. The
first tenth of a stream is learnt and not scored. Everything else is scored as it was answered, once and for all:
nothing is relabelled afterwards.

    ari        adjusted Rand index (Hubert & Arabie 1985) of all scored items. Items without a cluster are a cluster of
               their own kind, so that refusing to answer is not rewarded
    ari_tenth  the same for every tenth of the stream by itself, mean: not lowered when ids change now and then
    purity     items with a cluster that are of the most frequent class of their cluster
    switches   identity switches in the sense of CLEAR MOT (Bernardin & Stiefelhagen 2008): of the items with a cluster
               whose predecessor of the same true class had one too, those whose cluster is another than that one's.
               Answers without a cluster are passed over, as frames without a match are there. A class in several
               clusters switches all the time, and so does one whose cluster is renumbered: for who reads the answers
               both are the same, a known thing under a new name
    noise      items without a cluster
    seconds    of this thread on a processor, in `learn_many` and `predict_many`

Settings are chosen on the first stream by `ari`, and the row tells the median over further streams of the same
kind, with the same settings. A fit that takes longer than the limit is out, and it is given up as soon as it has been
twice as slow as that for a while; if all of a peer's are, it has no figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import thread_time

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks.clusterer_grids import ENTRIES, Entry, Settings, facts_of
from benchmarks.clusterer_peers import Peer
from benchmarks.report import Row
from benchmarks.streams import Int64s, Stream, digits, drifting, embeddings, moons_and_circles, topics

BLOCK = 25
WARM_UP = 0.1
"""Share of a stream that is learnt before anything is scored."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of stream.

    Attributes:
        make: (items=..., seed=...) -> a stream.
        k: How many classes there are at any one time, for those that must be told.
        times: How many times as many items as the others it has.
    """

    make: Callable[..., Stream]
    k: int
    times: float = 1.0


TURNOVER = "topic turnover"
KINDS: dict[str, Kind] = {
    "moons+circles": Kind(make=moons_and_circles, k=4, times=2.0),
    "drifting Gaussians": Kind(make=drifting, k=8),
    "40-class embeddings": Kind(make=embeddings, k=40),
    TURNOVER: Kind(make=topics, k=12),
    "digits": Kind(make=digits, k=10),
}


@dataclass(frozen=True, kw_only=True)
class QualitySizes:
    """What is compared.

    Attributes:
        kinds: Names in `KINDS`.
        items: Length of a stream, before `Kind.times`.
        seeds: Streams that the figures are the median of, beside the one that settings are chosen on.
        limit_ms: Longest time of one fit, milliseconds an item.
        entries: Who is compared.
    """

    kinds: tuple[str, ...] = tuple(KINDS)
    items: int = 3000
    seeds: int = 3
    limit_ms: float = 4.0
    entries: tuple[Entry, ...] = ENTRIES


@dataclass(frozen=True, kw_only=True)
class Score:
    """See above; all but `seconds` and `clusters` are shares, or indices of at most 1."""

    ari: float
    ari_tenth: float
    purity: float
    switches: float
    noise: float
    clusters: int
    seconds: float


def quality(sizes: QualitySizes, *, progress: Callable[[str], None] = lambda _: None) -> list[Row]:
    """A row for each kind of stream and each peer that is installed."""
    rows = []
    for kind in sizes.kinds:
        for entry in sizes.entries:
            if entry.is_installed():
                progress(f"quality: {kind}, {entry.name}")
                rows.append(quality_row(sizes, kind, entry))
    return rows


def quality_row(sizes: QualitySizes, name: str, entry: Entry) -> Row:
    """Choose settings on one stream, score on others."""
    kind = KINDS[name]
    items = int(sizes.items * kind.times)
    limit_s = sizes.limit_ms * items / 1000.0
    best = choose(entry, kind.make(items=items, seed=0), kind.k, limit_s)
    scores: list[Score] = []
    if best is not None:
        for seed in range(1, 1 + sizes.seeds):
            stream = kind.make(items=items, seed=seed)
            # Chosen in time is in time: another stream may take a little longer.
            score = prequential(entry.make(facts_of(stream.x, kind.k), best), stream, 5.0 * limit_s)
            scores += [score] if score is not None else []

    def middle(figure: str) -> float | None:
        return round(median(getattr(score, figure) for score in scores), 4) if scores else None

    return {
        "stream": name,
        "clusterer": entry.name,
        "told_k": "yes" if entry.told_k else "no",
        "ari": middle("ari"),
        "ari_worst": round(min(score.ari for score in scores), 4) if scores else None,
        "ari_tenth": middle("ari_tenth"),
        "purity": middle("purity"),
        "switches": middle("switches"),
        "noise": middle("noise"),
        "clusters": middle("clusters"),
        "seconds": middle("seconds"),
        "settings": best,
    }


def choose(entry: Entry, stream: Stream, k: int, limit_s: float) -> Settings | None:
    """The point of the grid with the highest index; None when no fit came to its end in time."""
    facts = facts_of(stream.x, k)
    done: list[tuple[float, Settings]] = []
    for settings in entry.settings():
        score = prequential(entry.make(facts, settings), stream, limit_s)
        if score is not None:
            done.append((score.ari, settings))
    return max(done, key=lambda one: one[0])[1] if done else None


def prequential(peer: Peer, stream: Stream, limit_s: float) -> Score | None:
    """Answer, then learn, block by block; score. None when it took longer than the limit."""
    answers = np.empty(len(stream.x), dtype=np.int64)
    seconds = 0.0
    for begin in range(0, len(stream.x), BLOCK):
        block = stream.x[begin : begin + BLOCK]
        start = thread_time()
        answers[begin : begin + BLOCK] = peer.predict_many(block)
        peer.learn_many(block)
        seconds += thread_time() - start
        share = (begin + BLOCK) / len(stream.x)
        if seconds > limit_s * min(1.0, 0.1 + 2.0 * share):
            return None
    return score_of(stream.y, answers, seconds)


def score_of(y: Int64s, answers: Int64s, seconds: float) -> Score:
    """What is in a row.

    Args:
        y: int64 (N,) true classes, in order of the stream.
        answers: int64 (N,) clusters, -1 for none.
        seconds: That it took.
    """
    begin = int(WARM_UP * len(y))
    y, answers = y[begin:], answers[begin:]
    given = answers >= 0
    tenths = [
        float(adjusted_rand_score(y[part], answers[part])) for part in np.array_split(np.arange(len(y)), 10)
    ]
    return Score(
        ari=float(adjusted_rand_score(y, answers)),
        ari_tenth=float(np.mean(tenths)),
        purity=purity(y[given], answers[given]),
        switches=switches(y, answers),
        noise=float(1.0 - given.mean()),
        clusters=len(np.unique(answers[given])),
        seconds=seconds,
    )


def purity(y: Int64s, answers: Int64s) -> float:
    """Share of items that are of the most frequent class of their cluster; 0 of none."""
    if not len(y):
        return 0.0
    hits = sum(np.bincount(y[answers == cluster]).max() for cluster in np.unique(answers))
    return float(hits / len(y))


def switches(y: Int64s, answers: Int64s) -> float:
    """Share of identity switches; 0 where no class has two items with a cluster.

    Args:
        y: int64 (N,) true classes, in order of the stream.
        answers: int64 (N,) clusters, -1 for none.
    """
    pairs = changed = 0
    for true_class in np.unique(y):
        ids = answers[(y == true_class) & (answers >= 0)]
        pairs += max(0, len(ids) - 1)
        changed += int((ids[1:] != ids[:-1]).sum())
    return changed / pairs if pairs else 0.0


def verdict(rows: Sequence[Row]) -> list[Row]:
    """For each stream: our index beside the best peer's, reached if no less to two digits: streams differ by more."""
    found = []
    for kind in dict.fromkeys(row["stream"] for row in rows):
        scored = [row for row in rows if row["stream"] == kind and row["ari"] is not None]
        ours = next((row for row in scored if row["clusterer"] == ENTRIES[0].name), None)
        peers = [row for row in scored if row is not ours]
        best = max(peers, key=lambda row: row["ari"], default=None)
        found.append(
            {
                "stream": kind,
                "ours": ours["ari"] if ours else None,
                "best_peer": best["ari"] if best else None,
                "which": best["clusterer"] if best else "-",
                "reached": "yes"
                if ours and (not best or round(ours["ari"], 2) >= round(best["ari"], 2))
                else "no",
            }
        )
    return found
