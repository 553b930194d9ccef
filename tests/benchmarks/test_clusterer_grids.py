"""Whoever is compared can be made, has as many settings to choose from as we have, and can tell what is far apart."""

import dataclasses

import numpy as np
import pytest

from benchmarks.clusterer_grids import ENTRIES, FIRST, Entry, facts_of
from benchmarks.streams import Stream, drifting

STREAM = drifting(items=500, seed=1, d=4, classes=3, travel=1.0)


def far_apart() -> Stream:
    """Three classes, each a hundredth as wide as the way to the next."""
    return dataclasses.replace(STREAM, x=STREAM.x + 100.0 * np.eye(3, 4)[STREAM.y])


def test_ours_comes_first_and_names_are_different() -> None:
    """The verdict compares the first with the best of the others."""
    names = [entry.name for entry in ENTRIES]

    assert names[0] == "firstseen DBSTREAM"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_everybody_has_as_many_settings_as_ours_at_most_a_few_less(entry: Entry) -> None:
    """So nobody is better for having tried more often than the peers."""
    ours = len(list(ENTRIES[0].settings()))
    own = len(list(entry.settings()))

    assert ours == 12
    assert 8 <= own <= 12


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_everybody_tells_apart_what_is_far_apart(entry: Entry) -> None:
    """With at least one of the settings, two classes of three or more get clusters of their own."""
    if not entry.is_installed():
        pytest.skip(f"{entry.module} is not installed: pip install {entry.module}")
    stream = far_apart()
    facts = facts_of(stream.x, stream.classes)
    told_apart = 0
    for settings in entry.settings():
        peer = entry.make(facts, settings)
        for start in range(0, len(stream.x), 25):
            peer.learn_many(stream.x[start : start + 25])
        found = peer.predict_many(stream.x)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, peer.predict_many(stream.x))  # asking changes nothing
        most = [np.bincount(found[stream.y == k] + 1).argmax() for k in range(3)]
        told_apart = max(told_apart, len(set(most)))
        if told_apart == 3:
            break

    assert told_apart >= 2


def test_a_package_that_is_missing_is_not_installed() -> None:
    """Its entry is left out then."""
    assert ENTRIES[0].is_installed()
    assert not dataclasses.replace(ENTRIES[0], module="no_such_package").is_installed()


def test_the_scale_is_that_of_the_first_items() -> None:
    """Half of the pairs are nearer, half farther; what comes later does not count."""
    later = STREAM.x.copy()
    later[FIRST:] *= 1000.0
    facts = facts_of(STREAM.x, 3)
    pairs = [np.linalg.norm(a - b) for n, a in enumerate(STREAM.x[:FIRST]) for b in STREAM.x[:n]]

    assert facts == facts_of(later, 3)
    assert (facts.d, facts.k) == (4, 3)
    assert facts.scale == pytest.approx(np.median(pairs))
