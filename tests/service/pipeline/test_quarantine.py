"""Who is guilty: the table of the rule, and the search as a whole against every set of guilty items."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.pipeline.quarantine import (
    ENOUGH,
    ENOUGH_SHORT_OF_MEMORY,
    PER_MINUTE,
    Circumstances,
    Convictions,
    Next,
    Search,
    decide,
    is_short_of_memory,
    reason_of,
)


@pytest.mark.parametrize(
    ("seen", "then"),
    [
        ("8 items", Next.SPLIT),
        ("8 items, short of memory", Next.SPLIT),
        ("8 items, no room", Next.SPLIT),
        ("8 items, engine ill", Next.ENGINE_FAILS),
        ("alone, 1 crash", Next.AGAIN),
        ("alone, 1 crash, engine ill", Next.ENGINE_FAILS),
        ("alone, 2 crashes", Next.QUARANTINE),
        ("alone, 7 crashes", Next.QUARANTINE),
        ("alone, 2 crashes, no room", Next.TOO_MANY),
        ("alone, 2 crashes, engine ill", Next.ENGINE_FAILS),
        ("alone, 2 crashes, engine ill, no room", Next.ENGINE_FAILS),
        ("alone, 2 crashes, short of memory", Next.AGAIN),
        ("alone, 3 crashes, short of memory", Next.QUARANTINE),
        ("alone, 3 crashes, short of memory, no room", Next.TOO_MANY),
    ],
)
def test_the_rule(seen: str, then: Next) -> None:
    """Not the engine; then not a crowd; then not the first time; then not too many."""
    words = seen.split()
    alone = words[0].startswith("alone")
    circumstances = Circumstances(
        items=1 if alone else int(words[0]),
        crashes=int(words[1]) if alone else 0,
        is_short_of_memory="memory" in seen,
        is_engine_well="ill" not in seen,
        has_room="no room" not in seen,
    )

    assert then is decide(circumstances)


def searched(
    count: int, guilty: set[int], *, memory: bool = False, **options: object
) -> tuple[list[int], list[int], int]:
    """What passed, what was convicted, in order of settling; and how many tries there were."""
    search = Search(count, **options)  # type: ignore[arg-type]  # by name
    passed: list[int] = []
    convicted: list[int] = []
    settled: list[int] = []
    tries = 0
    while (part := search.part) is not None:
        tries += 1
        assert tries < 10_000
        if guilty.isdisjoint(part):
            passed += part
            settled += part
            search.settled()
            continue
        then = search.crashed(is_short_of_memory=memory, is_engine_well=True, has_room=True)
        if then is Next.QUARANTINE:
            assert len(part) == 1
            assert search.crashes_of(part.start) >= ENOUGH
            convicted += part
            settled += part
            search.settled()
    assert settled == list(range(count)), "in order of arrival"
    return passed, convicted, tries


@given(st.integers(0, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, max(n - 1, 0))))))
def test_the_guilty_and_nobody_else(case: tuple[int, set[int]]) -> None:
    """Whoever is guilty: they are convicted, all others pass, everything in order of arrival."""
    count, guilty = case
    guilty = {item for item in guilty if item < count}
    passed, convicted, _ = searched(count, guilty)

    assert sorted(guilty) == convicted
    assert [item for item in range(count) if item not in guilty] == passed


@pytest.mark.parametrize("count", [1, 2, 7, 64, 1024])
def test_few_tries(count: int) -> None:
    """One guilty among B is found in about 2 log2 B tries."""
    worst = max(searched(count, {item})[2] for item in {0, count // 3, count // 2, count - 1})

    assert worst <= 2 * math.ceil(math.log2(count)) + 2


def test_nothing_crashes() -> None:
    """A batch that passes is one try."""
    assert ([0, 1, 2, 3, 4], [], 1) == searched(5, set())


def test_nobody() -> None:
    """An empty batch has no part."""
    assert Search(0).part is None


def test_alone_from_the_start() -> None:
    """An item that comes alone needs to crash twice."""
    assert ([], [0], ENOUGH) == searched(1, {0})


def test_short_of_memory() -> None:
    """For want of memory it takes one crash more."""
    assert ([], [0], ENOUGH_SHORT_OF_MEMORY) == searched(1, {0}, memory=True)


def test_doubted_items_go_alone() -> None:
    """An item with a past is tried alone, its neighbours in company; one crash more convicts it."""
    search = Search(6, crashes={2: 1})
    parts = []
    while search.part is not None:
        parts.append(search.part)
        search.settled()

    assert [range(2), range(2, 3), range(3, 6)] == parts
    assert ([0, 1, 3, 4, 5], [2], 3) == searched(6, {2}, crashes={2: 1})


def test_small_parts() -> None:
    """No more than `at_most` together."""
    search = Search(7, at_most=3)
    parts = []
    while search.part is not None:
        parts.append(search.part)
        search.settled()

    assert [range(3), range(3, 6), range(6, 7)] == parts


def test_an_engine_that_fails_accuses_nobody() -> None:
    """Its crash counts against no item."""
    search = Search(2)
    then = search.crashed(is_short_of_memory=False, is_engine_well=False, has_room=True)

    assert Next.ENGINE_FAILS is then
    assert [0, 0] == [search.crashes_of(0), search.crashes_of(1)]
    assert range(2) == search.part


def test_convictions_in_a_minute() -> None:
    """There is room for so many in any minute; it comes back as they get older."""
    convictions = Convictions()
    for n in range(PER_MINUTE):
        assert convictions.has_room(float(n))
        convictions.add(float(n))

    assert not convictions.has_room(59.9)
    assert convictions.has_room(60.0)
    convictions.add(60.0)
    assert not convictions.has_room(60.5)
    assert convictions.has_room(61.0)


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("CUDA"), True),
        (RuntimeError("out of memory?"), False),
        (ValueError(), False),
    ],
)
def test_short_of_memory_is_known_by_its_type(error: Exception, expected: bool) -> None:
    """Python's own, and a graphics card's."""
    assert expected is is_short_of_memory(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("bad\nsecond line"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (ValueError("\x1b[31mred"), "ValueError:  [31mred"),
        (KeyError("a"), "KeyError: 'a'"),
    ],
)
def test_reason(error: Exception, expected: str) -> None:
    """One printable line."""
    assert expected == reason_of(error)


def test_a_long_reason_is_cut() -> None:
    """However long the message."""
    reason = reason_of(ValueError("x" * 5000))

    assert 300 == len(reason)
    assert reason.endswith("...")


def test_torch_names_it_so() -> None:
    """The name that is looked for is the one that torch raises."""
    assert is_short_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
