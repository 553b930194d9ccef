"""What people give as parameters, and what is wrong with it, in words."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from service.clustering.arguments import parameters
from service.clustering.dbstream import DBSTREAM
from service.clustering.params import ClustererParams

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("clustering_threshold", np.float32(2), 2.0),
        ("clustering_threshold", Fraction(1, 2), 0.5),
        ("max_degree", np.int8(7), 7),
        ("river_online", np.True_, True),
    ],
)
def test_any_type_of_number_is_taken(name: str, given: Any, taken: float) -> None:
    """And becomes Python's own, which can be stored."""
    params = parameters(**{**defaults(), name: given})

    assert (taken, type(taken)) == (getattr(params, name), type(getattr(params, name)))


def defaults() -> dict[str, Any]:
    return {name: getattr(ClustererParams(), name) for name in ClustererParams.__dataclass_fields__}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("clustering_threshold", "cleanup_interval", "minimum_weight")
            for value in (0, -1)
        ),
        *(
            (name, NAN)
            for name in ("fading_factor", "clustering_threshold", "intersection_factor", "minimum_age")
        ),
        *(
            (name, INF)
            for name in ("clustering_threshold", "cleanup_interval", "minimum_weight", "minimum_age")
        ),
        *(
            (name, bad)
            for name in ("clustering_threshold", "max_degree", "minimum_age")
            for bad in (None, "x", [1])
        ),
        *(("river_online", bad) for bad in (None, "false", 0, 1.0)),
        *(
            (name, value)
            for name in ("max_micro_clusters", "max_degree")
            for value in (0, -1, 1.5, NAN, 10**12)
        ),
        ("fading_factor", 1e13),
        ("fading_factor", 0),
        ("cleanup_interval", 1e-13),
        ("intersection_factor", 0),
        ("intersection_factor", 1),
        ("unlink_fraction", 0),
        ("unlink_fraction", 1.1),
        ("minimum_age", -0.1),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    """At once, not with the first item."""
    with pytest.raises(ValueError, match=f"^{name} must be"):
        DBSTREAM(**{name: value})  # type: ignore[arg-type]


def test_a_parameter_is_for_life() -> None:
    """To set it later is an error that says what to do, and changes nothing; river's `mutate` refuses it, too."""
    db = DBSTREAM(clustering_threshold=1.5)
    db.learn_many([[1.0, 2.0]])
    before = db.to_bytes()
    with pytest.raises(AttributeError, match=r"make a new DBSTREAM, or clone\({'clustering_threshold': 9}\)"):
        db.clustering_threshold = 9
    with pytest.raises(ValueError, match="not a mutable attribute"):
        db.mutate({"clustering_threshold": 9})

    assert (1.5, before) == (db.clustering_threshold, db.to_bytes())
    assert (9, None) == (
        (other := db.clone({"clustering_threshold": 9})).clustering_threshold,
        other.micro_clusters,
    )
