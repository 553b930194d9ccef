"""Counts and reasons, for people."""

from service.client import Problem, Refusal, Verdict
from service.lines.tally import Tally


def verdict(kind: str, cluster: int | None = None) -> Verdict:
    return Verdict(
        id="a",
        seq=1,
        verdict=kind,  # type: ignore[arg-type]
        label=None,
        cluster_id=cluster,
        novelty=0.5,
        nearest="8",
        distance=1.0,
    )


def refused(kind: str, detail: str) -> Refusal:
    return Refusal(id=None, problem=Problem(kind=f"/problems/{kind}", title="t", status=422, detail=detail))


def test_counts() -> None:
    """By kind, those of the run before included; clusters that were there are not new."""
    tally = Tally({"known": 1000}, known_clusters=[1])
    for answer in (verdict("known"), verdict("cluster", 1), verdict("cluster", 2), verdict("outlier")):
        tally.add(answer, "line 1")

    assert 1004 == tally.items
    assert "1,001 known, 2 cluster, 1 outlier, 1 new cluster" == tally.line()
    assert {"known": 1001, "cluster": 2, "outlier": 1} == tally.counts


def test_reasons() -> None:
    """A line a kind of problem: how often, and where first."""
    tally = Tally({}, [])
    for n in range(3):
        tally.add(refused("invalid-item", f"send numbers {n}"), f"line {n}")
    tally.add(refused("too-large", "too long"), "line 9")

    assert [
        "3 refused: invalid-item, first line 0: send numbers 0",
        "1 refused: too-large, first line 9: too long",
    ] == tally.reasons()
    assert 4 == tally.refused
    assert "4 refused" in tally.line()


def test_reasons_are_bounded() -> None:
    """Whoever makes up kinds of problems fills no memory."""
    tally = Tally({}, [])
    for n in range(1000):
        tally.add(refused(f"kind-{n}", "d"), "line 1")

    assert len(tally.reasons()) <= 20
    assert 1000 == tally.refused
