"""A replay without a net, in milliseconds: an engine that knows what it should not, and the report of it.

Classes are places in the plane. `Omniscient` reads the class off the embedding and answers as a good engine would:
known classes by name, a new one as outlier five times and as a cluster from then on.
"""

import functools
from collections.abc import Sequence

import numpy as np

from service.clustering.engine import StepResult
from service.evaluation.labelled_stream import Stream, draw
from service.evaluation.replay import replay
from service.evaluation.schedule import standard
from service.records import Float32s, Float64s, Verdict, VerdictKind
from service.report.records import Report, Run, summarize

KNOWN = ("a", "b", "c")
UNSEEN = ("<script>x</script>", 'y & "y"')
PLACES = {label: (float(n), float(n % 2)) for n, label in enumerate((*KNOWN, *UNSEEN))}
WAITS = 5


def embed(truth: Sequence[str]) -> Float32s:
    """float32 (N, 2), every class at its place."""
    return np.array([PLACES[label] for label in truth], dtype=np.float32).reshape(-1, 2)


class Omniscient:
    """Sees the class in the place; announces a new one with its sixth item."""

    def __init__(self) -> None:
        self.seq = 0
        self.batches: list[int] = []
        self._seen: dict[str, int] = {}

    def step(self, z: Float32s, ids: tuple[str, ...], t: Float64s) -> StepResult:
        assert len(z) == len(ids) == len(t)
        self.batches.append(len(ids))
        labels = {place: label for label, place in PLACES.items()}
        found = [self._answer(labels[(float(x), float(y))], id) for (x, y), id in zip(z, ids, strict=True)]
        return StepResult(verdicts=tuple(found), events=())

    def _answer(self, label: str, id: str) -> Verdict:
        is_known = label in KNOWN
        seen = self._seen[label] = self._seen.get(label, 0) + 1
        is_cluster = not is_known and seen > WAITS
        kind = VerdictKind.CLUSTER if is_cluster else VerdictKind.KNOWN if is_known else VerdictKind.OUTLIER
        self.seq += 1
        return Verdict(
            id=id,
            seq=self.seq - 1,
            verdict=kind,
            label=label if is_known else None,
            cluster_id=UNSEEN.index(label) + 1 if is_cluster else None,
            novelty=0.2 if is_known else 0.99,
            nearest="a",
            distance=1.0,
        )


def stream(seed: int = 0, unseen: Sequence[str] = UNSEEN) -> Stream:
    """Four hundred items."""
    pool = [label for label in (*KNOWN, *UNSEEN) for _ in range(200)]
    return draw(standard(unseen, length=400), pool, known=KNOWN, seed=seed)


def a_run(seed: int = 0, unseen: Sequence[str] = UNSEEN) -> Run:
    drawn = stream(seed, unseen)
    return replay(Omniscient(), drawn, embed(drawn.truth), unseen=unseen, seed=seed)


def report_of(runs: Sequence[Run], unseen: Sequence[str] = UNSEEN, notes: Sequence[str] = ()) -> Report:
    return Report(
        firstseen="0.0",
        bundle_id="b" * 32,
        dataset="<b>places</b>",
        known=KNOWN,
        unseen=tuple(unseen),
        parameters={"known_error_rate": 0.02, "backend": "firstseen", "exemplars": 8},
        notes=tuple(notes),
        runs=tuple(runs),
        summary=summarize(runs),
    )


@functools.cache
def a_report() -> Report:
    """Two streams."""
    return report_of([a_run(0), a_run(1)], notes=["A note <i>of</i> the data."])


@functools.cache
def a_null_report() -> Report:
    """One stream of nothing new."""
    return report_of([a_run(0, ())], ())
