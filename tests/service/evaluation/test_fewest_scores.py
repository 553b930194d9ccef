"""How few scores a p-value rests on, and which rates follow from that."""

import dataclasses

import numpy as np
import pytest

from model.bundle import KnownArrays
from model.calibrate import ranked
from service.clustering.stream_gate.gate import StreamGate
from service.errors import InvalidSetting
from service.evaluation.fewest_scores import fewest_scores
from service.settings import Settings
from tests.service.known_of import known_of

D = 3


def arrays(held_out: int) -> KnownArrays:
    """Three Gaussian classes, calibrated with so many items of each."""
    rng = np.random.default_rng(0)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.repeat(np.arange(3), n)
        return (5.0 * np.eye(D)[y] + rng.normal(size=(len(y), D))).astype(np.float32), y

    z, y = drawn(50)
    z_cal, y_cal = drawn(held_out)
    return known_of(z, y, z_cal, y_cal)


@pytest.mark.parametrize("held_out", [40, 499, 500, 1001, 3500])
def test_it_is_the_smaller_of_the_two_rankings(held_out: int) -> None:
    """A class's own scores, and the items that the engine ranks among: half of them where there is a stream gate."""
    known = arrays(held_out)
    judged = len(StreamGate(known, 0.02).judged)

    assert fewest_scores(known) == min(int(np.diff(known.calibration_offsets).min()), judged)
    assert ranked(3 * held_out, 3) == pytest.approx(judged, abs=2)
    assert ranked(3 * held_out, 3) <= judged


def test_one_class_with_few_scores_bounds_it_too() -> None:
    """Each class's p-value counts among its own scores."""
    known = arrays(500)
    offsets = np.array([0, 30, 1000, 1500])

    assert fewest_scores(dataclasses.replace(known, calibration_offsets=offsets)) == 30


def test_a_rate_at_which_the_engine_would_call_nothing_new_is_refused() -> None:
    """The rates accepted are those that the farthest item there can be is called new at."""
    known = arrays(600)  # 1800 in all, so a stream gate, and 900 to rank among; each class has 600 scores
    n = fewest_scores(dataclasses.replace(known, calibration_offsets=np.array([0, 1800, 3600, 5400])))

    def accepted(rate: float) -> float:
        settings = Settings.read({}, known_error_rate=rate)
        return settings.engine_params(
            known_error_rate=0.5, cluster_radius=1.0, calibration_scores=n
        ).known_error_rate

    assert n == 900
    gate = StreamGate(known, 0.02)
    farthest = gate.judge(np.zeros(1), gate.features(np.full((1, D), 1e3, dtype=np.float32))).p
    assert farthest == pytest.approx(1 / (n + 1))
    assert accepted(float(farthest[0])) == farthest[0]
    with pytest.raises(InvalidSetting, match="900 items to calibrate with"):
        accepted(0.99 * float(farthest[0]))
