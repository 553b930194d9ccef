"""The state as a blob: whole or refused."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering import clusterer, snapshot
from service.clustering.engine import Engine
from service.clustering.params import Backend, EngineParams
from service.clustering.snapshot import SnapshotUnreadable
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
