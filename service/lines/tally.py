"""What has come of the items so far: a line while it goes on, and at the end what was refused, and why."""

from collections import Counter
from collections.abc import Iterable

from service.client.answers import Answer, Refusal

REFUSED = "refused"
_MOST_REASONS = 20
"""Kinds of problems that are told apart; there are not so many."""


class Tally:
    """Counts of one run, and of the one it goes on from.

    Args:
        counts: Of that one.
        known_clusters: Those that there were before it.
    """

    def __init__(self, counts: dict[str, int], known_clusters: Iterable[int]) -> None:
        self._counts = Counter(counts)
        self._known_clusters = frozenset(known_clusters)
        self._clusters: set[int] = set()
        self._reasons: dict[str, tuple[int, str, str]] = {}  # kind -> how many, where first, what it said

    def add(self, answer: Answer, where: str) -> None:
        """An answer has come; `where` is its line, for people."""
        if isinstance(answer, Refusal):
            self._counts[REFUSED] += 1
            kind = answer.problem.kind
            n, first, detail = self._reasons.get(kind, (0, where, answer.problem.detail))
            if n or len(self._reasons) < _MOST_REASONS:
                self._reasons[kind] = (n + 1, first, detail)
            return
        self._counts[answer.verdict] += 1
        if answer.cluster_id is not None and answer.cluster_id not in self._known_clusters:
            self._clusters.add(answer.cluster_id)

    @property
    def counts(self) -> dict[str, int]:
        """By kind of answer."""
        return dict(self._counts)

    @property
    def items(self) -> int:
        """How many there are an answer for."""
        return self._counts.total()

    @property
    def refused(self) -> int:
        """How many got no verdict."""
        return self._counts[REFUSED]

    def line(self) -> str:
        """Counts for people."""
        kinds = [f"{self._counts[kind]:,} {kind}" for kind in ("known", "cluster", "outlier")]
        refused = [f"{self.refused:,} {REFUSED}"] if self.refused else []
        n = len(self._clusters)
        return ", ".join([*kinds, *refused, f"{n} new cluster{'' if n == 1 else 's'}"])

    def reasons(self) -> list[str]:
        """What was refused in this run, a line a kind of problem."""
        return [
            f"{n:,} refused: {kind.rpartition('/')[2]}, first {first}: {detail}"
            for kind, (n, first, detail) in self._reasons.items()
        ]
