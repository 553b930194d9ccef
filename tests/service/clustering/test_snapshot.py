"""The state as a blob: whole or refused."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.bundle import KnownArrays
from service.clustering import clusterer, snapshot
from service.clustering.blob import pack, unpack
from service.clustering.emergence import MOST_STARTS, Start
from service.clustering.engine import Engine
from service.clustering.kinship import Life
from service.clustering.params import Backend, EngineParams
from service.clustering.snapshot import MAGIC, VERSION, SnapshotUnreadable, _Ledger
from service.records import ANNOUNCED
from tests.service.clustering.conftest import LABELS, MakeEngine, World


def blob_of(world: World, backend: Backend = "firstseen") -> bytes:
    engine = Engine(world.known, LABELS, EngineParams(backend=backend))
    z = world.items(np.random.default_rng(0), n=80, share_new=0.5)
    engine.step(z, tuple(f"i{n}" for n in range(80)), np.arange(80.0))
    return snapshot.dump(engine)


def test_an_empty_engine_has_a_state(make_engine: MakeEngine, world: World) -> None:
    """The blob of nothing restores to nothing."""
    blob = snapshot.dump(make_engine())

    assert blob == snapshot.dump(snapshot.load(blob, world.known, LABELS))


@pytest.mark.parametrize("backend", ["firstseen", "river"])
def test_equal_states_have_equal_bytes(world: World, backend: Backend) -> None:
    """Deterministic: same input, same bytes."""
    assert blob_of(world, backend) == blob_of(world, backend)


@pytest.mark.parametrize("backend", ["firstseen", "river"])
def test_the_parameters_say_whose_state_it_is(world: World, backend: Backend) -> None:
    """What was learnt with a backend is restored with it, to the bit."""
    blob = blob_of(world, backend)
    engine = snapshot.load(blob, world.known, LABELS)

    assert backend == engine.params.backend
    assert type(clusterer.made(2, engine.params)) is type(engine.clusterer)
    assert len(engine.clusterer)
    assert blob == snapshot.dump(engine)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_is_refused(world: World, data: st.DataObject) -> None:
    """Wherever it is."""
    blob = bytearray(blob_of(world))
    bit = data.draw(st.integers(0, 8 * len(blob) - 1))
    blob[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(SnapshotUnreadable):
        snapshot.load(bytes(blob), world.known, LABELS)


@pytest.mark.parametrize("keep", [0, 3, 39, 40, 1000])
def test_a_cut_blob_is_refused(world: World, keep: int) -> None:
    """However little is left."""
    with pytest.raises(SnapshotUnreadable):
        snapshot.load(blob_of(world)[:keep], world.known, LABELS)


def test_a_newer_version_is_refused_with_a_remedy(world: World) -> None:
    """An old firstseen does not guess at a new format."""
    body = blob_of(world)[40:]
    newer = struct.pack("<4sI32s", b"FSST", snapshot.VERSION + 1, hashlib.sha256(body).digest()) + body

    with pytest.raises(SnapshotUnreadable, match="Upgrade firstseen"):
        snapshot.load(newer, world.known, LABELS)


def test_another_bundles_classes_are_refused(world: World) -> None:
    """A state is read with the classes it was made with."""
    with pytest.raises(SnapshotUnreadable, match="ant, bee, cow"):
        snapshot.load(blob_of(world), world.known, ("x", "y", "z"))


# Other bundles of the same classes

OF_FEWER_DIMENSIONS = 4


def in_fewer_dimensions(known: KnownArrays) -> KnownArrays:
    return replace(known, cluster_projection=known.cluster_projection[:, :OF_FEWER_DIMENSIONS])


def test_another_cluster_space_is_refused(world: World) -> None:
    """Of fewer dimensions, or of as many: the class names are the same, but what was learnt means nothing there."""
    blob = blob_of(world)
    for known in (
        in_fewer_dimensions(world.known),
        replace(world.known, cluster_projection=2 * world.known.cluster_projection),
        replace(world.known, cluster_mean=1 + world.known.cluster_mean),
        replace(world.known, prototypes=world.known.prototypes[::-1]),
    ):
        with pytest.raises(SnapshotUnreadable, match="another bundle: the classes have the same names"):
            snapshot.load(blob, known, LABELS)


@pytest.mark.parametrize("backend", ["firstseen", "river"])
def test_centers_of_another_width_are_refused(world: World, backend: Backend) -> None:
    """Even if the ledger claims that it is this bundle's."""
    other = in_fewer_dimensions(world.known)
    _, theirs = unpack(snapshot.dump(Engine(other, LABELS, EngineParams())), MAGIC, VERSION, _Ledger)
    arrays, ledger = unpack(blob_of(world, backend), MAGIC, VERSION, _Ledger)
    forged = pack(MAGIC, VERSION, arrays, msgspec.structs.replace(ledger, space=theirs.space))
    with pytest.raises(SnapshotUnreadable, match=r"centers of shape \(\d+, 8\), not \(\d+, 4\)"):
        snapshot.load(forged, other, LABELS)


# Damage under a right checksum

Arrays = dict[str, NDArray[Any]]
Change = Callable[[Arrays, _Ledger], object]


@pytest.fixture(params=["firstseen", "river"])
def blob(request: pytest.FixtureRequest, world: World) -> bytes:
    """Clusters that live; the first is announced."""
    engine = Engine(world.known, LABELS, EngineParams(backend=request.param))
    rng = np.random.default_rng(0)
    for new, n in ((3, 120), (4, 20)):
        start = engine.seq
        z = world.items(rng, n=n, share_new=0.8, new=new)
        engine.step(
            z, tuple(f"i{start + i}" for i in range(n)), np.arange(start, start + n, dtype=np.float64)
        )
    stored = snapshot.dump(engine)

    assert len(engine.lives) > 1
    assert next(iter(engine.lives.values())).state in ANNOUNCED
    return stored


def damaged(blob: bytes, change: Change) -> bytes:
    found, ledger = unpack(blob, MAGIC, VERSION, _Ledger)
    arrays = {name: array.copy() for name, array in found.items()}
    change(arrays, ledger)
    return pack(MAGIC, VERSION, arrays, ledger)


def counted(name: str, value: object) -> Change:
    """Put a value into the ledger."""
    return lambda _, ledger: setattr(ledger, name, value)


def lived(**changes: Any) -> Change:
    """Change the first life."""

    def change(_: Arrays, ledger: _Ledger) -> None:
        ledger.lives[0] = replace(ledger.lives[0], **changes)

    return change


def param(name: str, value: object) -> Change:
    return lambda _, ledger: object.__setattr__(ledger.params, name, value)


def put(name: str, value: Any) -> Change:
    """Put a value into an array, at its end."""
    return lambda arrays, _: arrays[name].reshape(-1).__setitem__(-1, value)


def become(name: str, made: Callable[[NDArray[Any]], NDArray[Any]]) -> Change:
    return lambda arrays, _: arrays.__setitem__(name, made(arrays[name]))


def change_backend(_: Arrays, ledger: _Ledger) -> None:
    other = "firstseen" if ledger.params.backend == "river" else "river"
    object.__setattr__(ledger.params, "backend", other)


def each_others_parents(_: Arrays, ledger: _Ledger) -> None:
    first, second = ledger.lives[:2]
    first.parent_id, second.parent_id = second.id, first.id


def one_more_verdict(_: Arrays, ledger: _Ledger) -> None:
    ledger.seq += 1
    ledger.verdict_counts["outlier"] += 1


DAMAGE: dict[str, Change] = {
    "no known counts": lambda arrays, _: arrays.pop("known_counts"),
    "known counts of another shape": become("known_counts", lambda a: a[:-1]),
    "known counts of another depth": become("known_counts", lambda a: a[None]),
    "known counts of another type": become("known_counts", lambda a: a.astype(np.float64)),
    "known counts below 0": put("known_counts", -1),
    "known counts that are not the verdicts'": put("known_counts", 5_000),
    "an array too many": lambda arrays, _: arrays.update(more=np.ones(1)),
    "an array of the clusterer too many": lambda arrays, _: arrays.update({"clusterer.more": np.ones(1)}),
    "a missing array": lambda arrays, _: arrays.pop("clusterer.births"),
    "no clusterer": lambda arrays, _: [
        arrays.pop(name) for name in [*arrays] if name.startswith("clusterer.")
    ],
    "centres that are no numbers": put("clusterer.centers", np.nan),
    "centres of another type": become("clusterer.centers", lambda a: a.astype(np.float32)),
    "centres of another width": become("clusterer.centers", lambda a: a[:, :-1]),
    "a birth that was not": put("clusterer.births", 0),
    "a cluster that is not there": put("clusterer.clusters", 99),
    "a missing kind of verdict": lambda _, ledger: ledger.verdict_counts.pop("known"),
    "an unknown kind of verdict": lambda _, ledger: ledger.verdict_counts.update(more=0),
    "verdicts below 0": lambda _, ledger: ledger.verdict_counts.update(outlier=-1),
    "a verdict that the clusterer has not seen": one_more_verdict,
    "an entry before the first": counted("seq", -1),
    "fewer entries than verdicts": counted("seq", 3),
    "entries without end": counted("seq", 2**63 - 1),
    "a look that never comes": counted("idle_check_at", 2**60),
    "a look before the first entry": counted("idle_check_at", -1),
    "a cluster id given twice": counted("next_cluster_id", 1),
    "no cluster id left": counted("next_cluster_id", 2**63 - 1),
    "candidates that were not tested": counted("candidates_tested", 0),
    "no lives": counted("lives", []),
    "a life twice": lambda _, ledger: ledger.lives.append(ledger.lives[0]),
    "a life of no cluster": lived(id=0),
    "a first candidate before the first": lived(ordinal=0),
    "a birth in the future": lived(born_seq=10_000),
    "an item in the future": lived(last_seq=10_000),
    "items below 0": lived(residual=-1),
    "hits below 0": lived(starts=[Start(number=1, seq=0, hits=-1)]),
    "a start before its birth": lived(born_seq=2, starts=[Start(number=1, seq=1, hits=0)]),
    "a start in the future": lived(starts=[Start(number=1, seq=10_000, hits=0)]),
    "a start before the first": lived(starts=[Start(number=0, seq=0, hits=0)]),
    "starts out of order": lived(starts=[Start(number=n, seq=0, hits=0) for n in (2, 1)]),
    "starts without end": lived(starts=[Start(number=n + 1, seq=n, hits=0) for n in range(MOST_STARTS + 1)]),
    "an array of the stream gate too many": lambda arrays, _: arrays.update({"stream.more": np.ones(1)}),
    "no stream gate": lambda arrays, _: [
        arrays.pop(name) for name in [*arrays] if name.startswith("stream.")
    ],
    "a rate of 0": lived(p0=0.0),
    "a rate that is no number": lived(p0=float("nan")),
    "a rate above 1": lived(p0=1.5),
    "a moment that is none": lived(last_t=float("inf")),
    "announced without evidence": lived(evidence=None),
    "a candidate that emerged": lived(state="candidate"),
    "micro-clusters of a cluster that is gone": lived(state="gone"),
    "merged and alive": lived(merged_into=1),
    "a variant of no class": lived(state="variant", variant_of=None),
    "a variant of a class that is not there": lived(state="variant", variant_of=3),
    "a variant of the class before the first": lived(state="variant", variant_of=-1),
    "new and a variant": lived(variant_of=0),
    "a parent that is not there": lived(parent_id=77),
    "its own parent": lived(parent_id=1),
    "each other's parents": each_others_parents,
    "merged into itself": lived(merged_into=1, state="gone"),
    "a cap below what is there": param("max_micro_clusters", 1),
    "a cap without end": param("max_degree", 10**9),
    "a radius below 0": param("clustering_threshold", -1.0),
    "a rate of errors above 1": param("known_error_rate", 2.0),
    "another clusterer": change_backend,
    "no such clusterer": param("backend", "none"),
    "another space": counted("space", ""),
    "other labels": counted("labels", ("ant", "bee")),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_contradicts_itself_is_refused(world: World, blob: bytes, what: str) -> None:
    """Though the checksum is right; in one way, with a text that says what is wrong."""
    assert blob == damaged(blob, lambda _, __: None)
    with pytest.raises(SnapshotUnreadable, match=r"^The stored state .+\."):
        snapshot.load(damaged(blob, DAMAGE[what]), world.known, LABELS)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_passes_can_be_worked_with(world: World, blob: bytes, data: st.DataObject) -> None:
    """Numbers changed at random: refused, or gone on from without a crash or an item lost."""
    whole = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 200)

    def change(arrays: Arrays, ledger: _Ledger) -> None:
        name = data.draw(
            st.sampled_from([*sorted(arrays), "life", "seq", "next_cluster_id", "idle_check_at"])
        )
        if name == "life":
            place = data.draw(st.integers(0, len(ledger.lives) - 1))
            field = data.draw(
                st.sampled_from(["id", "ordinal", "born_seq", "last_seq", "parent_id", "residual"])
            )
            ledger.lives[place] = replace(ledger.lives[place], **{field: data.draw(whole)})
        elif name not in arrays:
            setattr(ledger, name, data.draw(whole))
        elif (flat := arrays[name].reshape(-1)).size:
            values = {"f": st.floats(width=64), "i": whole, "u": st.integers(0, 255)}[flat.dtype.kind]
            flat[data.draw(st.integers(0, flat.size - 1))] = data.draw(values)

    try:
        engine = snapshot.load(damaged(blob, change), world.known, LABELS)
    except SnapshotUnreadable:
        return
    before, seq = sum(engine.verdict_counts.values()), engine.seq
    z = world.items(np.random.default_rng(1), n=60, share_new=0.8, new=4)
    engine.step(z, tuple(f"j{n}" for n in range(60)), np.arange(60.0))
    engine.clusters()

    assert (before + 60, seq + 60) == (sum(engine.verdict_counts.values()), engine.seq)


def test_a_cluster_may_have_lost_all_its_micro_clusters(world: World, blob: bytes) -> None:
    """A lower cap does it; the cluster goes with the next item, so the state in between is a state."""
    engine = snapshot.load(blob, world.known, LABELS)
    engine.configure(engine.params.with_changes(max_micro_clusters=1))
    again = snapshot.load(snapshot.dump(engine), world.known, LABELS)

    assert 0 in [cluster.micro_clusters for cluster in engine.clusters()]
    assert engine.clusters() == again.clusters()


def _life(id: int, **changes: Any) -> Life:
    return Life(id=id, ordinal=id, born_seq=0, first_t=0.0, last_seq=0, last_t=0.0, **changes)


def test_what_a_cluster_merged_into_may_be_forgotten(world: World) -> None:
    """It went, too, and the oldest that are gone are forgotten; a parent never is before its children know."""
    engine = snapshot.load(blob_of(world), world.known, LABELS)
    announced = next(life for life in engine.lives.values() if life.evidence)
    engine.next_cluster_id, engine.candidates_tested = 50, 50
    gone = {
        "state": "gone",
        "p0": 0.5,
        "emerged_seq": 0,
        "items_to_emerge": 8,
        "evidence": announced.evidence,
    }
    engine.lives[40] = _life(40, merged_into=41, **gone)
    engine.lives[42] = _life(42, merged_into=40, **gone)
    stored = snapshot.dump(engine)

    assert stored == snapshot.dump(snapshot.load(stored, world.known, LABELS))
    engine.lives[40].merged_into = 42
    with pytest.raises(SnapshotUnreadable, match="went into"):
        snapshot.load(snapshot.dump(engine), world.known, LABELS)
