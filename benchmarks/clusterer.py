"""How fast, and how right, is our DBSTREAM beside river's?

    python -m benchmarks.clusterer [--quick] [--json FILE]

Speed: items a second of `learn` alone and of `predict` then `learn` (what a service does), on chains of
overlapping micro-clusters, for several dimensions d and numbers of micro-clusters M. Both clusterers get the
same items and parameters in the same process, turn by turn, and a time budget instead of a number of items,
since they differ by orders of magnitude. `ratio` is ours over the peer's.

Quality: adjusted Rand index (Hubert & Arabie 1985) on two moons beside two rings, where only shared density
finds the four shapes. Fresh items of the same shapes are predicted after learning; an item that is called
noise counts as a cluster of its own kind, so refusing to answer is not rewarded.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

from sklearn.metrics import adjusted_rand_score

from benchmarks.clusterers import PEERS, Clusterer, Ours, Parameters
from benchmarks.report import Row, machine, parser, publish
from benchmarks.streams import filaments, moons_and_circles


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured.

    Attributes:
        dimensions: Each d.
        micro_clusters: Each M.
        budget_s: Time of one measurement.
        rounds: Measurements a figure; the median is reported.
        shape_items: Items learnt, and items predicted, for the index.
        seeds: Streams for the index.
    """

    dimensions: tuple[int, ...] = (2, 16, 32)
    micro_clusters: tuple[int, ...] = (100, 300, 1000)
    budget_s: float = 1.0
    rounds: int = 3
    shape_items: int = 4000
    seeds: int = 5


QUICK = Sizes(micro_clusters=(100, 300), budget_s=0.3, rounds=2, seeds=3)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options: argparse.Namespace = parser(__doc__.splitlines()[0]).parse_args(arguments)
    report = measure(QUICK if options.quick else Sizes())
    publish(
        report,
        [
            ("Speed, items a second", report["speed"]),
            ("Adjusted Rand index on moons and rings (1 is right)", report["quality"]),
        ],
        options.json,
    )


def measure(sizes: Sizes) -> dict[str, Any]:
    """All of it, as the report that `--json` writes."""
    parameters = Parameters()
    return {
        "question": "How fast, and how right, is our DBSTREAM beside river's?",
        "machine": machine(["firstseen", "numpy", "river", "scipy"]),
        "sizes": asdict(sizes),
        "parameters": asdict(parameters),
        "speed": [
            row
            for d in sizes.dimensions
            for M in sizes.micro_clusters
            for row in speed(sizes, parameters, d=d, M=M)
        ],
        "quality": quality(sizes, parameters),
    }


def speed(sizes: Sizes, parameters: Parameters, *, d: int, M: int) -> list[Row]:
    """The rows of one (d, M): each peer learns, and predicts and learns."""
    stream = filaments(d=d, micro_clusters=M, items=8 * M, seed=1)
    warm_up = 2 * M
    rates: dict[str, dict[str, list[float]]] = {}
    present: dict[str, int] = {}
    contestants: list[tuple[Clusterer, Sequence[Any]]] = []
    for peer in PEERS:
        clusterer: Clusterer = peer(d, parameters)
        items = clusterer.prepare(stream.x)
        for item in items[:warm_up]:
            clusterer.learn(item)
        contestants.append((clusterer, items[warm_up:]))
    for _ in range(sizes.rounds):
        for clusterer, items in contestants:
            own = rates.setdefault(clusterer.name, {"learn": [], "predict_learn": []})
            own["learn"].append(_rate(clusterer.learn, items, sizes.budget_s))
            own["predict_learn"].append(_rate(_predict_then_learn(clusterer), items, sizes.budget_s))
            present[clusterer.name] = clusterer.micro_clusters()
    rows = []
    for task in ("learn", "predict_learn"):
        figures = {name: median(own[task]) for name, own in rates.items()}
        for name, figure in figures.items():
            ratio = None if name == Ours.name else figures[Ours.name] / figure
            rows.append(
                {
                    "task": task.replace("_", " + "),
                    "d": d,
                    "M": present[name],
                    "clusterer": name,
                    "items_per_s": round(figure, 1),
                    "ratio": None if ratio is None else round(ratio, 2),
                }
            )
    return rows


def quality(sizes: Sizes, parameters: Parameters) -> list[Row]:
    """The index of each peer over all seeds."""
    rows = []
    for peer in PEERS:
        scores, clusters = [], []
        for seed in range(sizes.seeds):
            learnt = moons_and_circles(items=sizes.shape_items, seed=seed)
            fresh = moons_and_circles(items=sizes.shape_items, seed=1000 + seed)
            clusterer: Clusterer = peer(2, parameters)
            for item in clusterer.prepare(learnt.x):
                clusterer.learn(item)
            found = [clusterer.predict(item) for item in clusterer.prepare(fresh.x)]
            scores.append(float(adjusted_rand_score(fresh.y, found)))
            clusters.append(len(set(found) - {-1}))
        rows.append(
            {
                "clusterer": peer.name,
                "ari_median": round(median(scores), 3),
                "ari_worst": round(min(scores), 3),
                "clusters_median": median(clusters),
                "true_clusters": 4,
                "streams": sizes.seeds,
            }
        )
    return rows


def _predict_then_learn(clusterer: Clusterer) -> Callable[[Any], None]:
    def both(item: Any) -> None:  # noqa: ANN401 - whatever the peer's prepare gave
        clusterer.predict(item)
        clusterer.learn(item)

    return both


def _rate(work: Callable[[Any], None], items: Sequence[Any], budget_s: float) -> float:
    """Items a second over about `budget_s`, going round the items as often as it takes."""
    done = 0
    start = perf_counter()
    while True:
        work(items[done % len(items)])
        done += 1
        if done % 8 == 0 and perf_counter() - start >= budget_s:
            return done / (perf_counter() - start)


if __name__ == "__main__":
    main()
