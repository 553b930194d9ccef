"""The nouns: frozen values, and ids that nobody else can have."""

import dataclasses

import numpy as np
import pytest

from service import records
from service.errors import InvalidItem
from service.intake import read_id
from service.records import ANNOUNCED, ClusterState, Observed, auto_id


def test_auto_id() -> None:
    """An id of ours is made of the seq, and no client may send one like it."""
    assert "~7" == auto_id(7)
    with pytest.raises(InvalidItem):
        read_id(auto_id(7))


def test_announced() -> None:
    """What people see is neither a candidate nor gone."""
    assert {ClusterState.CANDIDATE, ClusterState.GONE} == set(ClusterState) - ANNOUNCED


def test_observed_length() -> None:
    """A batch is as long as its items are many."""
    none, rows = np.zeros(0), np.zeros((0, 2), dtype=np.float32)
    batch = Observed(
        first_seq=3,
        ids=("a", "b"),
        t=none,
        nearest=none.astype(np.int64),
        accepted=none.astype(np.bool_),
        novelty=none,
        distance=none,
        z_unknown=rows,
    )

    assert 2 == len(batch)


@pytest.mark.parametrize("name", ["Item", "Verdict", "Evidence", "Cluster", "Observed"])
def test_frozen(name: str) -> None:
    """Records do not change, and are made by name."""
    kind = getattr(records, name)

    assert kind.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(kind))
