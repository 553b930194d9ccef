"""A recording is the demo's stream as the engine answered it."""

from pathlib import Path

import numpy as np

from benchmarks.recording import record
from service.cli.demo import make_stream


def test_a_recording_has_an_answer_for_every_item_of_the_demo(bundle_dir: Path) -> None:
    """And a cluster is given only after it emerged; emergences are in order."""
    recording = record(bundle_dir, seed=0)

    stream = make_stream(0)
    assert tuple(stream.truth[item["id"]] for item in stream.items) == recording.truth
    assert recording.points.shape == (len(stream.items), 2)
    assert recording.landmarks.shape == (8, 2)
    emerged = {emergence.cluster: emergence.at for emergence in recording.emergences}
    assert list(emerged.values()) == sorted(emerged.values())
    for cluster in set(recording.clusters.tolist()) - {-1, 0}:
        assert np.flatnonzero(recording.clusters == cluster).min() > emerged[cluster]


def test_the_same_bundle_gives_the_same_recording(bundle_dir: Path) -> None:
    """So that the picture changes only when something changed."""
    first, second = record(bundle_dir, seed=1), record(bundle_dir, seed=1)

    assert first.emergences == second.emergences
    np.testing.assert_array_equal(first.clusters, second.clusters)
    np.testing.assert_array_equal(first.points, second.points)
