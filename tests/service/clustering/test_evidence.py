"""What speaks for a candidate, in one record."""

import math

import numpy as np
import pytest

from service.clustering.emergence import Start, log_threshold
from service.clustering.evidence import evidence_of
from service.clustering.kinship import Life
from service.clustering.shape import Usual
from service.records import Evidence

USUAL = Usual(cohesion=(0.5, 1.5), separation=(2.0, 4.0))
PROTOTYPES = np.array([[0.0, 0.0], [10.0, 0.0]])


def evidence(life: Life, explained: float | None = None) -> Evidence:
    return evidence_of(life, 60, budget=0.05, prototypes=PROTOTYPES, usual=USUAL, explained=explained)


def candidate(*, starts: list[Start]) -> Life:
    return Life(
        id=1, ordinal=2, born_seq=3, first_t=3.0, last_seq=9, last_t=9.0, p0=0.01, starts=starts, repeats=7
    )


def test_the_test_in_base_ten() -> None:
    """Rounded: the last bits of special functions differ between processors."""
    found = evidence(candidate(starts=[Start(number=1, seq=10, hits=4)]))

    assert (50, 4, 7, 0.01) == (found.trials, found.hits, found.repeats, found.p0)
    assert found.log10_threshold == pytest.approx(log_threshold(2, 0.05) / math.log(10))
    assert found.log10_e == round(found.log10_e, 9)
    assert -1e6 / math.log(10) == pytest.approx(evidence(candidate(starts=[])).log10_e)


def test_its_shape_beside_the_usual() -> None:
    life = candidate(starts=[])
    bare = evidence(life)
    life.shape.add(np.array([6.0, 0.0]))
    life.shape.add(np.array([8.0, 0.0]))
    found = evidence(life)

    assert (None, None) == (bare.cohesion, bare.separation)
    assert found.cohesion == pytest.approx(math.sqrt(2.0))
    assert found.separation == pytest.approx(3.0)
    assert (USUAL.cohesion, USUAL.separation) == (found.usual_cohesion, found.usual_separation)


def test_what_known_classes_leave_of_the_stream() -> None:
    """Never below nothing; unknown without a fit."""
    life = candidate(starts=[])

    assert evidence(life).unexplained is None
    assert evidence(life, 0.75).unexplained == pytest.approx(0.25)
    assert evidence(life, 1.25).unexplained == 0.0
