"""How many items a second, how long for one, in how many bytes; and whether that stays so.

Both clusterers start from the same M micro-clusters, which ours has learnt and river is handed (`River.holding`), and
are asked for the same items with the same parameters, in turns, one thread each. They differ by orders of
magnitude, so each has a time budget and not a number of items; figures are the median of a few turns. Seconds are
those of this thread on a processor: what else the machine does is not counted, though it costs some cache.

    learn             items a second, learning alone: ours in blocks, ours one row a call, river one item a call
    predict + learn   the same, with the label of every item as things stand before it is learnt: what a service does.
                      River reclusters at a prediction when it has learnt since the last one, as it always has then
    p50               microseconds of one call with one item, median: as a row of an array, as river's dictionary
    bytes             of the live state, and of the state as stored. River's are dictionaries and floats as Python
                      counts them, without the allocator's own
    M, present        micro-clusters that the stream was laid out for, and that were there when measuring began
    visits            items for each of them before measuring began
    near              balls that hold an item on average; what there is to update
    matrix product    items a second of the float32 product of a block with all centres, in the same library and
                      thread: what a search that computes every distance in full cannot get beyond

Fading is so slow, and the time between two clean-ups so long, that all M stay: what is measured is M micro-clusters,
not fewer. River is not charged for its clean-ups, which seldom fall into its budget.

Flatness is ours alone, learning in blocks, on `filaments` with one item in a hundred from nowhere, so that
micro-clusters are born and forgotten all the time: microseconds an item over the last tenth before each mark. At the
first mark clusters are still coming together, which costs more than later.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from benchmarks.clusterers import Learnt, Ours, Parameters, River
from benchmarks.report import Row
from benchmarks.streams import Float64s, Stream, blobs, filaments

STREAMS: dict[str, Callable[..., Stream]] = {"filaments": filaments, "blobs": blobs}

_BLOCK = 1024
"""Items a call of `learn_many`."""
_FLAT_BLOCK = 5000
_FROM_NOWHERE = 0.01


@dataclass(frozen=True, kw_only=True)
class SpeedSizes:
    """What is measured.

    Attributes:
        dimensions: Each d.
        micro_clusters: Each M.
        streams: Names in `STREAMS`.
        budget_s: Time of one measurement; river's least is one item.
        rounds: Measurements a figure; the median is reported.
        warm_up_visits: Items for each micro-cluster before anything is measured: then nearly all are strong, and the
            clusters that they form have settled.
        warm_up_s: Time after which that is cut short.
        calls: Single calls whose median is the latency, or fewer if they take longer than the budget.
        flat_d: d for flatness.
        flat_micro_clusters: M for flatness.
        flat_marks: Items learnt, ascending, at which its cost is reported.
        flat_limit_s: Marks that are not reached in this time are left out.
    """

    dimensions: tuple[int, ...] = (2, 16, 32, 64, 384)
    micro_clusters: tuple[int, ...] = (10, 100, 1000, 5000)
    streams: tuple[str, ...] = ("filaments", "blobs")
    budget_s: float = 0.3
    rounds: int = 3
    warm_up_visits: int = 20
    warm_up_s: float = 10.0
    calls: int = 1000
    flat_d: int = 32
    flat_micro_clusters: int = 1000
    flat_marks: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    flat_limit_s: float = 120.0


def speed(sizes: SpeedSizes, *, progress: Callable[[str], None] = lambda _: None) -> list[Row]:
    """One row for each stream, d and M."""
    rows = []
    for name in sizes.streams:
        for d in sizes.dimensions:
            for M in sizes.micro_clusters:
                progress(f"speed: {name}, d = {d}, M = {M}")
                rows.append(speed_row(sizes, name, d=d, M=M))
    return rows


def speed_row(sizes: SpeedSizes, name: str, *, d: int, M: int) -> Row:
    """All figures of one stream, d and M."""
    parameters = parameters_for(M)
    warm_up = sizes.warm_up_visits * M
    x = STREAMS[name](d=d, micro_clusters=M, items=warm_up + 8 * _BLOCK, seed=1).x
    ours = Ours(parameters)
    visits = _warm_up(ours, x[:warm_up], M, sizes.warm_up_s) / M
    learnt = ours.learnt()
    river = River.holding(learnt, parameters)
    rest = x[warm_up:]
    items = river.prepare(rest[:_BLOCK])
    _call_everything_once(ours, rest[:2], items[:2])

    blocks = [rest[start : start + _BLOCK] for start in range(0, len(rest), _BLOCK)]
    single = [rest[n : n + 1] for n in range(_BLOCK)]
    turns: dict[str, tuple[Callable[[Any], object], Sequence[Any], int]] = {
        "learn": (ours.learn_many, blocks, _BLOCK),
        "predict_learn": (ours.predict_learn_many, blocks, _BLOCK),
        "one_learn": (ours.learn_many, single, 1),
        "one_predict_learn": (ours.predict_learn_many, single, 1),
        "river_learn": (river.learn_one, items, 1),
        "river_predict_learn": (_both(river.predict_one, river.learn_one), items, 1),
    }
    figures: dict[str, list[float]] = {turn: [] for turn in turns}
    gc.collect()
    for _ in range(sizes.rounds):
        for turn, (work, food, size) in turns.items():
            figures[turn].append(_rate(work, food, size, sizes.budget_s))
    per_s = {turn: median(found) for turn, found in figures.items()}
    return {
        "stream": name,
        "d": d,
        "M": M,
        "present": len(learnt.weights),
        "visits": round(visits, 1),
        "near": round(_near(learnt, rest[:_BLOCK]), 2),
        "learn_per_s": round(per_s["learn"]),
        "predict_learn_per_s": round(per_s["predict_learn"]),
        "one_learn_per_s": round(per_s["one_learn"]),
        "one_predict_learn_per_s": round(per_s["one_predict_learn"]),
        "matrix_product_per_s": round(_matrix_product_rate(learnt, rest[:_BLOCK], sizes.budget_s)),
        "row_p50_us": round(_p50_us(ours.learn_many, single, sizes), 2),
        "dict_p50_us": round(_p50_us(ours.learn_one, items, sizes), 2),
        "river_learn_per_s": round(per_s["river_learn"], 2),
        "river_predict_learn_per_s": round(per_s["river_predict_learn"], 2),
        "learn_ratio": round(per_s["learn"] / per_s["river_learn"], 2),
        "predict_learn_ratio": round(per_s["predict_learn"] / per_s["river_predict_learn"], 2),
        "live_bytes": ours.live_bytes(),
        "stored_bytes": ours.stored_bytes(),
        "river_bytes": river.live_bytes(),
    }


def _warm_up(ours: Ours, x: Float64s, M: int, limit_s: float) -> int:
    """Items learnt: all, or, when time is up, twice as many as there are balls or more."""
    start = perf_counter()
    learnt = 0
    while learnt < len(x) and (learnt < 2 * M or perf_counter() - start < limit_s):
        ours.learn_many(x[learnt : learnt + _BLOCK])
        learnt += len(x[learnt : learnt + _BLOCK])
    return learnt


def parameters_for(M: int) -> Parameters:
    """Under which M micro-clusters, visited at random, neither die nor turn weak."""
    return replace(Parameters(), fading_factor=1e-5, cleanup_interval=max(1000, 10 * M))


def flatness(sizes: SpeedSizes, *, progress: Callable[[str], None] = lambda _: None) -> list[Row]:
    """A row for each mark that was reached: what an item costs there."""
    d, M = sizes.flat_d, sizes.flat_micro_clusters
    ours = Ours(parameters_for(M))
    rows: list[Row] = []
    learnt, spent, in_window, window_s = 0, 0.0, 0, 0.0
    marks = iter(sizes.flat_marks)
    mark = next(marks)
    for block in _endless(d, M):
        start = thread_time()
        ours.learn_many(block)
        took = thread_time() - start
        learnt, spent = learnt + len(block), spent + took
        if learnt > 0.9 * mark or mark - learnt < _FLAT_BLOCK:
            in_window, window_s = in_window + len(block), window_s + took
        if learnt >= mark:
            progress(f"flatness: {learnt} items")
            rows.append(
                {
                    "items_learnt": learnt,
                    "us_per_item": round(1e6 * window_s / in_window, 3),
                    "M": len(ours),
                    "live_bytes": ours.live_bytes(),
                    "seconds_so_far": round(spent, 2),
                }
            )
            in_window, window_s = 0, 0.0
            following = next(marks, None)
            if following is None:
                break
            mark = following
        if spent > sizes.flat_limit_s:
            break
    return rows


def _endless(d: int, M: int) -> Iterator[Float64s]:
    """Blocks of `filaments` with items from nowhere among them; the first visit every ball."""
    random = np.random.default_rng(7)
    x = filaments(d=d, micro_clusters=M, items=_FLAT_BLOCK * 20, seed=7).x
    low, high = x.min() - 10.0, x.max() + 10.0
    while True:
        for start in range(0, len(x), _FLAT_BLOCK):
            block = x[start : start + _FLAT_BLOCK].copy()
            stray = random.random(len(block)) < _FROM_NOWHERE
            block[stray] = random.uniform(low, high, size=(int(stray.sum()), d))
            yield block


def _call_everything_once(ours: Ours, rows: Float64s, items: Sequence[dict[int, float]]) -> None:
    """Whatever is compiled or allocated at a first call is then out of the measured time."""
    ours.learn_many(rows)
    ours.predict_many(rows)
    ours.predict_learn_many(rows)
    for item in items:
        ours.predict_one(item)
        ours.learn_one(item)


def _both(predict: Callable[[Any], object], learn: Callable[[Any], object]) -> Callable[[Any], None]:
    def one(item: Any) -> None:  # noqa: ANN401 - whatever the clusterer eats
        predict(item)
        learn(item)

    return one


def _rate(work: Callable[[Any], object], food: Sequence[Any], size: int, budget_s: float) -> float:
    """Items a second over about `budget_s`, going round the food as often as it takes."""
    done = 0
    start, on_processor = perf_counter(), thread_time()
    while True:
        work(food[done % len(food)])
        done += 1
        if perf_counter() - start >= budget_s:
            return done * size / (thread_time() - on_processor)


def _p50_us(work: Callable[[Any], object], food: Sequence[Any], sizes: SpeedSizes) -> float:
    """Median microseconds of one call."""
    took: list[float] = []
    begin = perf_counter()
    for n in range(sizes.calls):
        item = food[n % len(food)]
        start = perf_counter()
        work(item)
        end = perf_counter()
        took.append(end - start)
        if end - begin >= sizes.budget_s:
            break
    return 1e6 * median(took)


def _near(learnt: Learnt, x: Float64s) -> float:
    """Balls of radius 1 that hold an item, mean."""
    held = [int((np.square(learnt.centers - row).sum(axis=1) < 1.0).sum()) for row in x[:256]]
    return float(np.mean(held))


def _matrix_product_rate(learnt: Learnt, x: Float64s, budget_s: float) -> float:
    centers, rows = learnt.centers.T.astype(np.float32), x.astype(np.float32)
    out = np.empty((len(rows), centers.shape[1]), dtype=np.float32)
    np.matmul(rows, centers, out=out)  # its pages are there then
    return _rate(lambda block: np.matmul(block, centers, out=out), [rows], len(rows), budget_s / 2)
