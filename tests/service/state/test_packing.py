"""Log entries and stored verdicts survive the way to bytes and back, exactly; other bytes are refused."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.curation import Curation
from service.clustering.params import EngineParams
from service.clustering.stream_gate import StreamFit
from service.decisions import Action, Decision
from service.records import NO_CLUSTER, Observed, Verdict, VerdictKind
from service.state.packing import (
    Entry,
    EntryUnreadable,
    pack_configure,
    pack_curate,
    pack_items,
    pack_refit,
    pack_verdict,
    repacked,
    seq_of_verdict,
    unpack_entries,
    unpack_entry,
    unpack_verdict,
)

LABELS = ("cat", "dog", "äffchen")

FLOATS = st.floats(allow_nan=False)

COLUMNS = (
    "t",
    "nearest",
    "accepted",
    "fed",
    "core",
    "claimed",
    "taken",
    "novelty",
    "distance",
    "features",
    "z_fed",
)


@st.composite
def verdicts(draw: st.DrawFn, id: str = "a") -> Verdict:
    kind = draw(st.sampled_from(VerdictKind))
    nearest = draw(st.sampled_from(LABELS))
    return Verdict(
        id=id,
        seq=draw(st.integers(0, 2**62)),
        verdict=kind,
        label=draw(st.sampled_from([nearest, *LABELS])) if kind is VerdictKind.KNOWN else None,
        cluster_id=draw(st.integers(1, 2**62)) if kind is VerdictKind.CLUSTER else None,
        novelty=draw(FLOATS),
        nearest=nearest,
        distance=draw(FLOATS),
    )


@st.composite
def batches(draw: st.DrawFn) -> tuple[Observed, list[Verdict]]:
    B = draw(st.integers(0, 20))
    D = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    accepted = rng.random(B) < 0.5
    fed = ~accepted | (rng.random(B) < 0.3)
    share_taken = draw(st.sampled_from([0.0, 0.5]))
    batch = Observed(
        first_seq=draw(st.integers(0, 2**53)),
        ids=tuple(draw(st.lists(st.text(max_size=5), min_size=B, max_size=B))),
        t=np.full(B, rng.normal() * 1e9) if draw(st.booleans()) else rng.normal(size=B) * 1e9,
        nearest=rng.integers(0, len(LABELS), B),
        accepted=accepted,
        fed=fed,
        core=rng.integers(-1, len(LABELS), B).astype(np.int32),
        claimed=np.where(accepted, NO_CLUSTER, rng.integers(0, 2**40, B)),
        taken=np.where(accepted & (rng.random(B) < share_taken), rng.integers(1, 2**40, B), NO_CLUSTER),
        novelty=rng.random(B),
        distance=rng.random(B) * 100,
        features=rng.normal(size=(B, draw(st.integers(0, 4)))).astype(np.float16),
        z_fed=rng.normal(size=(int(fed.sum()), D)).astype(np.float32),
    )
    return batch, [draw(verdicts()) for _ in range(B)]


def _known() -> Verdict:
    return Verdict(
        id="a",
        seq=0,
        verdict=VerdictKind.KNOWN,
        label="cat",
        cluster_id=None,
        novelty=0.0,
        nearest="cat",
        distance=0.0,
    )


def _of(B: int) -> Observed:
    """B items of a known class, ids of four letters."""
    zeros = np.zeros(B)
    return Observed(
        first_seq=0,
        ids=tuple(f"{n:04}" for n in range(B)),
        t=zeros,
        nearest=zeros.astype(np.int64),
        accepted=np.ones(B, dtype=np.bool_),
        fed=np.zeros(B, dtype=np.bool_),
        core=zeros.astype(np.int32),
        claimed=zeros.astype(np.int64),
        taken=zeros.astype(np.int64),
        novelty=zeros,
        distance=zeros,
        features=np.zeros((B, 96), dtype=np.float16),
        z_fed=np.empty((0, 256), dtype=np.float32),
    )


@given(drawn=batches())
def test_items(drawn: tuple[Observed, list[Verdict]]) -> None:
    """A batch comes back to the bit, with the cluster of each item."""
    batch, given_ = drawn
    entry = unpack_entry(pack_items(batch, given_), first_seq=batch.first_seq)

    assert isinstance(entry, tuple)
    back, clusters = entry
    assert (batch.first_seq, batch.ids) == (back.first_seq, back.ids)
    for name in COLUMNS:
        there, here = getattr(batch, name), getattr(back, name)
        assert there.dtype == here.dtype
        assert there.shape == here.shape
        assert there.tobytes() == here.tobytes()
    assert [v.cluster_id or NO_CLUSTER for v in given_] == clusters.tolist()


@given(drawn=st.lists(batches(), max_size=6), data=st.data())
def test_batches_that_follow_each_other_are_one(
    drawn: list[tuple[Observed, list[Verdict]]], data: st.DataObject
) -> None:
    """Read at once, the items are those of the entries one by one, to the bit; only what fits is joined."""
    seq, entries = 0, []
    for batch, given_ in drawn:
        seq += data.draw(st.sampled_from([0, 0, 0, 1]))  # a hole now and then
        entries.append((seq, pack_items(batch, given_)))
        seq += len(batch)
    one_by_one = [unpack_entry(payload, first_seq=first_seq) for first_seq, payload in entries]
    joined = [entry for entry in unpack_entries(entries) if isinstance(entry, tuple)]

    def of(found: list[Entry], name: str) -> bytes:
        return b"".join(getattr(entry[0], name).tobytes() for entry in found if isinstance(entry, tuple))

    assert len(joined) <= len(one_by_one)
    assert [id for batch, _ in joined for id in batch.ids] == [id for batch, _ in drawn for id in batch.ids]
    for name in COLUMNS:
        assert of(one_by_one, name) == of(list(joined), name)
    for batch, clusters in joined:
        assert len(batch) == len(clusters) == len(batch.features)
        assert int(batch.fed.sum()) == len(batch.z_fed)
    places = [n for batch, _ in joined for n in range(batch.first_seq, batch.first_seq + len(batch))]
    assert places == [
        n
        for (first_seq, _), (batch, _) in zip(entries, drawn, strict=True)
        for n in range(first_seq, first_seq + len(batch))
    ]


def test_joined_batches_are_bounded() -> None:
    """However long the log is, no more items are in one batch than the bound says; other entries part them."""
    batch = _of(1000)
    entries = [(n * 1000, pack_items(batch, [_known()] * 1000)) for n in range(9)]
    parted = [*entries[:2], (2000, pack_configure(EngineParams())), *((s + 1, p) for s, p in entries[2:3])]

    assert [4000, 4000, 1000] == [len(e[0]) for e in unpack_entries(entries) if isinstance(e, tuple)]
    assert [2000, None, 1000] == [len(e[0]) if isinstance(e, tuple) else None for e in unpack_entries(parted)]


def test_configure() -> None:
    """Parameters come back as they were."""
    params = EngineParams(known_error_rate=0.125, exemplars=3)

    assert params == unpack_entry(pack_configure(params), first_seq=0)


@st.composite
def fits(draw: st.DrawFn) -> StreamFit:
    F, K, m, j = (draw(st.integers(least, 5)) for least in (1, 1, 0, 0))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return StreamFit(
        weights=rng.normal(size=F + 1).astype(np.float32),
        shares=rng.random(K).astype(np.float32),
        members=rng.normal(size=(m, 2 * (F + 1))).astype(np.float32),
        clusters=rng.integers(1, 2**60, m),
        joins=rng.integers(1, 2**60, (j, 2)),
        partings=rng.integers(1, 2**60, (j, 2)),
    )


@given(fit=fits())
def test_refit(fit: StreamFit) -> None:
    """A fit comes back to the bit, with memberships, joins and partings or without."""
    back = unpack_entry(pack_refit(fit), first_seq=0)

    assert isinstance(back, StreamFit)
    for name in ("weights", "shares", "members", "clusters", "joins", "partings"):
        there, here = getattr(fit, name), getattr(back, name)
        assert (there.dtype, there.shape, there.tobytes()) == (here.dtype, here.shape, here.tobytes())


@given(drawn=batches(), data=st.data())
def test_columns_of_another_length(drawn: tuple[Observed, list[Verdict]], data: st.DataObject) -> None:
    """One number too many, in any column: the entry is refused, and nothing is shared out among the items."""
    fields = msgspec.msgpack.decode(pack_items(*drawn))
    at = data.draw(st.sampled_from([n for n, field in enumerate(fields) if isinstance(field, bytes | list)]))
    fields[at] += bytes(8) if isinstance(fields[at], bytes) else ["one"] if at == 1 else [0]
    with pytest.raises(EntryUnreadable, match="seq 3 cannot be read"):
        unpack_entry(msgspec.msgpack.encode(fields), first_seq=3)


@pytest.mark.parametrize("change", ["two columns less", "a column more", "columns by name"])
def test_an_entry_of_another_version(change: str) -> None:
    """What an older firstseen wrote is refused in words, by its place."""
    batch = Observed(
        first_seq=0,
        ids=("a",),
        t=np.zeros(1),
        nearest=np.zeros(1, dtype=np.int64),
        accepted=np.ones(1, dtype=np.bool_),
        fed=np.zeros(1, dtype=np.bool_),
        core=np.zeros(1, dtype=np.int32),
        claimed=np.zeros(1, dtype=np.int64),
        taken=np.zeros(1, dtype=np.int64),
        novelty=np.zeros(1),
        distance=np.zeros(1),
        features=np.zeros((1, 2), dtype=np.float16),
        z_fed=np.empty((0, 3), dtype=np.float32),
    )
    fields = msgspec.msgpack.decode(pack_items(batch, [_known()]))
    other = {
        "two columns less": fields[:-2],
        "a column more": [*fields, b""],
        "columns by name": dict(enumerate(fields)),
    }
    with pytest.raises(EntryUnreadable, match=r"seq 5 cannot be read.*another version"):
        unpack_entry(msgspec.msgpack.encode(other[change]), first_seq=5)


def test_a_split_of_an_earlier_version() -> None:
    """It named micro-clusters, and is refused: with what to do about it."""
    made = Decision(action=Action.SPLIT, key="k", cluster=1, t=0.0, who="me", parts=((7,),))
    _, *fields = msgspec.msgpack.decode(pack_curate(Curation(decision=made)))
    with pytest.raises(EntryUnreadable, match=r"seq 5 cannot be read.*firstseen state snapshot"):
        unpack_entry(msgspec.msgpack.encode(["curate", *fields[:3]]), first_seq=5)


@given(verdict=verdicts())
def test_verdict(verdict: Verdict) -> None:
    """A stored verdict comes back as it was, floats in full."""
    assert verdict == unpack_verdict(pack_verdict(verdict, LABELS), id=verdict.id, labels=LABELS)


@given(data=st.binary(max_size=100))
def test_other_bytes(data: bytes) -> None:
    """Other bytes are refused by seq or by id, never misread."""
    with pytest.raises(EntryUnreadable, match="seq 7"):
        unpack_entry(data, first_seq=7)
    with pytest.raises(EntryUnreadable, match="'a'"):
        unpack_verdict(data, id="a", labels=LABELS)


@pytest.mark.parametrize(
    "stored",
    [[0, 3, 0, 0, 0.0, 0.0], [0, 0, 3, 0, 0.0, 0.0], [0, -1, 0, 0, 0.0, 0.0], [0, 0, -1, 0, 0.0, 0.0]],
)
def test_no_such_kind_or_class(stored: list[float]) -> None:
    """A stored verdict of a kind or class that does not exist is refused, not guessed."""
    with pytest.raises(EntryUnreadable, match="'a'"):
        unpack_verdict(msgspec.msgpack.encode(stored), id="a", labels=LABELS)


@given(drawn=batches(), at=st.integers(0, 10**6))
def test_cut(drawn: tuple[Observed, list[Verdict]], at: int) -> None:
    """An entry that is cut is refused."""
    packed = pack_items(*drawn)
    with pytest.raises(EntryUnreadable):
        unpack_entry(packed[: at % len(packed)], first_seq=0)


def test_known_items_are_small() -> None:
    """An item of a known class costs some 22 bytes and its id, and its features; no embedding."""
    assert len(pack_items(_of(1000), [_known()] * 1000)) < (29 + 2 * 96) * 1000


def test_the_place_of_a_stored_verdict() -> None:
    """Without knowing the classes; what is no verdict has none."""
    verdict = _known()

    assert verdict.seq == seq_of_verdict(pack_verdict(verdict, [verdict.nearest]))
    assert seq_of_verdict(b"?") is None


def test_a_verdict_says_the_same_under_other_labels() -> None:
    """Classes get their numbers among those; one that is not among them is told by its name."""
    verdict = replace(_known(), label="b", nearest="b")
    data = pack_verdict(verdict, ("a", "b"))
    moved = repacked(data, [0, 2])
    gone = repacked(data, [0, "b"])

    assert verdict == unpack_verdict(moved, id=verdict.id, labels=("a", "x", "b"))
    assert verdict == unpack_verdict(gone, id=verdict.id, labels=("a",))
    assert gone == repacked(gone, [0, 1])


def test_a_class_that_people_made_is_told_likewise() -> None:
    """It is another than the nearest."""
    verdict = replace(_known(), label="new", nearest="a")
    data = pack_verdict(verdict, ("a", "new"))

    assert verdict == unpack_verdict(repacked(data, [1, 0]), id=verdict.id, labels=("new", "a"))
    assert verdict == unpack_verdict(repacked(data, [0, "new"]), id=verdict.id, labels=("a",))


def test_what_is_no_verdict_cannot_be_told_otherwise() -> None:
    """Nor one of a class that there was not."""
    for data in (b"?", pack_verdict(replace(_known(), label="b", nearest="b"), ("a", "b"))):
        with pytest.raises(EntryUnreadable):
            repacked(data, [0])
