"""Features that set rows and vectors apart: those that were made to, and no others."""

import numpy as np
import pytest

from model.inputs import TableColumn, TableInput, VectorInput
from service.describing.features import FURTHEST, MOST_FEATURES, Usual, apart
from service.records import Float32s

TABLE = TableInput(
    columns=(
        TableColumn(name="bytes", kind="number"),
        TableColumn(name="seconds", kind="number"),
        TableColumn(name="protocol", kind="category", values=("tcp", "udp", "icmp")),
    )
)
VECTOR = VectorInput(shape=(4,), minimum=0.0, maximum=10.0)


def rows(n: int, seed: int, *, size: float = 100.0, protocol: float = 0.0) -> Float32s:
    rng = np.random.default_rng(seed)
    codes = np.full(n, protocol) if protocol else rng.integers(0, 2, n)
    return np.stack([rng.normal(size, 10, n), rng.normal(1, 0.2, n), codes], axis=1).astype(np.float32)


def test_what_differs_is_told_and_what_does_not_is_not() -> None:
    """A number that is high and a category that nobody else has; seconds are as everywhere."""
    found = apart(rows(30, 1, size=900.0, protocol=2.0), Usual(rows=rows(200, 2)), TABLE)

    assert {"bytes", "protocol"} == {feature.feature for feature in found}
    by_name = {feature.feature: feature for feature in found}
    assert ("number", True) == (by_name["bytes"].kind, by_name["bytes"].z > 10)
    assert by_name["bytes"].value == pytest.approx(900, rel=0.02)
    assert by_name["bytes"].usual == pytest.approx(100, rel=0.05)
    assert ("category", "icmp", 1.0, 0.0) == (
        by_name["protocol"].kind,
        by_name["protocol"].value,
        by_name["protocol"].share,
        by_name["protocol"].usual,
    )
    assert [abs(f.z) for f in found] == sorted((abs(f.z) for f in found), reverse=True)


def test_rows_like_all_others_have_nothing_to_tell() -> None:
    """Within what chance gives."""
    assert () == apart(rows(30, 1), Usual(rows=rows(200, 2)), TABLE)


def test_what_the_net_has_learnt_is_enough() -> None:
    """No other row at hand: middle and scale of the numbers, and which categories are common."""
    usual = Usual(
        rows=np.empty((0, 3), dtype=np.float32),
        middle=np.array([100.0, 1.0, np.nan]),
        scale=np.array([7.0, 0.15, np.nan]),
        common=(None, None, frozenset({0, 1})),
    )
    found = apart(rows(30, 1, size=900.0, protocol=2.0), usual, TABLE)

    assert {"bytes", "protocol"} == {feature.feature for feature in found}
    assert () == apart(rows(30, 1), usual, TABLE)


def test_missing_cells_are_told() -> None:
    """Where others have them."""
    own = rows(30, 1)
    own[:, 1] = np.nan
    (found,) = apart(own, Usual(rows=rows(200, 2)), TABLE)

    assert ("seconds", "missing", 1.0, 0.0) == (found.feature, found.kind, found.share, found.usual)


def test_places_of_a_vector_are_told_in_its_own_unit() -> None:
    """By number, from 0; the values as a client sends them."""
    rng = np.random.default_rng(3)
    own, others = (rng.normal(0.5, 0.02, (n, 4)).astype(np.float32) for n in (30, 60))
    own[:, 2] = 0.1
    (found,) = apart(own, Usual(rows=others), VECTOR)

    assert ("2", "number") == (found.feature, found.kind)
    assert found.z < -10
    assert found.value == pytest.approx(1.0)
    assert found.usual == pytest.approx(5.0, abs=0.1)


def test_without_anything_to_compare_with_nothing_is_told() -> None:
    """Of a vector: nobody knows what is usual."""
    own = np.full((20, 4), 0.5, dtype=np.float32)

    assert () == apart(own, Usual(rows=np.empty((0, 4), dtype=np.float32)), VECTOR)


@pytest.mark.parametrize("cell", [np.nan, 3e38, -3e38])
def test_whatever_the_cells_hold_figures_are_finite(cell: float) -> None:
    """Bounded in number and in size."""
    own = np.full((20, 3), cell, dtype=np.float32)
    own[:, 2] = -1
    found = apart(own, Usual(rows=rows(50, 2)), TABLE)

    assert len(found) <= MOST_FEATURES
    assert all(np.isfinite(feature.z) and abs(feature.z) <= FURTHEST for feature in found)
