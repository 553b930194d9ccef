"""How fast, how right and how steady is our DBSTREAM beside the others?

    python -m benchmarks.clusterer [--quick] [--only QUESTION ...] [--json FILE] [--plots FOLDER]

    speed      items a second and bytes, for each number of dimensions d and of micro-clusters M: ours and river's in
               the same process, from the same state, with the same items and parameters, in turns (clusterer_speed.py)
    flatness   what an item costs after ten thousand items, and after ten million (clusterer_speed.py)
    quality    how right answers are while five kinds of stream go by, beside the stream clusterers that can be had
               in Python (clusterer_quality.py; who they are: clusterer_peers.py; their settings: clusterer_grids.py)
    churn      how often a known thing gets a new id while others come and go (clusterer_churn.py)

What the columns mean stands in those files. Everything runs in one thread. `--quick` is under a minute: d = 32,
M = 1000, and moons and circles beside the fastest peers. All of it takes half an hour on an idle machine, most of it
for the peers to try their settings; `--only speed flatness` leaves the others out. `--plots` writes one SVG each.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.clusterer_churn import ChurnSizes, churn
from benchmarks.clusterer_grids import ENTRIES, Settings
from benchmarks.clusterer_plots import plots
from benchmarks.clusterer_quality import TURNOVER, QualitySizes, quality, verdict
from benchmarks.clusterer_speed import SpeedSizes, flatness, speed
from benchmarks.report import Row, log, machine, parser, publish

QUESTIONS = ("speed", "flatness", "quality", "churn")
PACKAGES = ("firstseen", "numpy", "numba", "river", "scikit-learn", "denstream", "incdbscan", "capymoa")

_QUICK_PEERS = (
    "firstseen DBSTREAM",
    "river DBSTREAM",
    "river DenStream",
    "scikit-learn MiniBatchKMeans",
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured."""

    speed: SpeedSizes = field(default_factory=SpeedSizes)
    quality: QualitySizes = field(default_factory=QualitySizes)
    churn: ChurnSizes = field(default_factory=ChurnSizes)


QUICK = Sizes(
    speed=SpeedSizes(
        dimensions=(32,),
        micro_clusters=(1000,),
        budget_s=0.2,
        warm_up_s=4.0,
        flat_marks=(10_000, 100_000, 1_000_000),
        flat_limit_s=10.0,
    ),
    quality=QualitySizes(
        kinds=("moons+circles",),
        seeds=2,
        entries=tuple(entry for entry in ENTRIES if entry.name in _QUICK_PEERS),
    ),
    churn=ChurnSizes(entries=()),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, draw, write."""
    options: argparse.ArgumentParser = parser(__doc__.splitlines()[0])
    options.add_argument("--plots", type=Path, metavar="FOLDER", help="also draw the figures, as SVG")
    options.add_argument("--only", nargs="+", choices=QUESTIONS, default=QUESTIONS, metavar="QUESTION")
    given = options.parse_args(arguments)
    report = measure(QUICK if given.quick else Sizes(), given.only)
    publish(report, list(tables(report)), given.json)
    if given.plots is not None:
        given.plots.mkdir(parents=True, exist_ok=True)
        for name, svg in plots(report).items():
            (given.plots / f"{name}.svg").write_text(svg, encoding="utf-8")
            log(f"plot in {given.plots / name}.svg")


def measure(sizes: Sizes, only: Sequence[str] = QUESTIONS) -> dict[str, Any]:
    """All of it, as the report that `--json` writes; what is not asked for is empty."""
    report: dict[str, Any] = {
        "question": "How fast, how right and how steady is our DBSTREAM beside the others?",
        "machine": machine(PACKAGES),
        "sizes": _without_entries(asdict(sizes)),
        "not_installed": [entry.name for entry in sizes.quality.entries if not entry.is_installed()],
    }
    with threadpool_limits(limits=1):
        report["speed"] = speed(sizes.speed, progress=log) if "speed" in only else []
        report["flatness"] = flatness(sizes.speed, progress=log) if "flatness" in only else []
        report["quality"] = quality(sizes.quality, progress=log) if "quality" in only else []
        chosen = chosen_settings(sizes, report["quality"]) if "churn" in only else {}
        report["churn"], report["churn_course"] = churn(sizes.churn, chosen, progress=log)
    report["verdict"] = verdict(report["quality"])
    return report


def chosen_settings(sizes: Sizes, rows: Sequence[Row]) -> dict[str, Settings]:
    """What each peer of the churn works with: chosen by the comparison of answers, if that was made, or now."""
    if not rows:
        kinds = replace(sizes.quality, kinds=(TURNOVER,), seeds=1, entries=sizes.churn.entries)
        rows = quality(kinds, progress=log)
    return {
        row["clusterer"]: row["settings"]
        for row in rows
        if row["stream"] == TURNOVER and row["settings"] is not None
    }


def tables(report: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    """Title and rows of each table; the report's rows in as many columns as a screen takes."""
    for title, rows in _all_tables(report):
        if rows:
            yield title, rows


def _all_tables(report: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    yield (
        "Speed, items a second, one thread (ours in blocks; single: a row a call); ratio: ours in blocks to river's",
        [
            {
                "stream": row["stream"],
                "d": row["d"],
                "M": row["present"],
                "near": row["near"],
                "learn": row["learn_per_s"],
                "predict+learn": row["predict_learn_per_s"],
                "single": row["one_learn_per_s"],
                "river learn": row["river_learn_per_s"],
                "river predict+learn": row["river_predict_learn_per_s"],
                "ratio": row["learn_ratio"],
                "ratio predict+learn": row["predict_learn_ratio"],
            }
            for row in report["speed"]
        ],
    )
    yield (
        "One item, microseconds (median): as a row, as a dictionary; bytes of the state, live and stored",
        [
            {
                "stream": row["stream"],
                "d": row["d"],
                "M": row["present"],
                "row us": row["row_p50_us"],
                "dict us": row["dict_p50_us"],
                "river dict us": round(1e6 / row["river_learn_per_s"], 1),
                "live": row["live_bytes"],
                "stored": row["stored_bytes"],
                "river live": row["river_bytes"],
                "matrix product/s": row["matrix_product_per_s"],
            }
            for row in report["speed"]
        ],
    )
    yield "Cost of an item as the stream grows", report["flatness"]
    yield (
        "Answers while the stream goes by, median over streams (ari: 1 is right; told k: knows the number of classes)",
        [{**row, "settings": _settings(row["settings"])} for row in report["quality"]],
    )
    yield "Index beside the best peer's", report["verdict"]
    yield "Probes of a topic that goes on whose cluster has another id after 100 items", report["churn"]
    missing = report["not_installed"] if report["quality"] else []
    yield "Not installed here, so not measured", [{"clusterer": name} for name in missing]


def _settings(chosen: dict[str, float] | None) -> str:
    return "too slow" if chosen is None else " ".join(f"{name}={value:g}" for name, value in chosen.items())


def _without_entries(sizes: dict[str, Any]) -> dict[str, Any]:
    """Sizes without the peers, which the rows name."""
    return {name: {k: v for k, v in part.items() if k != "entries"} for name, part in sizes.items()}


if __name__ == "__main__":
    main()
