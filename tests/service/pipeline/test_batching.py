"""The queue: first come first served, up to a batch at once, bounded, and closed with a reason."""

import asyncio
import gc
import weakref
from copy import copy
from typing import Any

import numpy as np
import pytest

from service.errors import (
    ClientGone,
    DeadlineMissed,
    InternalError,
    ItemQuarantined,
    NotReady,
    Overloaded,
    StoreAway,
    StreamFails,
)
from service.ingest.intake import Refused
from service.pipeline.batching import Job, Queue
from service.records import Item, Verdict, VerdictKind


def job(n: int, name: str = "j") -> Job:
    x = np.zeros(1, dtype=np.float32)
    items = [Item(id=f"{name}{k}", x=x) for k in range(n)]
    return Job(items=items, done=asyncio.get_running_loop().create_future())


def verdict(id: str) -> Verdict:
    values: dict[str, Any] = {
        "label": None,
        "cluster_id": None,
        "novelty": 0.0,
        "nearest": "a",
        "distance": 0.0,
    }
    return Verdict(id=id, seq=0, verdict=VerdictKind.OUTLIER, **values)


def queue(max_items: int = 10, max_batch: int = 4) -> Queue:
    return Queue(max_items=max_items, max_batch=max_batch)


async def ids(of: Queue) -> list[str | None]:
    return [item.id for part in await of.take() for item in part.items]


async def test_order() -> None:
    """Jobs leave in order, cut at the size of a batch."""
    q = queue()
    q.offer(job(3, "a"))
    q.offer(job(3, "b"))

    assert ["a0", "a1", "a2", "b0"] == await ids(q)
    assert ["b1", "b2"] == await ids(q)
    assert 0 == q.waiting


async def test_only_jobs_that_are_treated_alike_share_a_batch() -> None:
    """A dry run, or an explanation, is of the place in the stream where it was asked for."""
    q = queue(max_items=20, max_batch=20)
    for name, learn, explain in (
        ("a", True, False),
        ("b", True, False),
        ("c", False, False),
        ("d", False, True),
        ("e", True, True),
        ("f", True, False),
    ):
        asked = job(1, name)
        asked.learn, asked.explain = learn, explain
        q.offer(asked)

    assert [["a0", "b0"], ["c0"], ["d0"], ["e0"], ["f0"]] == [await ids(q) for _ in range(5)]
    assert 0 == q.waiting


async def test_a_refusal_is_an_answer() -> None:
    """A job with an item in quarantine is answered as a whole, each item in its place."""
    one = job(2)
    refused = Refused("j0", ItemQuarantined("It crashed the engine."))
    one.deliver([refused])
    one.deliver([verdict("j1")])

    assert [refused, verdict("j1")] == await one.done


async def test_waits() -> None:
    """Without work the taker waits; the first item wakes it."""
    q = queue()
    taking = asyncio.create_task(ids(q))
    await asyncio.sleep(0)
    assert not taking.done()
    q.offer(job(1, "a"))

    assert ["a0"] == await taking


async def test_bound() -> None:
    """Over the bound a job is refused at once with the numbers; once there is room it is taken."""
    q = queue(max_items=4)
    q.offer(job(3))
    with pytest.raises(Overloaded, match=r"3 items are waiting.*\(4\)"):
        q.offer(job(2))
    q.offer(job(1))
    await q.take()
    q.offer(job(2))

    assert 2 == q.waiting


async def test_larger_than_the_queue() -> None:
    """A job larger than the whole queue is taken when the queue is empty, and only then."""
    q = queue(max_items=4)
    q.offer(job(9))
    assert 9 == q.waiting
    with pytest.raises(Overloaded):
        q.offer(job(1))

    assert [4, 4, 1] == [len(await ids(q)) for _ in range(3)]


async def test_put_waits_for_room() -> None:
    """A socket's job waits until there is room."""
    q = queue(max_items=4)
    q.offer(job(4, "a"))
    putting = asyncio.create_task(q.put(job(1, "b")))
    await asyncio.sleep(0)
    assert not putting.done()
    await q.take()
    await putting

    assert ["b0"] == await ids(q)


async def test_put_waits_for_the_store() -> None:
    """While the store is away a socket's job waits; for another reason it is refused."""
    q = queue()
    q.close(StoreAway("away"))
    putting = asyncio.create_task(q.put(job(1, "a")))
    await asyncio.sleep(0)
    assert not putting.done()
    q.open()
    await putting
    q.close(NotReady("stopping"))

    with pytest.raises(NotReady, match="stopping"):
        await q.put(job(1, "b"))


async def test_put_hears_of_the_end() -> None:
    """One that waits for room hears when the queue closes."""
    q = queue(max_items=1)
    q.offer(job(1))
    putting = asyncio.create_task(q.put(job(1)))
    await asyncio.sleep(0)
    q.close(NotReady("stopping"))

    with pytest.raises(NotReady, match="stopping"):
        await putting


async def test_gone() -> None:
    """A job whose waiter has gone falls out, also in the middle of being cut."""
    q = queue(max_batch=2)
    first, second, third = job(3, "a"), job(2, "b"), job(1, "c")
    for each in (first, second, third):
        q.offer(each)
    assert ["a0", "a1"] == await ids(q)
    first.done.cancel()
    second.done.cancel()

    assert ["c0"] == await ids(q)
    assert 0 == q.waiting


async def test_closed() -> None:
    """A closed queue refuses with its reason; what waits can still be taken."""
    q = queue()
    q.offer(job(1, "a"))
    q.close(NotReady("why"))
    with pytest.raises(NotReady, match="why"):
        q.offer(job(1))

    assert ["a0"] == await ids(q)


async def test_finish() -> None:
    """After `finish` the taker gets what waits, then nothing; only then all is drained."""
    q = queue()
    q.offer(job(1, "a"))
    q.finish()
    drained = asyncio.create_task(q.drained())

    assert ["a0"] == await ids(q)
    await asyncio.sleep(0)
    assert not q.is_drained
    assert [] == await q.take()
    await drained
    assert q.is_drained


async def test_finish_wakes() -> None:
    """A taker that waits hears that no more will come."""
    q = queue()
    taking = asyncio.create_task(q.take())
    await asyncio.sleep(0)
    q.finish()

    assert [] == await taking


async def test_fail_all() -> None:
    """Everything that waits can be failed at once."""
    q = queue()
    jobs = [job(1), job(2)]
    for each in jobs:
        q.offer(each)
    q.fail_all(NotReady("gone"))

    assert 0 == q.waiting
    for each in jobs:
        with pytest.raises(NotReady, match="gone"):
            await each.done


async def test_deliver() -> None:
    """A job is done with its last verdict, not before; a failure after that is none."""
    each = job(2)
    each.deliver([verdict("j0")])
    assert not each.done.done()
    each.deliver([verdict("j1")])
    each.fail(NotReady("late"))

    assert [verdict("j0"), verdict("j1")] == await each.done


async def test_deliver_to_nobody() -> None:
    """Verdicts for one that has gone are dropped."""
    each = job(1)
    each.done.cancel()
    each.deliver([verdict("j0")])

    assert each.done.cancelled()


async def test_the_age_of_what_waits_longest() -> None:
    """From when it was offered until all of it is taken; 0 when nothing waits."""
    q = queue(max_batch=2)
    assert 0 == q.age_s
    first, second = job(3, "a"), job(1, "b")
    for one in (first, second):
        q.offer(one)
    first.offered -= 5.0
    second.offered -= 2.0

    assert 5 <= q.age_s < 5 + 60
    await q.take()
    assert q.age_s >= 5
    await q.take()
    assert 0 == q.age_s


class TestDropped:
    """What nobody waits for any more falls out before it is embedded, and is counted."""

    @pytest.fixture
    def seen(self) -> list[tuple[str, int]]:
        return []

    @pytest.fixture
    def q(self, seen: list[tuple[str, int]]) -> Queue:
        return Queue(max_items=20, max_batch=4, dropped=lambda why, n: seen.append((why.value, n)))

    async def test_a_deadline_that_has_passed(self, q: Queue, seen: list[tuple[str, int]]) -> None:
        """It is told so; the next in the queue is not affected."""
        late, other = job(3, "late"), job(1, "o")
        late.deadline = asyncio.get_running_loop().time()
        q.offer(late)
        q.offer(other)

        assert ["o0"] == await ids(q)
        assert [("deadline", 3)] == seen
        with pytest.raises(DeadlineMissed, match="None of them was counted"):
            await late.done
        assert 0 == q.waiting

    async def test_a_deadline_to_come(self, q: Queue, seen: list[tuple[str, int]]) -> None:
        """It is taken as any other."""
        soon = job(2, "s")
        soon.deadline = asyncio.get_running_loop().time() + 1000
        q.offer(soon)

        assert ["s0", "s1"] == await ids(q)
        assert [] == seen

    async def test_a_client_that_has_gone(self, q: Queue, seen: list[tuple[str, int]]) -> None:
        """Also in the middle of a large job: what was taken is taken, the rest is not, and the error says which."""
        big = job(6, "b")
        gone = False
        big.is_gone = lambda: gone
        q.offer(big)
        assert ["b0", "b1", "b2", "b3"] == await ids(q)
        gone = True
        q.offer(job(1, "o"))

        assert ["o0"] == await ids(q)
        assert [("client_gone", 2)] == seen
        with pytest.raises(ClientGone, match="first 4 of 6 items are counted"):
            await big.done

    async def test_a_request_that_gave_up(self, q: Queue, seen: list[tuple[str, int]]) -> None:
        """Its timeout cancelled it."""
        over = job(2)
        q.offer(over)
        over.done.cancel()
        q.offer(job(1, "o"))

        assert ["o0"] == await ids(q)
        assert [("timeout", 2)] == seen

    async def test_a_job_that_has_failed(self, q: Queue, seen: list[tuple[str, int]]) -> None:
        """The rest of a large one is no time-out: its batch failed. A deadline that was missed stays one."""
        big, late = job(6, "b"), job(2, "l")
        q.offer(big)
        q.offer(late)
        assert ["b0", "b1", "b2", "b3"] == await ids(q)
        big.fail(InternalError("a fault of ours"))
        late.miss_deadline()
        q.offer(job(1, "o"))

        assert ["o0"] == await ids(q)
        assert [("failed", 2), ("deadline", 2)] == seen

    async def test_none_of_them_is_seen_by_who_looks_ahead(
        self, q: Queue, seen: list[tuple[str, int]]
    ) -> None:
        """So that nobody embeds it; to look drops nothing."""
        late, gone, over, dry = job(1, "l"), job(1, "g"), job(1, "c"), job(1, "d")
        late.deadline = asyncio.get_running_loop().time()
        gone.is_gone = lambda: True
        over.done.cancel()
        over.explain = True
        dry.learn = False
        for one in (late, gone, over, job(3, "a"), job(2, "b"), dry):
            q.offer(one)

        assert ["a0", "a1", "a2", "b0"] == [item.id for item in q.peek()]
        assert [] == seen
        assert not late.done.done()


async def test_a_failure_that_nobody_waits_for_is_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    """Who went before his answer came leaves nothing in the log of asyncio."""
    q = queue()
    q.offer(job(1))
    q.fail_all(NotReady("gone"))
    gc.collect()
    await asyncio.sleep(0)

    assert [] == [record.message for record in caplog.records if "never retrieved" in record.message]


async def test_each_job_has_an_error_of_its_own() -> None:
    """Two tasks that raise one and the same error would write their tracebacks into each other's."""
    q = queue()
    jobs = [job(1), job(2)]
    for each in jobs:
        q.offer(each)
    q.fail_all(StreamFails("It fails.", retry_after_s=7))
    errors = [each.done.exception() for each in jobs]

    assert errors[0] is not errors[1]
    assert [("It fails.", 7)] * 2 == [(str(error), getattr(error, "retry_after_s", None)) for error in errors]


async def test_a_closed_queue_keeps_nothing_of_what_it_refuses() -> None:
    """However often: an error that is raised again holds what each of those who raised it had in hand."""
    q = queue()
    q.close(NotReady("not yet"))
    refused = []
    for _ in range(3):
        asked = job(1000)
        with pytest.raises(NotReady, match="not yet"):
            q.offer(asked)
        refused.append(weakref.ref(asked.done))
    del asked
    gc.collect()

    assert [None] * 3 == [each() for each in refused]


def test_what_is_copied_says_the_same() -> None:
    """Also where the message is made from what `__init__` was given."""
    assert "It broke. This is a bug in firstseen." == str(copy(InternalError("It broke.")))
