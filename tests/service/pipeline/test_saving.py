"""Snapshots beside the stream: when they are due, that they wait for each other, and what a store that is away does."""

import pytest
from prometheus_client import CollectorRegistry

from service.pipeline.saving import Saving
from service.state.errors import Fenced
from service.telemetry.metrics import Metrics
from tests.service.fake_store import FakeStore, Shared, away
from tests.service.waiting import soon


class Stream:
    """A state that is its seq, every seq the end of a batch."""

    def __init__(self) -> None:
        self.seq = 0
        self.store = FakeStore(Shared(epoch=1))
        self.store.epoch = 1
        self.metrics = Metrics(CollectorRegistry()).of("test")
        self.saving = Saving(self.store, self.metrics, every_items=10, dump=self.dump)  # type: ignore[arg-type]  # a fake

    async def dump(self) -> tuple[bytes, int]:
        return b"%d" % self.seq, self.seq

    async def goes_to(self, seq: int) -> None:
        self.seq = seq
        await self.saving.tend(seq)

    @property
    def saved(self) -> list[tuple[int, bytes]]:
        return self.store.shared.snapshots


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    monkeypatch.setattr(Shared, "boundaries", range(1000))
    return Stream()


async def test_due(stream: Stream) -> None:
    """Every so many items, and not before."""
    for ten in (0, 10, 20):
        for seq in range(ten, ten + 5):
            await stream.goes_to(seq)
        await soon(lambda: len(stream.saved) == ten // 10, "it is written")  # noqa: B023 - called at once

    assert [(10, b"10"), (20, b"20")] == stream.saved


async def test_the_stream_goes_on(stream: Stream) -> None:
    """While one is written the next does not begin; it is of the place where it began."""
    go = stream.store.holds("save_snapshot")
    for seq in (10, 25, 40):
        await stream.goes_to(seq)
    assert [] == stream.saved
    go.set()
    await soon(lambda: stream.saved, "it is written")
    await stream.goes_to(41)
    await soon(lambda: len(stream.saved) == 2, "the next is written")

    assert [(10, b"10"), (41, b"41")] == stream.saved


async def test_now(stream: Stream) -> None:
    """What is not saved is, behind the one under way; what is saved is not saved again."""
    await stream.goes_to(10)
    stream.seq = 12
    await stream.saving.now(12)
    await stream.saving.now(12)

    assert [(10, b"10"), (12, b"12")] == stream.saved


async def test_away(stream: Stream) -> None:
    """One that cannot be written is tried again half as many items later."""
    stream.store.fails("save_snapshot", away())
    await stream.goes_to(10)
    await soon(lambda: stream.saving.seq == 5, "it has failed")
    for seq in range(11, 21):
        await stream.goes_to(seq)
    await soon(lambda: stream.saved, "it is written")

    assert [(15, b"15")] == stream.saved


async def test_fenced(stream: Stream) -> None:
    """Another owner is noticed at the next look."""
    stream.store.fails("save_snapshot", Fenced("no longer", ours=1, current=2))
    await stream.goes_to(10)
    await soon(lambda: "save_snapshot" in stream.store.calls, "it is tried")

    with pytest.raises(Fenced):
        await stream.saving.now(10)


async def test_dropped(stream: Stream) -> None:
    """One that is left is not waited for."""
    stream.store.holds("save_snapshot")
    await stream.goes_to(10)
    await stream.saving.drop()
    await stream.saving.drop()

    assert [] == stream.saved
