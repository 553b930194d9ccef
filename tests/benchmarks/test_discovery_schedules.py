"""Streams without anything new hold known classes alone, however these change; rare classes are as rare as is said."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.discovery_cells import VARIANTS
from benchmarks.discovery_runs import Setup
from benchmarks.discovery_schedules import (
    CASES,
    KINDS,
    LOW,
    NULLS,
    RARE,
    SHARES,
    nulls,
    rows,
    runs_of,
    shares,
)
from benchmarks.discovery_suite import GROUPS, Group
from model.inputs import ImageInput, InputSpec, TableColumn, TableInput, TextInput, VectorInput
from service.evaluation.drift import transforms_of
from service.evaluation.labelled_stream import draw
from service.evaluation.schedule import along

KNOWN = tuple("abcdef")
POOL = [label for label in (*KNOWN, "x", "y") for _ in range(2000)]
LENGTH = 4000


def shares_of(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """The share of each known class in the first fifth and in the last one."""
    schedule = nulls(KNOWN, (), length=LENGTH)[name]
    truth = draw(schedule, POOL, known=KNOWN, seed=0).truth
    assert set(truth) <= set(KNOWN)
    assert len(truth) == LENGTH
    part = LENGTH // 5
    first, last = (Counter(some) for some in (truth[:part], truth[-part:]))
    return tuple({label: own[label] / part for label in KNOWN} for own in (first, last))  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["null", "shares drift", "shares jump", "half gone", "two left"])
def test_shares_of_known_classes_change_as_the_name_says(name: str) -> None:
    """From six equal ones to what is left of them."""
    weights = {
        "null": [1.0] * 6,
        "shares drift": [1.0, LOW] * 3,
        "shares jump": [1.0, LOW] * 3,
        "half gone": [1.0, 0.0] * 3,
        "two left": [1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    }[name]
    first, last = shares_of(name)

    assert list(first.values()) == pytest.approx([1 / 6] * 6, abs=0.05)
    # Who was sent less has more items left, so a weight is more than its part of the share.
    assert list(last.values()) == pytest.approx([w / sum(weights) for w in weights], abs=0.15)
    assert [w == 0.0 for w in weights] == [share == 0.0 for share in last.values()]


def test_two_of_very_many_classes_are_no_stream() -> None:
    """With a hundred of them, they have too few items."""
    assert "two left" in nulls(KNOWN, (), length=LENGTH)
    assert "two left" not in nulls([str(n) for n in range(100)], (), length=LENGTH)


def test_every_drift_that_items_can_have_is_sent() -> None:
    """Of all known items; none at first, the most at the end."""
    found = nulls(KNOWN, ("noise", "brightness"), length=LENGTH)
    (drift,) = found["noise"].drifts
    strength = along(drift.strength, LENGTH)

    assert {"noise", "brightness"} <= set(found)
    assert () == drift.labels
    assert strength[LENGTH // 4] == 0.0 < strength[LENGTH // 2] < strength[-1]


@pytest.mark.parametrize(
    "spec",
    [
        ImageInput(shape=(1, 8, 8), minimum=0, maximum=1),
        VectorInput(shape=(3,), minimum=0, maximum=1),
        TextInput(),
        TableInput(columns=(TableColumn(name="a", kind="number"),)),
    ],
    ids=lambda spec: spec.kind,
)
def test_it_is_known_how_strong_each_drift_of_every_kind_of_item_is(spec: InputSpec) -> None:
    """Of images, vectors, texts and tables alike."""
    kinds = tuple(transforms_of(spec))

    assert set(kinds) <= set(nulls(KNOWN, kinds, length=LENGTH))


@pytest.mark.parametrize("share", RARE)
def test_a_rare_class_has_its_share_once_it_is_there(share: float) -> None:
    """The first from a fifth of the stream on, the second from the half on."""
    (schedule,) = (s for name, s in shares("xyz", length=LENGTH).items() if name == f"{share:.0%} each")
    truth = np.array(draw(schedule, POOL, known=KNOWN, seed=0).truth)

    assert not np.isin(truth[: LENGTH // 5], ["x", "y"]).any()
    assert not (truth[: LENGTH // 2] == "y").any()
    assert (truth[LENGTH // 2 :] == "x").mean() == pytest.approx(share, abs=0.02)
    assert (truth[LENGTH // 2 :] == "y").mean() == pytest.approx(share, abs=0.02)


def test_cases_are_groups_that_there_are() -> None:
    """By name."""
    assert set(CASES) <= {group.name for group in GROUPS}


TINY = Group(
    name="digits",
    config="digits",
    changes={"epochs": 1, "max_items": 700, "rehearse": False},
    reported=(("3", "7"),),
    design=(),
    length=120,
)


def test_every_schedule_goes_through_every_variant(tmp_path: Path) -> None:
    """With images embedded anew where they drift; what a row counts is what its runs count."""
    found = runs_of(KINDS, (TINY,), Setup(data_dir=None, cache=tmp_path, streams=1), cases=("digits",))
    null, rare = rows(NULLS, found[NULLS]), rows(SHARES, found[SHARES])
    names = list(dict.fromkeys(row["schedule"] for row in null))

    assert ["null", "shares drift", "shares jump", "half gone", "two left", "noise", "brightness"] == names
    assert len(null) == len(names) * len(VARIANTS)
    assert len(rare) == len(RARE) * len(VARIANTS)
    assert all(run["classes_unseen"] == 0 and run["auroc"] is None for run in found[NULLS])
    assert {"digits"} == {row["group"] for row in rare}
    assert sum(run["false_clusters"] for run in found[NULLS]) == sum(row["false_clusters"] for row in null)


def test_a_group_that_is_no_case_is_not_sent(tmp_path: Path) -> None:
    """And nothing is trained."""
    assert {NULLS: [], SHARES: []} == runs_of(KINDS, (TINY,), Setup(data_dir=None, cache=tmp_path))
    assert [] == list(tmp_path.iterdir())
