"""A stream moved to another bundle, and back: all is kept that can be; a death at any step leaves one or the other."""

import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions as rx
from redis.asyncio import Redis

from model.bundle import Bundle
from model.inputs import TextInput
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.records import ANNOUNCED
from service.roundtrip.upgrading import Diff, NotUpgraded, Place, Upgraded, step_back, upgrade
from service.state.errors import BundleMismatch, LeaseHeld, StoreUnavailable
from service.state.exporting import export_stream
from service.state.inspecting import inspect
from service.state.keys import Keys
from service.state.packing import unpack_verdict
from service.state.store import StreamStore
from service.state.verifying import Verified, verify
from service.state.wire import Wire
from tests.service import digits
from tests.service.roundtrip.sending import PARAMS, Sending, a_stream, net, quiet, reader, sent
from tests.service.state.lived import faults

OLD, NEW = digits.bundle, digits.variant
"""Made when they are asked for."""


async def yes(_: Diff) -> bool:
    return True


async def no(_: Diff) -> bool:
    return False


class Rig:
    """One stream on one server."""

    def __init__(self, client: "Redis", stream: str) -> None:
        self.client = client
        self.stream = stream
        self.asked: list[Diff] = []

    def store(self, bundle: Bundle, owner: str = "owner-a", client: Any = None) -> StreamStore:
        return StreamStore(
            client or self.client,
            stream=self.stream,
            bundle_id=bundle.manifest.bundle_id,
            owner=owner,
            horizon=1000,
        )

    async def _place(self, bundle: Bundle, client: Any, mark: str) -> Place:
        store = self.store(bundle, "mover", client)
        await store.open()
        wire = Wire(client or self.client)
        return Place(wire=wire, store=store, lease_s=5.0, is_alone=False, token=mark, progress=quiet)

    async def up(
        self,
        *,
        asks: Any = yes,
        client: Any = None,
        mark: str = "t1",
        items: Any = sent,
    ) -> Upgraded:
        place = await self._place(OLD(), client, mark)
        return await upgrade(place, OLD(), NEW(), PARAMS, embeds=net().embed, items=items, asks=asks)

    async def back(self, *, asks: Any = yes, client: Any = None, mark: str = "t2") -> Upgraded:
        place = await self._place(NEW(), client, mark)
        return await step_back(place, NEW(), OLD(), asks=asks)

    async def bundle_id(self) -> str:
        found: bytes = await self.client.get(Keys(self.stream, "x").bundle)
        return found.decode()

    async def verified(self, bundle: Bundle) -> Verified:
        found = reader(self.client, self.stream, bundle)
        return await verify(found, bundle.known, bundle.manifest.labels, quiet)

    async def engine(self, bundle: Bundle) -> Engine:
        loaded = await self.store(bundle).load()
        assert loaded.snapshot is not None
        return snapshot.load(loaded.snapshot, bundle.known, bundle.manifest.labels)

    async def everything(self) -> dict[bytes, bytes]:
        """All keys of the stream, but who owns it."""
        keys = Keys(self.stream, "x")
        names = [
            key for key in await self.client.keys(keys.every) if key.decode() not in (keys.epoch, keys.lease)
        ]
        return {key: await self.client.dump(key) for key in sorted(names)}

    async def verdicts(self, bundle: Bundle, ids: Iterable[str], labels: tuple[str, ...]) -> list[object]:
        asked = list(ids)
        stored = await self.store(bundle).lookup(asked)
        return [
            None if data is None else unpack_verdict(data, id=id, labels=labels)
            for id, data in zip(asked, stored, strict=True)
        ]


@pytest.fixture
def rig(client: "Redis", stream: str) -> Rig:
    return Rig(client, stream)


@pytest.fixture
async def sending(rig: Rig) -> Sending:
    return await a_stream(rig.store(OLD()), items=480, saves=(200, 360))


async def test_the_stream_is_of_the_new_bundle_and_sound(rig: Rig, sending: Sending) -> None:
    """Every check of `state verify` passes, and the old bundle is refused."""
    done = await rig.up()

    assert done.is_done
    assert {} == faults(await rig.verified(NEW()))
    assert NEW().manifest.bundle_id == await rig.bundle_id()
    assert sending.engine.seq == (await rig.engine(NEW())).seq
    with pytest.raises(BundleMismatch, match="firstseen upgrade"):
        await rig.store(OLD()).open()


async def test_clusters_keep_their_ids(rig: Rig, sending: Sending) -> None:
    """With state, items, lineage; told before."""
    done = await rig.up()
    after = {c.id: c for c in (await rig.engine(NEW())).clusters()}
    shown = [c for c in sending.engine.clusters() if c.state in ANNOUNCED]

    assert shown
    for cluster in shown:
        again = after[cluster.id]
        assert (cluster.state, cluster.items, cluster.name, cluster.parent_id) == (
            again.state,
            again.items,
            again.name,
            again.parent_id,
        )
    assert {c.id for c in shown} <= {fate.cluster for fate in done.diff.fates if fate.is_kept}


async def test_ids_keep_their_verdicts(rig: Rig, sending: Sending) -> None:
    """An id that is sent again gets the answer that it got."""
    given = [v for v in sending.verdicts if not v.id.startswith("~")]
    await rig.up()

    assert given == await rig.verdicts(NEW(), [v.id for v in given], NEW().manifest.labels)


async def test_nothing_is_changed_until_it_is_wanted(rig: Rig, sending: Sending) -> None:
    """Who looks at what would become of the stream and says no has the stream as it was."""
    before = await rig.everything()
    done = await rig.up(asks=no)

    assert not done.is_done
    assert sending.engine.seq == done.diff.seq
    assert before == await rig.everything()


async def test_the_stream_goes_on(rig: Rig, sending: Sending) -> None:
    """New items, snapshots, and a replay to the same state."""
    await rig.up()
    store = rig.store(NEW(), "owner-b")
    await store.open()
    await store.acquire()
    after = Sending(store, NEW(), await rig.engine(NEW()))
    await after.send(480, 560)
    await after.save()
    await after.send(560, 600)
    await store.release()
    verified = await rig.verified(NEW())

    assert {} == faults(verified)
    assert snapshot.digest(after.engine) == verified.state_hash
    assert sending.engine.seq + 120 == after.engine.seq


async def test_a_step_back_is_to_what_there_was(rig: Rig, sending: Sending) -> None:
    """The old state, at the place where the stream stands; what came since is unlearnt, its verdicts stay."""
    await rig.up()
    store = rig.store(NEW(), "owner-b")
    await store.open()
    await store.acquire()
    after = Sending(store, NEW(), await rig.engine(NEW()))
    await after.send(480, 560)
    await store.release()
    done = await rig.back()
    engine = await rig.engine(OLD())
    before = {c.id: (c.state, c.items, c.weight) for c in sending.engine.clusters()}
    given = [v for v in (*sending.verdicts, *after.verdicts) if not v.id.startswith("~")]

    known, known_then = (
        {c.id for c in of.engine.clusters() if c.emerged_seq is not None} for of in (after, sending)
    )
    assert (80, 0, known - known_then) == (done.diff.unlearnt, done.diff.undecided, set(done.diff.unfound))
    assert {} == faults(await rig.verified(OLD()))
    assert after.engine.seq == engine.seq
    assert before == {c.id: (c.state, c.items, c.weight) for c in engine.clusters()}
    assert after.engine.next_cluster_id <= engine.next_cluster_id
    assert given == await rig.verdicts(OLD(), [v.id for v in given], OLD().manifest.labels)


async def test_there_is_one_step_back_only_to_what_is_kept(rig: Rig, sending: Sending) -> None:
    """Before the first move nothing is."""
    assert sending.verdicts
    place = await rig._place(OLD(), None, "t")
    with pytest.raises(NotUpgraded, match="nothing is kept"):
        await step_back(place, OLD(), NEW(), asks=yes)


async def test_it_can_be_moved_again_and_again(rig: Rig, sending: Sending) -> None:
    """Up, back, up: what an earlier move kept leaves, and nothing lies about."""
    for turn in range(2):
        await rig.up(mark=f"u{turn}")
        await rig.back(mark=f"b{turn}")
    await rig.up(mark="t9")

    assert {} == faults(await rig.verified(NEW()))
    assert sending.engine.seq == (await rig.engine(NEW())).seq


async def test_a_bundle_is_no_upgrade_of_itself(rig: Rig, sending: Sending) -> None:
    """Nothing is touched."""
    before = await rig.everything()
    place = await rig._place(OLD(), None, "t")
    with pytest.raises(NotUpgraded, match="Both are the bundle"):
        await upgrade(place, OLD(), OLD(), PARAMS, embeds=net().embed, items=None, asks=yes)

    assert sending.engine.seq
    assert before == await rig.everything()


async def test_a_bundle_of_another_kind_of_items_is_no_upgrade(rig: Rig, sending: Sending) -> None:
    """Texts in place of images, say; it is told which items each takes."""
    before = await rig.everything()
    texts = replace(NEW(), manifest=NEW().manifest.model_copy(update={"input": TextInput()}))
    place = await rig._place(OLD(), None, "t")
    with pytest.raises(NotUpgraded, match=r"takes other items than the stream's: text.* and not image"):
        await upgrade(place, OLD(), texts, PARAMS, embeds=net().embed, items=None, asks=yes)

    assert sending.engine.seq
    assert before == await rig.everything()


async def test_a_stream_that_is_served_is_refused(rig: Rig, sending: Sending) -> None:
    """And says what to do."""
    await sending.store.acquire()
    with pytest.raises(LeaseHeld, match="stop the service"):
        await rig.up()


async def test_of_an_item_that_is_brought_twice_the_first_counts(rig: Rig, sending: Sending) -> None:
    """As it did in the stream; what the sender has of it later may be anything."""
    twice = [*sent(), *((id, "no digit") for id, _ in sent())]
    done = await rig.up(items=lambda: twice)

    assert sending.engine.seq == done.diff.seq
    assert all(fate.is_kept for fate in done.diff.fates)


async def test_without_payloads_clusters_end_and_it_is_told(rig: Rig, sending: Sending) -> None:
    """Their ids stay listed."""
    shown = {c.id for c in sending.engine.clusters() if c.state in ANNOUNCED}
    done = await rig.up(items=None)

    assert shown == {fate.cluster for fate in done.diff.fates if not fate.is_kept}
    assert shown <= {c.id for c in (await rig.engine(NEW())).clusters()}


async def test_what_the_stream_has_beside_its_state_goes_along(rig: Rig, sending: Sending) -> None:
    """What is set aside, say: under the new bundle, and only there, so that what is forgotten later is gone."""
    old, new = (Keys(rig.stream, bundle.manifest.bundle_id) for bundle in (OLD(), NEW()))
    await rig.client.hset(old.dead_letters, "bad", b"letter")
    await rig.client.hset(old.payloads, "a", b"payload")
    await rig.up()

    assert [None, b"letter"] == [await rig.client.hget(keys.dead_letters, "bad") for keys in (old, new)]
    assert [None, b"payload"] == [await rig.client.hget(keys.payloads, "a") for keys in (old, new)]
    await rig.back()
    assert [b"letter", None] == [await rig.client.hget(keys.dead_letters, "bad") for keys in (old, new)]
    assert {} == faults(await rig.verified(OLD()))
    assert sending.engine.seq


async def test_a_moved_stream_can_be_backed_up(rig: Rig, sending: Sending, tmp_path: Path) -> None:
    """The file is one that an import takes: its log has only begun, and what is kept for a step back is not in it."""
    await rig.up()
    file = io.BytesIO()
    done = await export_stream(reader(rig.client, rig.stream, NEW()), file, tmp_path, quiet)
    file.seek(0)

    assert sending.engine.seq == done.seq == inspect(file).head.seq
    assert OLD().manifest.bundle_id.encode() not in file.getvalue()


# Death


class Dying:
    """A client of a process that is killed: so many commands get through, the last perhaps without its reply."""

    def __init__(self, client: "Redis", lives: int, *, is_reply_lost: bool) -> None:
        self._client = client
        self._left = lives
        self._is_reply_lost = is_reply_lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _step(self) -> bool:
        """Whether this command still reaches the server; raises where not."""
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._is_reply_lost):
            raise rx.ConnectionError("killed")
        return self._left == 0

    async def execute_command(self, *args: Any) -> Any:
        is_last = self._step()
        found = await self._client.execute_command(*args)
        if is_last:
            raise rx.ConnectionError("killed")
        return found

    def pipeline(self, **options: Any) -> Any:
        self._step()
        return self._client.pipeline(**options)


@pytest.mark.slow
@pytest.mark.parametrize("is_reply_lost", [False, True])
@pytest.mark.parametrize("is_back", [False, True])
async def test_killed_at_any_command_it_is_of_the_one_or_of_the_other(
    rig: Rig, *, is_back: bool, is_reply_lost: bool
) -> None:
    """Whole, with every verdict; and the same can be done again."""
    sending = await a_stream(rig.store(OLD()), items=260, saves=(120, 200))
    given = [v for v in sending.verdicts if not v.id.startswith("~")]
    ids = [v.id for v in given]
    seen = set()
    if is_back:
        await rig.up(mark="t0")
    start, end = (NEW(), OLD()) if is_back else (OLD(), NEW())
    for lives in range(1, 60):
        await rig.client.delete(Keys(rig.stream, "x").lease)
        dying = Dying(rig.client, lives, is_reply_lost=is_reply_lost)
        try:
            await (rig.back if is_back else rig.up)(client=dying, mark=f"k{lives}")
            died = False
        except (StoreUnavailable, rx.ConnectionError):
            died = True
        is_moved = end.manifest.bundle_id == await rig.bundle_id()
        now = end if is_moved else start
        seen.add(is_moved)

        assert {} == faults(await rig.verified(now)), lives
        assert given == await rig.verdicts(now, ids, now.manifest.labels), lives
        if is_moved:
            break
    assert not died or is_reply_lost
    assert seen == {False, True}


@pytest.mark.usefixtures("sending")
async def test_the_history_goes_along(rig: Rig) -> None:
    """Both ways, with ids and numbers: whoever has read to an event goes on behind it, and is told nothing twice."""
    keys = Keys(rig.stream, OLD().manifest.bundle_id)
    await rig.client.xadd(keys.events, {"e": b"{}", "k": 7}, id="5-1")
    await rig.client.hset(keys.head, "events", "7")
    before = await rig.store(OLD()).events.after(limit=1000)
    await rig.up()
    moved = await rig.store(NEW()).events.after(limit=1000)
    await rig.back()

    assert ("5-1", 7) == (before.events[0].id, before.total)
    assert before == moved == await rig.store(OLD()).events.after(limit=1000)
