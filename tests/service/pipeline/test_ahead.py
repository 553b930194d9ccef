"""Embedding ahead: what was made before it was asked for is what would have been made then, and no more."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from model.inputs import Payload
from service.clustering.engine import StepResult
from service.pipeline.ahead import Ahead
from service.records import Float32s, Item, Observed
from service.state.hand import Note
from tests.service.fake_store import FakeStore, Shared
from tests.service.pipeline_rig import Rig, known, poison
from tests.service.waiting import soon


class Net:
    """An item's embedding is its number, twice; it says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[float]] = []
        self.error: Exception | None = None

    def embed(self, items: Sequence[Payload]) -> Float32s:
        values = [float(np.asarray(x)[0]) for x in items]
        self.asked.append(values)
        if self.error is not None:
            raise self.error
        return np.array([[v, 2 * v] for v in values], dtype=np.float32).reshape(-1, 2)


def item(n: int) -> Item:
    return Item(id=f"i{n}", x=np.full(1, n, dtype=np.float32))


def items(*ns: int) -> list[Item]:
    return [item(n) for n in ns]


def in_worker(call: Callable[[], Any]) -> Any:
    """A thread that is done at once."""
    done = asyncio.get_running_loop().create_future()
    done.set_result(call())
    return done


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.fixture
def ahead(net: Net) -> Ahead:
    return Ahead(net, in_worker, nullcontext)


async def test_what_was_made_is_not_made_again(ahead: Ahead, net: Net) -> None:
    """The batch has all of it, in its own order."""
    a, b, c = items(1, 2, 3)
    ahead.begin([a, b, c])

    assert [[3, 6], [1, 2]] == ahead.embed([c, a], await ahead.taken()).tolist()
    assert [[1, 2, 3]] == net.asked


async def test_the_rest_is_made_when_it_is_asked_for(ahead: Ahead, net: Net) -> None:
    """A batch is seldom just what was waiting."""
    a, b, c = items(1, 2, 3)
    ahead.begin([b])

    assert [[1, 2], [2, 4], [3, 6]] == ahead.embed([a, b, c], await ahead.taken()).tolist()
    assert [[2], [1, 3]] == net.asked


async def test_it_is_kept_for_one_batch(ahead: Ahead, net: Net) -> None:
    """So that no more than a batch is ever kept."""
    a, b = items(1, 2)
    ahead.begin([a, b])
    ahead.embed([b], await ahead.taken())
    ahead.embed([a], await ahead.taken())

    assert [[1, 2], [1]] == net.asked


async def test_what_was_begun_is_not_begun_again(net: Net) -> None:
    """Nor the first part of it: the thread is not woken for nothing. After its batch it may be begun again."""
    calls: list[Callable[[], Any]] = []

    def counted(call: Callable[[], Any]) -> Any:
        calls.append(call)
        return in_worker(call)

    ahead = Ahead(net, counted, nullcontext)
    a, b, c = items(1, 2, 3)
    ahead.begin([a, b])
    ahead.begin([a, b])
    ahead.begin([a])

    assert 1 == len(calls)

    ahead.begin([a, b, c])
    assert [[1, 2], [3]] == net.asked
    assert [[1, 2], [2, 4], [3, 6]] == ahead.embed([a, b, c], await ahead.taken()).tolist()

    ahead.begin([a, b])
    assert 3 == len(calls)


async def test_another_item_of_the_same_id_is_another(ahead: Ahead) -> None:
    """An id may be sent again with another content; what counts is the item."""
    ahead.begin([Item(id="a", x=np.full(1, 1, dtype=np.float32))])

    assert [[5, 10]] == ahead.embed(
        [Item(id="a", x=np.full(1, 5, dtype=np.float32))], await ahead.taken()
    ).tolist()


async def test_what_fails_ahead_fails_nobody(ahead: Ahead, net: Net) -> None:
    """It is made in the ordinary way, where a failure is looked into."""
    net.error = RuntimeError("a net that fails")
    a = item(1)
    ahead.begin([a])
    with pytest.raises(RuntimeError):
        ahead.embed([a], await ahead.taken())
    net.error = None

    assert [[1, 2]] == ahead.embed([a]).tolist()


async def test_nothing_begins_while_something_is_under_way(net: Net) -> None:
    """One at a time: what is under way is what comes next."""
    calls: list[Callable[[], Any]] = []

    def later(call: Callable[[], Any]) -> Any:
        calls.append(call)
        return asyncio.get_running_loop().create_future()

    ahead = Ahead(net, later, nullcontext)
    ahead.begin(items(1))
    ahead.begin(items(2))

    assert 1 == len(calls)


async def test_none(ahead: Ahead, net: Net) -> None:
    """Nothing waits: nothing begins."""
    ahead.begin([])

    assert [] == net.asked


class TestInThePipeline:
    async def test_the_next_batch_is_embedded_while_this_one_is_stepped(self) -> None:
        """The net has a thread of its own: it does not wait for the engine's."""
        store = FakeStore(Shared())
        async with Rig(store, max_batch=4).open() as rig:
            looked_up, stepping, go = store.holds("lookup"), threading.Event(), threading.Event()
            engine = rig.pipeline._present()
            apply = engine.apply

            def held(observed: Observed) -> StepResult:
                stepping.set()
                assert go.wait(10)
                return apply(observed)

            engine.apply = held  # type: ignore[method-assign]
            first = rig.offer(known("a"))
            await soon(lambda: "lookup" in store.calls, "the first is in hand")
            rest = rig.offer(*(known(f"b{n}", n) for n in range(4)))
            looked_up.set()
            await soon(stepping.is_set, "the first is stepped")
            await soon(lambda: [1, 4] == rig.net.batches, "the next is embedded")
            go.set()
            answers = await first.done + await rest.done

        assert 5 == len(answers)
        assert [1, 4] == rig.net.batches

    async def test_what_is_known_to_be_new_is_not_looked_up(self) -> None:
        """Neither by the store nor ahead: one call of the engine's thread, and one of the store."""
        store = FakeStore(Shared())
        async with Rig(store).open() as rig:
            store.new_ids.knows, store.new_ids.known = True, {"old"}
            await rig.offer(known("a"), known()).done
            assert "lookup" not in store.calls
            await rig.offer(known("old")).done
            assert 1 == store.calls.count("lookup")

    async def test_the_next_batch_is_embedded_while_this_one_is_committed(self) -> None:
        """And the verdicts are those that it would have had."""
        store = FakeStore(Shared())
        async with Rig(store, max_batch=4).open() as rig:
            looked_up, written = store.holds("lookup"), store.holds("append")
            first = rig.offer(known("a"))
            await soon(lambda: "lookup" in store.calls, "the first is in hand")
            rest = rig.offer(*(known(f"b{n}", n) for n in range(4)))
            looked_up.set()
            await soon(lambda: [1, 4] == rig.net.batches, "the next is embedded")
            assert not first.done.done()
            written.set()
            answers = await first.done + await rest.done

        assert ["a", "b0", "b1", "b2", "b3"] == [answer.id for answer in answers]
        assert [1, 4] == rig.net.batches

    async def test_what_comes_after_repeats_is_looked_up_before_it_is_embedded(self) -> None:
        """A client that sends everything again costs no embedding: neither beside the look-up nor beside a commit."""
        store = FakeStore(Shared())
        async with Rig(store, max_batch=4).open() as rig:
            await rig.offer(*(known(f"a{n}", n) for n in range(4))).done
            looked_up = store.holds("lookup")
            some = rig.offer(*(known(f"a{n}", n) for n in range(3)), known("new"))
            await soon(lambda: 2 == store.calls.count("lookup"), "it is in hand")
            rest = rig.offer(*(known(f"a{n}", n) for n in range(4)))
            looked_up.set()
            await some.done
            await rest.done

        assert [4, 4] == rig.net.batches

    async def test_no_item_of_a_wary_owner_is_embedded_before_it_is_written_down(self) -> None:
        """A crash that kills the process must find what was in hand noted."""
        shared = Shared()
        shared.hand = Note(owner="who died", t=0.0, unclean=1, items=("x",), seq=0, deaths={})
        store = FakeStore(shared)
        async with Rig(store).open() as rig:
            go = store.holds("lookup")
            job = rig.offer(known("a"))
            await soon(lambda: "lookup" in store.calls, "it is looked up")
            await asyncio.sleep(0.05)
            assert [] == rig.net.batches
            go.set()
            await job.done

    async def test_a_guilty_one_ahead_convicts_nobody_else(self) -> None:
        """It crashes while it is embedded ahead, and again in its batch, where it is found."""
        store = FakeStore(Shared())
        async with Rig(store, max_batch=4).open() as rig:
            jobs = [rig.offer(*(known(f"{j}-{n}", n) for n in range(3)), poison(f"p{j}")) for j in range(3)]
            answers = [await job.done for job in jobs]

        assert {"p0", "p1", "p2"} == store.shared.letters.keys()
        assert 9 == sum(hasattr(answer, "seq") for part in answers for answer in part)
