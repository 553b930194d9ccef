"""The few figures of the demo, by numbers that can be counted on fingers."""

from service.scoring import score
from tests.service.answered import truth, verdicts


def test_found() -> None:
    """Two known items, eight of a new class: found at its third, seven of eight caught, five in the cluster."""
    said = verdicts("a b . . . 1 a 1 1 1")
    result = score(truth("aaxxxxxxxx"), ["x"], said, {1: 4}, {1: ["i2", "i4"]})

    assert (0.5, 0.0, 7 / 8) == (result.known_accuracy, result.known_called_new, result.unseen_caught)
    assert (1, 1, 0) == (result.clusters_found, result.clusters_announced, result.false_clusters)
    own = result.classes["x"]
    assert (8, (1,), 3, 7 / 8, 0.5) == (own.items, own.clusters, own.delay_items, own.caught, own.in_cluster)


def test_not_found() -> None:
    """Calling all an outlier finds nothing and is no accuracy."""
    result = score(truth("axx"), ["x"], verdicts(". . ."), {}, {})

    assert (0.0, 1.0, 1.0, 0) == (
        result.known_accuracy,
        result.known_called_new,
        result.unseen_caught,
        result.clusters_found,
    )
    assert result.classes["x"].delay_items is None


def test_false_cluster_of_a_known_class() -> None:
    """A cluster of items of a known class is false."""
    result = score(truth("aax"), ["x"], verdicts(". 5 ."), {5: 1}, {5: ["i0"]})

    assert (0, 1) == (result.clusters_found, result.false_clusters)


def test_nothing() -> None:
    """An empty stream has scores of 0."""
    result = score({}, ["x"], [], {}, {})

    assert (0, 0.0, 0) == (result.items, result.known_accuracy, result.clusters_found)
