"""The client without an event loop, against a real service."""

import asyncio
import gc
import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.client import Client, Clusters, GaveUp, Refused, Verdict
from tests.service import digits
from tests.service.inside import Inside
from tests.service.waiting import until


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "firstseen-client"]


def test_all_calls(service: Inside) -> None:
    """What the asynchronous client says."""
    with Client(service.url) as client:
        assert client.info().seq >= 0
        assert client.classify_one({"id": "sync-one", "x": digits.raw()}).id == "sync-one"
        assert 2 == len(client.classify([digits.raw(), digits.raw(1)]))
        assert isinstance(client.clusters(), Clusters)
        with pytest.raises(Refused):
            client.cluster(987654)
        watch = client.watch()
        assert isinstance(next(watch), Clusters)
        watch.close()
        given = digits.many("sync-stream", 300)
        assert [item["id"] for item in given] == [answer.id for answer in client.stream(iter(given))]


async def test_inside_a_running_loop(service: Inside) -> None:
    """As in a notebook."""
    with Client(service.url) as client:
        assert isinstance(client.classify_one(digits.raw()), Verdict)
    assert asyncio.get_running_loop().is_running()


def test_answers_come_while_the_iterable_waits(service: Inside) -> None:
    """A person at a keyboard sees the verdict of each line before the next is typed."""
    gate = threading.Event()

    def typed() -> Iterator[Any]:
        yield {"id": "sync-typed", "x": digits.raw()}
        gate.wait(30)

    with Client(service.url) as client:
        stream = client.stream(typed())
        assert "sync-typed" == next(stream).id
        gate.set()
        assert [] == list(stream)


def test_left_early(service: Inside) -> None:
    """A stream without end is left when its caller has enough."""
    endless = ({"x": digits.raw(n)} for n in itertools.count())
    with Client(service.url) as client:
        taken = list(itertools.islice(client.stream(endless), 10))

    assert 10 == len(taken)
    assert [] == threads()


CALLS: dict[str, Callable[[Client], object]] = {
    "info": lambda client: client.info(),
    "watch": lambda client: next(client.watch()),
    "stream": lambda client: next(client.stream([[0]])),
}


@pytest.mark.parametrize("call", CALLS)
def test_nobody_there(call: str) -> None:
    """It gives up, as the patience says, and can still be closed."""
    with Client("http://127.0.0.1:1", patience_s=0) as client, pytest.raises(GaveUp):
        CALLS[call](client)


def test_ctrl_c(service: Inside) -> None:
    """Ends a call that waits, at once, and leaves the client usable."""
    with Client(service.url) as client:
        watch = client.watch()
        next(watch)
        main = threading.main_thread().ident or 0
        timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            list(watch)
        timer.join()
        watch.close()
        assert client.info().seq >= 0


def test_closed(service: Inside) -> None:
    """Closing ends the thread, may be done twice, and what is asked then is refused."""
    client = Client(service.url)
    client.close()
    client.close()

    assert [] == threads()
    with pytest.raises(RuntimeError, match="is closed"):
        client.info()


def test_forgotten() -> None:
    """A client that nobody closed leaves no thread behind."""
    client = Client("http://127.0.0.1:1")
    assert 1 == len(threads())
    del client
    gc.collect()

    until(lambda: not threads(), "its thread ends")
