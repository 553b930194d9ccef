"""The state is read from the store, and while that goes on it can be seen how far it is."""

from tests.service.fake_store import FakeStore, Shared
from tests.service.pipeline_rig import STREAM, Rig, known


def shown(rig: Rig, name: str) -> float | None:
    return rig.metrics.registry.get_sample_value(f"firstseen_{name}", {"stream": STREAM})


async def test_what_is_left_is_shown_and_then_nothing() -> None:
    """Before the first page all that is behind the snapshot; once it is served, none."""
    shared = Shared()
    async with Rig(FakeStore(shared)).open() as rig:
        await rig.ask(*[known(f"a{n}", n) for n in range(20)])
    shared.snapshots.clear()
    store = FakeStore(shared)
    rig = Rig(store)
    seen: list[float | None] = []
    pages = store.replay_pages

    async def watched(loaded: object) -> object:
        seen.append(shown(rig, "replay_items"))
        async for page in pages(loaded):  # type: ignore[arg-type]
            yield page

    store.replay_pages = watched  # type: ignore[method-assign, assignment]
    async with rig.open():
        assert [21] == seen
        assert 0 == shown(rig, "replay_items")
        assert (shown(rig, "replay_seconds") or 0) > 0


async def test_where_the_snapshot_stands() -> None:
    """The latest one, as it was read, and as it is saved."""
    shared = Shared()
    async with Rig(FakeStore(shared), snapshot_every=10).open() as rig:
        assert 0 == shown(rig, "snapshot_seq")
        await rig.ask(*[known(f"a{n}", n) for n in range(12)])
    assert 13 == shown(rig, "snapshot_seq")
    async with Rig(FakeStore(shared)).open() as rig:
        assert 13 == shown(rig, "snapshot_seq")
