"""Ids that are known to be new: never one that has a verdict; and what is not known is looked up."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.state.errors import DuplicateIds, StoreMisconfigured, StoreUnavailable
from service.state.keys import Keys
from service.state.new_ids import Bloom, NewIds
from service.state.store import Append
from tests.service.state.conftest import MakeStore
from tests.service.waiting import soon

KEYS = Keys("s", "bundle")


class Server:
    """Hashes of ids by key, in pages of two; `fails` is raised once."""

    def __init__(self, tables: dict[int, list[bytes]] | None = None) -> None:
        self.tables = {KEYS.ids(g): ids for g, ids in (tables or {}).items()}
        self.run_id = "a"
        self.fails: Exception | None = None
        self.asked = 0

    async def command(self, name: str, key: str, cursor: int = 0, *_: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise error
        if name == "INFO":
            return {"run_id": self.run_id}
        ids = self.tables.get(key, [])
        end = int(cursor) + 2
        return (end if end < len(ids) else 0), dict.fromkeys(ids[int(cursor) : end], b"verdict")


def new_ids(server: Server, horizon: int = 100) -> NewIds:
    return NewIds(server, KEYS, horizon)  # type: ignore[arg-type]


ids = st.lists(
    st.text(min_size=1, max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")), max_size=200
)


few_ids = st.lists(st.binary(min_size=1, max_size=2).map(lambda data: data.hex().encode()), max_size=6)


def as_text(field: bytes) -> str:
    """The id of a field."""
    return field.decode("utf-8", "surrogatepass")


@given(put=ids, horizon=st.integers(1, 300), at_once=st.sampled_from([1, 7, 32, 33, 200]))
def test_a_filter_holds_whatever_was_put_in(put: list[bytes], horizon: int, at_once: int) -> None:
    """Also far more than it was made for, in any portions, asked for one by one or all at once."""
    bloom = Bloom(horizon)
    for n in range(0, len(put), at_once):
        bloom.add(put[n : n + at_once])

    assert all(bloom.holds(put))
    assert all(all(bloom.holds([one])) for one in put)


@given(put=ids, others=ids)
def test_one_by_one_is_all_at_once(put: list[bytes], others: list[bytes]) -> None:
    """The same bits are set, and the same are asked for."""
    many, one = Bloom(100), Bloom(100)
    for _ in range(2):
        many.add((put * 40)[: max(33, len(put))])
        for item_id in put:
            one.add([item_id])

    assert many._bytes == one._bytes
    assert [one.holds([item_id])[0] for item_id in others] == list(many.holds(others * 40))[: len(others)]


def test_a_full_filter_takes_few_new_ids_for_old_ones() -> None:
    """One of 1,400, as the formula (1 - exp(-6/16))^6 says at 16 bits an id; here at most one of 300."""
    bloom = Bloom(4096)
    bloom.add([b"old-%d" % n for n in range(4096)])

    assert sum(bloom.holds([b"new-%d" % n for n in range(30_000)])) < 30_000 / 300


def test_a_filter_is_bounded() -> None:
    """Whatever the horizon."""
    bloom = Bloom(10**12)

    assert 8 * 2**20 == len(bloom._bytes)


def test_nothing_is_known_of_a_stream_that_is_not_ours() -> None:
    """No id is called new; that there are no ids at all needs no knowledge."""
    found = new_ids(Server())

    assert not found.are_new(["a"])
    assert found.are_new([])
    found.begin(0)
    assert found.are_new(["a"])
    found.end()
    assert not found.are_new(["a"])


def test_a_stream_without_items_is_known_at_once() -> None:
    """There is nothing to read."""
    server = Server()
    found = new_ids(server)
    found.begin(0)
    found.note([b"a"], 0)

    assert found.are_new(["b"])
    assert not found.are_new(["b", "a"])
    assert 0 == server.asked


@given(
    batches=st.lists(st.tuples(few_ids, st.integers(0, 12)), max_size=12),
    horizon=st.integers(8, 24),
    taken=st.integers(0, 12),
)
async def test_an_id_within_the_horizon_is_never_new(
    batches: list[tuple[list[bytes], int]], horizon: int, taken: int
) -> None:
    """Written by an owner before, read, or written by us: as the store keeps them, by generations."""
    server, seq = Server(), 0
    found = new_ids(server, horizon)
    kept: dict[int, set[bytes]] = {}
    for n, (sent, more) in enumerate(batches):
        if n == taken:
            found.end()
            server.tables = {KEYS.ids(g): sorted(of) for g, of in kept.items()}
            found.begin(seq)
            await found.read_once()
        count = max(1, min(len(sent) + more, horizon))
        generation = (seq + count - 1) // horizon
        found.note(sent, generation)  # it may be refused: what was there before still counts
        for one in kept.get(seq // horizon, set()) | kept.get(seq // horizon - 1, set()):
            assert not found.are_new([as_text(one)])
        found.went_on(generation)
        kept.setdefault(generation, set()).update(sent)
        kept.pop(generation - 2, None)
        seq += count
        at = seq // horizon
        remembered = kept.get(at, set()) | kept.get(at - 1, set())
        if remembered:
            assert not any(found.are_new([as_text(one)]) for one in remembered)


def test_what_left_the_horizon_is_new_again() -> None:
    """Two generations are kept; memory does not grow."""
    found = new_ids(Server(), horizon=10)
    found.begin(0)
    for generation in range(50):
        found.note([b"id-%d" % generation], generation)
        found.went_on(generation)

    assert found.are_new(["id-47"])
    assert not found.are_new(["id-48"])
    assert not found.are_new(["id-49"])
    assert 2 == len(found._generations)


async def test_nothing_is_new_before_all_is_read() -> None:
    """What is written meanwhile is noted, and what was there is found in the end."""
    server = Server({1: [b"a", b"b", b"c"], 0: [b"d"]})
    found = new_ids(server)
    found.begin(150)
    reading = asyncio.create_task(found.read_once())
    await asyncio.sleep(0)
    found.note([b"mine"], 1)
    assert not found.are_new(["x"])
    assert await reading

    assert found.are_new(["x"])
    assert not any(found.are_new([one]) for one in ("a", "b", "c", "d", "mine"))


async def test_another_server_is_read_from_the_start() -> None:
    """A cursor means nothing to another run of the server: fields may have been passed over."""
    server = Server({0: [b"a", b"b", b"c"]})
    found = new_ids(server)
    found.begin(3)
    reading = asyncio.create_task(found.read_once())
    await soon(lambda: server.asked > 1, "it reads")
    server.run_id = "b"

    assert not await reading
    assert not found.are_new(["x"])
    assert await found.read_once()
    assert found.are_new(["x"])


async def test_a_stream_taken_anew_is_read_anew() -> None:
    """Also where it was half read: another owner may have written in between."""
    server = Server({0: [b"a", b"b", b"c"]})
    found = new_ids(server)
    found.begin(3)
    reading = asyncio.create_task(found.read_once())
    await soon(lambda: server.asked > 1, "it reads")
    found.end()
    server.tables[KEYS.ids(0)].append(b"theirs")
    found.begin(4)

    assert not await reading
    assert not found.are_known
    assert await found.read_once()
    assert not found.are_new(["theirs"])


async def test_a_store_that_is_away_costs_look_ups_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read again; one that does not let us is not."""
    monkeypatch.setattr("service.state.new_ids._AGAIN_S", 0.0)
    server = Server({0: [b"a"]})
    found = new_ids(server)
    reading = asyncio.create_task(found.read())
    server.fails = StoreUnavailable("away", outcome_unknown=True)
    found.begin(1)
    await soon(lambda: found.are_known, "it is read")

    server.fails = StoreMisconfigured("not allowed")
    found.begin(1)
    await soon(lambda: server.fails is None, "it was refused")
    await asyncio.sleep(0)
    assert not found.are_known
    found.begin(1)
    await soon(lambda: found.are_known, "it is read")
    reading.cancel()


async def test_a_real_store_knows_after_a_restart(make_store: MakeStore) -> None:
    """The next owner reads what the last one wrote; beyond a page, too."""
    first = make_store(owner="first", horizon=3000)
    await first.acquire()
    written = [f"id-{n}" for n in range(2500)]
    verdicts = [(one, b"v") for one in written]
    await first.append(Append(first_seq=0, count=2500, payload=b"p", verdicts=verdicts))
    assert not first.new_ids.are_new(["id-7"])
    assert first.new_ids.are_new(["other"])
    await first.release()
    assert not first.new_ids.are_new(["other"])

    second = make_store(owner="second", horizon=3000)
    await second.acquire()
    assert not second.new_ids.are_new(["other"])
    assert await second.new_ids.read_once()
    assert second.new_ids.are_new(["other"])
    assert not any(second.new_ids.are_new([one]) for one in written)


async def test_the_store_has_the_last_word(make_store: MakeStore) -> None:
    """Should an id be taken for new that is not, its batch is refused as a whole."""
    store = make_store(owner="a")
    await store.acquire()
    await store.append(Append(first_seq=0, count=1, payload=b"p", verdicts=[("a", b"v")]))
    store.new_ids.begin(0)
    assert store.new_ids.are_new(["a"])

    with pytest.raises(DuplicateIds):
        await store.append(Append(first_seq=1, count=1, payload=b"q", verdicts=[("a", b"w")]))
    assert [b"v"] == await store.lookup(["a"])
