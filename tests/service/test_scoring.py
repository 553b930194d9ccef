"""Scores of a stream, by numbers that can be counted on fingers."""

from service.records import Verdict, VerdictKind
from service.scoring import score


def known(seq: int, label: str) -> Verdict:
    return _verdict(seq, VerdictKind.KNOWN, label=label)


def outlier(seq: int) -> Verdict:
    return _verdict(seq, VerdictKind.OUTLIER)


def cluster(seq: int, id: int) -> Verdict:
    return _verdict(seq, VerdictKind.CLUSTER, cluster_id=id)


def _verdict(seq: int, kind: VerdictKind, label: str | None = None, cluster_id: int | None = None) -> Verdict:
    return Verdict(
        id=f"i{seq}",
        seq=seq,
        verdict=kind,
        label=label,
        cluster_id=cluster_id,
        novelty=0.5,
        nearest="a",
        distance=1.0,
    )


def truth(labels: str) -> dict[str, str]:
    return {f"i{n}": label for n, label in enumerate(labels)}


def test_found() -> None:
    """Two known items, four of a new class: found at its third, caught 3 of 4, one in the cluster."""
    verdicts = [known(0, "a"), known(1, "b"), outlier(2), known(3, "a"), outlier(4), cluster(5, 1)]
    result = score(truth("aaxxxx"), ["x"], verdicts, {1: 4}, {1: ["i2", "i4"]})

    assert (0.5, 0.0, 0.75) == (result.known_accuracy, result.known_called_new, result.unseen_caught)
    assert (1, 1, 0) == (result.clusters_found, result.clusters_announced, result.false_clusters)
    own = result.classes["x"]
    assert (4, (1,), 3, 0.75, 0.25) == (own.items, own.clusters, own.delay_items, own.caught, own.in_cluster)


def test_not_found() -> None:
    """Calling all an outlier finds nothing and is no accuracy."""
    result = score(truth("axx"), ["x"], [outlier(0), outlier(1), outlier(2)], {}, {})

    assert (0.0, 1.0, 1.0, 0) == (
        result.known_accuracy,
        result.known_called_new,
        result.unseen_caught,
        result.clusters_found,
    )
    assert result.classes["x"].delay_items is None


def test_false_cluster_of_a_known_class() -> None:
    """A cluster of items of a known class is false."""
    result = score(truth("aax"), ["x"], [outlier(0), cluster(1, 5), outlier(2)], {5: 1}, {5: ["i0"]})

    assert (0, 1) == (result.clusters_found, result.false_clusters)


def test_announced_too_early() -> None:
    """A cluster announced before the first item of its class cannot be that class."""
    result = score(truth("axx"), ["x"], [outlier(0), cluster(1, 5), cluster(2, 5)], {5: 0}, {5: ["i0"]})

    assert (0, 1) == (result.clusters_found, result.false_clusters)


def test_majority() -> None:
    """A cluster stands for the class that most of its items have; two for one class are fragments, not false."""
    verdicts = [cluster(0, 1), cluster(1, 1), cluster(2, 1), cluster(3, 2)]
    result = score(truth("xxyx"), ["x", "y"], verdicts, {2: 1, 1: 0}, {1: [], 2: []})

    assert (1, 2) == result.classes["x"].clusters
    assert () == result.classes["y"].clusters
    assert (1, 0) == (result.clusters_found, result.false_clusters)


def test_exemplars_stand_in() -> None:
    """A cluster that no item got as verdict stands for the class of its exemplars."""
    result = score(truth("xxx"), ["x"], [outlier(0), outlier(1), outlier(2)], {1: 2}, {1: ["i0", "i1"]})

    assert (1, 3) == (result.clusters_found, result.classes["x"].delay_items)


def test_nothing() -> None:
    """An empty stream has scores of 0."""
    result = score({}, ["x"], [], {}, {})

    assert (0, 0.0, 0) == (result.items, result.known_accuracy, result.clusters_found)
