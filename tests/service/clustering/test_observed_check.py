"""A batch that these gates cannot have seen is refused, and nothing is changed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.clustering import snapshot
from service.clustering.observed_check import check_observed
from service.clustering.stream_gate import Misfit
from service.records import Observed
from tests.service.clustering.overlapping import HIDDEN, Driven, engine, overlapping

D, K, F = 3, 2, 4


def batch(**changes: Any) -> Observed:
    fine = Observed(
        first_seq=0,
        ids=("a", "b"),
        t=np.zeros(2),
        nearest=np.array([0, 1]),
        accepted=np.array([True, False]),
        fed=np.array([False, True]),
        core=np.array([0, -1], dtype=np.int32),
        claimed=np.array([0, 7]),
        taken=np.zeros(2, dtype=np.int64),
        novelty=np.array([0.5, 0.99]),
        distance=np.array([1.0, 9.0]),
        features=np.zeros((2, F), dtype=np.float16),
        z_fed=np.zeros((1, D), dtype=np.float32),
    )
    return replace(fine, **changes)


def test_a_batch_that_could_be() -> None:
    check_observed(batch(), D=D, K=K, F=F, rate=0.02)
    check_observed(
        batch(fed=np.ones(2, dtype=np.bool_), z_fed=np.zeros((2, D), dtype=np.float32)),
        D=D,
        K=K,
        F=F,
        rate=0.02,
    )


NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"z_fed": np.full((1, D), NAN, dtype=np.float32)}, "embeddings that are no numbers"),
        ({"z_fed": np.zeros((1, D + 1), dtype=np.float32)}, "embeddings of shape"),
        ({"z_fed": np.zeros((1, 1), dtype=np.float32)}, "embeddings of shape"),
        ({"z_fed": np.zeros((2, D), dtype=np.float32)}, "embeddings of shape"),
        ({"features": np.full((2, F), np.inf, dtype=np.float16)}, "features that are no numbers"),
        ({"features": np.zeros((2, 0), dtype=np.float16)}, "features of shape"),
        ({"t": np.array([0.0, NAN])}, "t that are no numbers"),
        ({"novelty": np.array([0.5, NAN])}, "novelty that are no numbers"),
        ({"novelty": np.array([0.5, 1.1])}, "novelty outside"),
        ({"distance": np.array([np.inf, 0.0])}, "distance that are no numbers"),
        ({"nearest": np.array([0, K])}, "nearest outside"),
        ({"nearest": np.array([-1, 0])}, "nearest outside"),
        ({"core": np.array([0, K], dtype=np.int32)}, "core outside"),
        ({"core": np.array([0, -99], dtype=np.int32)}, "core outside"),
        ({"claimed": np.array([0, -5])}, "claimed outside"),
        ({"t": np.zeros(3)}, "t of shape"),
        ({"accepted": np.zeros(2, dtype=np.bool_)}, "did not go to the clusterer"),
        ({"novelty": np.array([0.99, 0.99])}, "did not go to the clusterer"),
    ],
)
def test_one_that_could_not(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(Misfit, match=wrong):
        check_observed(batch(**changes), D=D, K=K, F=F, rate=0.02)


def test_nothing_is_changed_by_one_that_is_refused() -> None:
    """Of a stream in full swing, to the bit."""
    driven = Driven(engine())
    driven.feed(overlapping().stream(np.random.default_rng(0), 900, new=HIDDEN, at=0.2)[0])
    one = driven.engine
    z = overlapping().items(np.random.default_rng(1), np.full(9, HIDDEN))
    seen = one.decide(z, tuple("abcdefghi"), np.zeros(9))
    before = snapshot.dump(one)
    with pytest.raises(Misfit):
        one.apply(replace(seen, t=np.full(9, NAN)))

    assert before == snapshot.dump(one)
    one.apply(seen)
    assert before != snapshot.dump(one)
