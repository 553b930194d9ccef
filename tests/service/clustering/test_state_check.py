"""Arrays that do not fit each other never get to compiled code."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.clustering.blob import SnapshotUnreadable, pack, unpack
from service.clustering.dbstream import DBSTREAM, MAGIC, VERSION, _Ledger
from service.clustering.micro_clusters import MicroClusters
from service.clustering.params import ClustererParams, EngineParams
from service.clustering.river_clusterer import RiverClusterer
from service.clustering.state_check import check_river_state, check_state
from tests.service.clustering.stream_strategies import Stream, event_times, streams

Arrays = dict[str, NDArray[Any]]


def learnt(
    x: NDArray[np.float64], params: ClustererParams, times: list[float] | None = None
) -> MicroClusters:
    db = MicroClusters(x.shape[1], params)
    out = np.empty((4, len(x)), dtype=np.int64)
    start, next_id = 0, 1
    while start < len(x):
        start = db.learn(x, None if times is None else np.array(times), start, out).next
        if db.is_stale:
            next_id = db.regroup(next_id).next_id
    return db


PARAMS = ClustererParams(clustering_threshold=1.0, minimum_weight=1.5, max_micro_clusters=20, max_degree=3)
LIKE_RIVER = PARAMS.with_changes(river_online=True)
"""In river's mode no array is empty."""


def sound(params: ClustererParams = PARAMS) -> Arrays:
    """Four micro-clusters, two of which share density."""
    x = np.array([[0.0, 0.0], [0.0, 1.2], [0.0, 0.6], [0.0, 0.7], [5.0, 5.0], [5.0, 5.0], [9.0, 9.0]])
    state = learnt(x, params).state()
    return {name: array.copy() for name, array in state.items()}


@settings(max_examples=100, deadline=None)
@given(streams(max_items=80, max_dim=8), st.booleans(), st.data())
def test_what_a_stream_leads_to_passes(stream: Stream, river_online: bool, data: st.DataObject) -> None:
    """Any stream, any parameters, with times or without, in river's mode or not."""
    x, p = stream
    times = None if river_online else data.draw(st.none() | event_times(len(x), gap=p["cleanup_interval"]))
    params = ClustererParams(**{**p, "river_online": river_online})
    check_state(learnt(x, params, times).state(), x.shape[1], params)


def test_what_other_parameters_lead_to_passes() -> None:
    """A change of parameters moves the landmark, and lower caps let some leave."""
    params = ClustererParams(clustering_threshold=1.0, fading_factor=0.3, cleanup_interval=7, max_degree=9)
    other = params.with_changes(fading_factor=0.01, cleanup_interval=100, max_micro_clusters=5, max_degree=1)
    db = learnt(np.random.default_rng(0).normal(0.0, 1.0, (300, 2)), params)
    db.retune(other)
    check_state(db.state(), 2, other)

    assert 5 == len(db)


def test_nothing_learnt_passes() -> None:
    """Neither is there anything wrong with it."""
    check_state(MicroClusters(3, PARAMS).state(), 3, PARAMS)


Change = Callable[[Arrays], object]


def put(name: str, place: Any, value: float) -> Change:
    """Put a value into an array."""
    return lambda arrays: arrays[name].__setitem__(place, value)


def become(name: str, made: Callable[[NDArray[Any]], NDArray[Any]]) -> Change:
    """Replace an array."""
    return lambda arrays: arrays.__setitem__(name, made(arrays[name]))


@pytest.mark.parametrize("name", sorted(sound()))
@pytest.mark.parametrize(
    "made",
    [
        lambda a: a.astype(np.float32),
        lambda a: a.astype(np.int32),
        lambda a: a[..., None],
        lambda a: a[None],
        lambda a: np.concatenate([a, a]),
        lambda a: np.concatenate([a, a[..., :1]], axis=-1),
        lambda a: a[..., :-1],
        lambda a: a.reshape(-1)[0].reshape(()),
        lambda a: a.astype(a.dtype.newbyteorder(">")) if a.dtype.itemsize > 1 else a.astype(np.int8),
    ],
)
def test_another_type_or_shape_is_refused(name: str, made: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    """Of any array."""
    arrays = sound(LIKE_RIVER)
    become(name, made)(arrays)
    with pytest.raises(SnapshotUnreadable, match="contradicts itself"):
        check_state(arrays, 2, LIKE_RIVER)


@pytest.mark.parametrize("name", sorted(sound()))
def test_a_missing_array_is_refused(name: str) -> None:
    """And one too many."""
    arrays = sound()
    del arrays[name]
    with pytest.raises(SnapshotUnreadable, match="the names of the arrays"):
        check_state(arrays, 2, PARAMS)
    with pytest.raises(SnapshotUnreadable, match="the names of the arrays"):
        check_state({**sound(), "more": np.ones(1)}, 2, PARAMS)


@pytest.mark.parametrize(
    "change",
    [
        put("pair_rows", (1, 0), 4),
        put("pair_rows", (1, 0), 2**40),
        put("pair_rows", (0, 0), -1),
        put("pair_rows", (0, 0), 1),
        put("pair_rows", (0, 0), 3),
        put("births", 0, 0),
        put("births", 0, -1),
        put("births", 1, 1),
        put("births", -1, 2**50),
        put("counts", 0, 0),
        put("counts", 0, -(2**63)),
        put("clusters", 0, -1),
        put("clusters", 0, 2**63 - 1),
        put("strong", 0, 2),
        put("pair_linked", 0, 2),
        put("weights", 0, np.nan),
        put("weights", 0, -1.0),
        put("weights", 0, np.inf),
        put("weights", 0, 1e300),
        put("pair_shared", 0, np.nan),
        put("pair_shared", 0, -1.0),
        put("centers", (0, 0), np.nan),
        put("centers", (0, 0), np.inf),
        put("updated", 0, np.nan),
        put("updated", 0, -np.inf),
        put("updated", 0, 1e9),
        put("clock", 0, np.nan),
        put("clock", 0, np.inf),
        put("clock", 0, -1.0),
        put("clock", 0, 1e30),
        put("clock", 1, -1e30),
        put("clock", 2, -1e30),
        put("clock", 2, np.nan),
        put("clock", 3, 0.0),
        put("clock", 3, np.nan),
        put("clock", 3, np.inf),
        put("counters", 0, 0),
        put("counters", 0, 4),
        put("counters", 0, 2**63 - 1),
        put("counters", 1, -1),
        put("counters", 1, 1),
        put("counters", 1, 2**63 - 1),
        put("counters", 2, 2),
        put("counters", 3, -1),
    ],
)
def test_a_value_out_of_range_is_refused(change: Change) -> None:
    """Of any array; what compiled code would follow, or count, has no way in."""
    arrays = sound()
    change(arrays)
    with pytest.raises(SnapshotUnreadable, match="contradicts itself"):
        check_state(arrays, 2, PARAMS)


@pytest.mark.parametrize(
    ("place", "change", "what"), [(("clock", 3), 1.0 + 1e-6, "unit"), (("counters", 1), 2, "clean-ups")]
)
def test_what_follows_from_the_clock_has_to(place: tuple[str, int], change: float, what: str) -> None:
    """Amounts are measured in the unit; and a clean-up counted too early would be left out."""
    params = ClustererParams(fading_factor=0.3, cleanup_interval=0.7)
    arrays = sound(params)
    assert [7 / 0.7 // 1, 2.0 ** (0.3 * 7)] == [arrays["counters"][1], arrays["clock"][3]]
    name, at = place
    arrays[name][at] *= change
    with pytest.raises(SnapshotUnreadable, match=what):
        check_state(arrays, 2, params)


def test_in_rivers_mode_the_unit_is_one() -> None:
    """Weights are as of their last item there."""
    arrays = sound(LIKE_RIVER)
    check_state(arrays, 2, LIKE_RIVER)
    arrays["clock"][3] = 2.0
    with pytest.raises(SnapshotUnreadable, match="unit"):
        check_state(arrays, 2, LIKE_RIVER)


def test_pairs_are_there_once_and_in_order() -> None:
    """A pair that is there twice would be found at one place and removed at another."""
    for pairs in ([[0, 0], [1, 1]], [[0, 0], [2, 1]], [[1, 0], [2, 3]]):
        arrays = sound()
        arrays["pair_rows"] = np.array(pairs, dtype=np.int64)
        for name in ("pair_shared", "pair_linked"):
            arrays[name] = np.repeat(arrays[name][:1], 2)
        with pytest.raises(SnapshotUnreadable, match="pairs out of order"):
            check_state(arrays, 2, PARAMS)


def test_caps_hold() -> None:
    """More micro-clusters than the cap, or more pairs of one than its cap, would not fit into the arrays."""
    with pytest.raises(SnapshotUnreadable, match="more micro-clusters than the cap"):
        check_state(sound(), 2, PARAMS.with_changes(max_micro_clusters=3))
    arrays = sound()
    arrays["pair_rows"] = np.array([[0, 0], [1, 2]], dtype=np.int64)
    for name in ("pair_shared", "pair_linked"):
        arrays[name] = np.repeat(arrays[name][:1], 2)
    check_state(arrays, 2, PARAMS.with_changes(max_degree=2))
    with pytest.raises(SnapshotUnreadable, match="more pairs than the cap"):
        check_state(arrays, 2, PARAMS.with_changes(max_degree=1))


def test_dimensions_are_those_of_the_stream() -> None:
    """Centres of another width are of another stream."""
    with pytest.raises(SnapshotUnreadable, match=r"centers of shape \(4, 2\), not \(4, 3\)"):
        check_state(sound(), 3, PARAMS)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_passes_can_be_worked_with(data: st.DataObject) -> None:
    """Numbers changed at random: refused, or learnt on from without a crash or an item lost."""
    arrays = sound()
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(arrays)))
        array = arrays[name].reshape(-1)
        if array.size:
            values = (
                st.floats(width=64)
                if array.dtype == np.float64
                else st.integers(0, 255)
                if array.dtype == np.uint8
                else st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 9)
            )
            array[data.draw(st.integers(0, array.size - 1))] = data.draw(values)
    try:
        check_state(arrays, 2, PARAMS)
    except SnapshotUnreadable:
        return
    db = MicroClusters.from_state(arrays, PARAMS)
    next_id = 1 + int(arrays["clusters"].max())
    if db.is_stale:
        next_id = db.regroup(next_id).next_id
    x = np.random.default_rng(1).uniform(-1.0, 10.0, (200, 2))
    out = np.empty((4, len(x)), dtype=np.int64)
    start = 0
    while start < len(x):
        start = db.learn(x, None, start, out).next
        if db.is_stale:
            next_id = db.regroup(next_id).next_id

    assert 0 < len(db) <= 20
    assert np.isfinite(db.centers(db.rows())).all()


# River's clusterer

RIVERS = EngineParams(
    clustering_threshold=1.0, minimum_weight=1.5, max_micro_clusters=20, cleanup_interval=9, backend="river"
)


def go_on(db: RiverClusterer, x: NDArray[np.float64], next_id: int) -> RiverClusterer:
    out = np.empty((4, len(x)), dtype=np.int64)
    start = 0
    while start < len(x):
        if db.is_stale:
            next_id = db.regroup(next_id).next_id
        start = db.learn(x, None, start, out).next
    return db


def learnt_by_river(x: NDArray[np.float64], params: EngineParams) -> RiverClusterer:
    return go_on(RiverClusterer(x.shape[1], params), x, 1)


def rivers() -> Arrays:
    """Four micro-clusters; two pairs, one row of them."""
    x = np.array([[0.0, 0.0], [0.0, 1.2], [1.0, 0.6], [0.1, 0.6], [0.1, 0.6], [5.0, 5.0]])
    return learnt_by_river(x, RIVERS).state()


@settings(max_examples=60, deadline=None)
@given(streams(max_items=80, max_dim=8))
def test_what_a_stream_leads_river_to_passes(stream: Stream) -> None:
    """Any stream, any parameters."""
    x, p = stream
    params = EngineParams(**p, backend="river")
    check_river_state(learnt_by_river(x, params).state(), x.shape[1], params)


def test_what_other_parameters_lead_river_to_passes() -> None:
    """Weights are written down as they are, and a lower cap lets some leave."""
    other = RIVERS.with_changes(fading_factor=0.01, cleanup_interval=100, max_micro_clusters=3)
    db = learnt_by_river(np.random.default_rng(0).normal(0.0, 1.0, (200, 2)), RIVERS)
    db.retune(other)
    check_river_state(db.state(), 2, other)
    check_river_state(RiverClusterer(3, RIVERS).state(), 3, RIVERS)

    assert 3 == len(db)


@pytest.mark.parametrize("name", sorted(rivers()))
@pytest.mark.parametrize(
    "made",
    [
        lambda a: a.astype(np.float32),
        lambda a: a[..., None],
        lambda a: np.concatenate([a, a]),
        lambda a: a[..., :-1],
        lambda a: a.reshape(-1)[0].reshape(()),
    ],
)
def test_another_type_or_shape_of_rivers_is_refused(
    name: str, made: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    """Of any array; so is a missing one."""
    arrays = rivers()
    with pytest.raises(SnapshotUnreadable, match="contradicts itself"):
        check_river_state({**arrays, name: made(arrays[name])}, 2, RIVERS)
    del arrays[name]
    with pytest.raises(SnapshotUnreadable, match="the names of the arrays"):
        check_river_state(arrays, 2, RIVERS)


@pytest.mark.parametrize(
    "change",
    [
        put("counters", 0, -1),
        put("counters", 0, 2**63 - 1),
        put("counters", 0, 3),
        put("counters", 1, 0),
        put("counters", 1, 3),
        put("ids", 0, -1),
        put("ids", 0, 1),
        put("births", 0, 0),
        put("births", 1, 1),
        put("items", 0, 0),
        put("clusters", 0, -1),
        put("clusters", 0, 2**63 - 1),
        put("weights", 0, np.nan),
        put("weights", 0, -1.0),
        put("weights", 0, 1e300),
        put("updated", 0, -1),
        put("updated", 0, 100),
        put("centers", (0, 0), np.nan),
        put("centers", (0, 0), 1e200),
        put("row_ids", 0, 9),
        put("row_sizes", 0, -1),
        put("row_sizes", 0, 1),
        put("row_sizes", 0, 2**63 - 1),
        put("pair_ids", 0, 0),
        put("pair_ids", 0, 2),
        put("pair_ids", 0, -1),
        put("pair_shared", 0, np.nan),
        put("pair_shared", 0, -1.0),
        put("pair_since", 0, -1),
        put("pair_since", 0, 100),
    ],
)
def test_a_value_of_rivers_out_of_range_is_refused(change: Change) -> None:
    """Of any array."""
    arrays = rivers()
    check_river_state(arrays, 2, RIVERS)
    change(arrays)
    with pytest.raises(SnapshotUnreadable, match="contradicts itself"):
        check_river_state(arrays, 2, RIVERS)


def test_rivers_cap_and_dimensions_hold() -> None:
    """They are those of the stream."""
    with pytest.raises(SnapshotUnreadable, match="more micro-clusters than the cap"):
        check_river_state(rivers(), 2, RIVERS.with_changes(max_micro_clusters=3))
    with pytest.raises(SnapshotUnreadable, match=r"centers of shape \(4, 2\), not \(4, 3\)"):
        check_river_state(rivers(), 3, RIVERS)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_passes_river_can_work_with(data: st.DataObject) -> None:
    """Numbers changed at random: refused, or learnt on from without a crash."""
    arrays = rivers()
    for _ in range(data.draw(st.integers(1, 2))):
        array = arrays[data.draw(st.sampled_from(sorted(arrays)))].reshape(-1)
        whole = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 9)
        value = data.draw(st.floats(width=64) if array.dtype == np.float64 else whole)
        array[data.draw(st.integers(0, array.size - 1))] = value
    try:
        check_river_state(arrays, 2, RIVERS)
    except SnapshotUnreadable:
        return
    db = RiverClusterer.from_state(arrays, RIVERS)
    go_on(db, np.random.default_rng(1).uniform(-1.0, 10.0, (40, 2)), 1 + int(arrays["clusters"].max()))

    assert 0 < len(db) <= 20
    assert np.isfinite(db.state()["centers"]).all()


# Stored estimators


def stored() -> bytes:
    """One that learnt some items of three features."""
    db = DBSTREAM(clustering_threshold=1.0, minimum_weight=1.5, minimum_age=5)
    for row in np.random.default_rng(0).normal(0.0, 1.0, (60, 3)).tolist():
        db.learn_one(dict(zip("abc", row, strict=True)))
    return db.to_bytes()


def test_a_damaged_blob_is_refused() -> None:
    """Cut anywhere, flipped anywhere, of a newer version or of something else: in one way."""
    blob = stored()
    rng = np.random.default_rng(0)
    for length in [0, 3, 4, 8, 39, 40, 47, 48, len(blob) - 1, *rng.integers(0, len(blob), 50).tolist()]:
        with pytest.raises(SnapshotUnreadable):
            DBSTREAM.from_bytes(blob[:length])
    for place in [*range(60), *rng.integers(0, len(blob), 200).tolist(), len(blob) - 1]:
        flipped = bytearray(blob)
        flipped[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(SnapshotUnreadable):
            DBSTREAM.from_bytes(bytes(flipped))
    with pytest.raises(SnapshotUnreadable, match="Upgrade firstseen"):
        DBSTREAM.from_bytes(MAGIC + (VERSION + 1).to_bytes(4, "little") + blob[8:])
    with pytest.raises(SnapshotUnreadable, match="not one of firstseen's"):
        DBSTREAM.from_bytes(b"FSST" + blob[4:])


def _other(name: str, value: object) -> Callable[[Any], Any]:
    return lambda ledger: msgspec.structs.replace(ledger, **{name: value})


def _parameter(name: str, value: float) -> Callable[[Any], Any]:
    def change(ledger: Any) -> Any:
        object.__setattr__(ledger.params, name, value)
        return ledger

    return change


@pytest.mark.parametrize(
    "change",
    [
        _other("features", None),
        _other("features", ["a", "b"]),
        _other("features", ["a", "b", "b"]),
        _other("features", []),
        _other("lives", {}),
        _other("next_id", 1),
        _other("next_id", 2**63),
        _other("minimum_age", -1.0),
        _other("minimum_age", 1e300),
        _parameter("max_micro_clusters", 1),
        _parameter("max_degree", 10**9),
        _parameter("fading_factor", 1e200),
        _parameter("clustering_threshold", -1.0),
        _parameter("river_online", 1),
    ],
)
def test_a_ledger_that_does_not_fit_is_refused(change: Callable[[Any], Any]) -> None:
    """Though the checksum is right."""
    arrays, ledger = unpack(stored(), MAGIC, VERSION, _Ledger)
    with pytest.raises(SnapshotUnreadable):
        DBSTREAM.from_bytes(pack(MAGIC, VERSION, arrays, change(ledger)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pair_rows", 10**6),
        ("births", 0),
        ("counters", 1),
        ("centers", np.nan),
        ("clusters", 99),
        ("clock", np.inf),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, value: float) -> None:
    """Though the checksum is right: compiled code would not notice."""
    arrays, ledger = unpack(stored(), MAGIC, VERSION, _Ledger)
    arrays[name] = arrays[name].copy()
    with pytest.raises(SnapshotUnreadable):
        DBSTREAM.from_bytes(pack(MAGIC, VERSION, {**arrays, name: arrays[name].astype(np.int16)}, ledger))
    arrays[name].reshape(-1)[-1] = value
    with pytest.raises(SnapshotUnreadable):
        DBSTREAM.from_bytes(pack(MAGIC, VERSION, arrays, ledger))
