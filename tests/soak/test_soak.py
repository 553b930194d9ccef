"""Ten seconds of a soak: everybody has a turn, everything is counted, and what is wrong is seen."""

import json

import pytest

from service.client import Verdict
from tests.faults.zygote import Zygote
from tests.soak import clients
from tests.soak.book import Book
from tests.soak.slope import Slope
from tests.soak.soaking import FEWEST_POINTS, FULL_AFTER_ITEMS, Report, first_to_look_at, soak

VERDICT = Verdict(
    id="a", seq=1, verdict="known", label="8", cluster_id=None, novelty=0.5, nearest="8", distance=1.0
)


@pytest.mark.slow
def test_ten_seconds(zygote: Zygote) -> None:
    """Nothing is wrong, each kind of client was served, and slips and cuts were provoked."""
    told: list[str] = []
    report = soak(seconds=10, seed=1, tell=told.append, launch=zygote.spawn)

    assert [] == report.wrong
    assert report.is_good
    assert {client.__name__ for client, _ in clients.ALL} - {"slips", "askers"} == report.answers.keys()
    assert {"hung up", "frames"} < report.provoked.keys()
    assert report.asked > 0
    json.dumps(report.as_json())


def test_what_is_wrong_is_seen() -> None:
    """Answers of other items, too few of them, and one that changed."""
    book = Book()
    book.answered("a-0", [{"id": "a", "x": 0}], [VERDICT])
    assert [] == book.wrong
    book.answered("a-0", [{"id": "b", "x": 0}], [VERDICT])
    book.answered("a-0", [{"id": "a", "x": 0}, {"id": "b", "x": 0}], [VERDICT])
    book.sample["a"] = (0, VERDICT)
    book.again(
        "a-0",
        "a",
        Verdict(**{name: getattr(VERDICT, name) for name in VERDICT.__struct_fields__} | {"seq": 2}),
    )

    assert 3 == len(book.wrong)


@pytest.mark.parametrize(
    ("per_unit", "n", "expected"), [(5.0, 200, ["service"]), (5.0, 10, []), (0.5, 200, [])]
)
def test_a_leak_fails(per_unit: float, n: int, expected: list[str]) -> None:
    """One that is sure, over the bound, and looked at for long enough."""
    assert 10 < FEWEST_POINTS <= 200
    report = Report(
        minutes=1,
        answers={},
        provoked={},
        wrong=[],
        counted=0,
        memory={},
        slopes={"service": Slope(per_unit=per_unit, error=0.1, n=n)},
    )

    assert expected == report.leaks
    assert (not expected) is report.is_good


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([0, FULL_AFTER_ITEMS, FULL_AFTER_ITEMS, FULL_AFTER_ITEMS], 2),  # a third of the time has to pass
        ([0, 10, 20, FULL_AFTER_ITEMS], 3),  # and all that is bounded has to be full
        ([0, 10, 20, 30], 4),  # on a slow machine that may never be
    ],
)
def test_the_warm_up_is_not_looked_at(items: list[int], expected: int) -> None:
    """Until what is bounded is full, memory may grow."""
    assert expected == first_to_look_at([0.0, 1.0, 2.0, 3.0], items, seconds=6.0)
