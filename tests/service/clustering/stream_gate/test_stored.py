"""The stream gate's state: whole or refused, whatever the arrays are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.clustering.blob import SnapshotUnreadable
from service.clustering.stream_gate import StreamGate, constants
from tests.service.clustering.overlapping import APART, RATE, Driven, K, engine, overlapping

Arrays = dict[str, NDArray[Any]]
Change = Callable[[Arrays], object]

_state: Arrays = {}


def sound() -> Arrays:
    """A full window, a fit, and a membership; made once."""
    if not _state:
        driven = Driven(engine())
        driven.feed(overlapping().stream(np.random.default_rng(0), 2300, new=APART, at=0.1)[0])
        _state.update(driven.engine.stream.state())
    return {name: array.copy() for name, array in _state.items()}


def gate(*, held_out: int = 3000) -> StreamGate:
    return StreamGate(overlapping(held_out).known, RATE)


def put(name: str, value: float) -> Change:
    """Put a value into an array, at its end."""
    return lambda arrays: arrays[name].reshape(-1).__setitem__(-1, value)


def become(name: str, made: Callable[[NDArray[Any]], NDArray[Any]]) -> Change:
    return lambda arrays: arrays.__setitem__(name, made(arrays[name]))


def longer(arrays: Arrays) -> None:
    """One item more than the window holds."""
    for name in ("features", "cores", "births"):
        arrays[name] = np.concatenate([arrays[name], arrays[name][:1]])


def many_memberships(arrays: Arrays) -> None:
    n = constants.MOST_MEMBERSHIPS + 1
    arrays["members.rows"] = np.repeat(arrays["members.rows"][:1], n, axis=0)
    arrays["members.clusters"] = np.arange(1, n + 1)


def without_fit(arrays: Arrays) -> None:
    del arrays["fit.weights"], arrays["fit.shares"]


DAMAGE: dict[str, Change] = {
    "no window": lambda arrays: arrays.pop("features"),
    "an array too many": lambda arrays: arrays.update(more=np.ones(1)),
    "weights without shares": lambda arrays: arrays.pop("fit.shares"),
    "shares without weights": lambda arrays: arrays.pop("fit.weights"),
    "features of another width": become("features", lambda a: a[:, :-1]),
    "features of another type": become("features", lambda a: a.astype(np.float32)),
    "features that are no numbers": put("features", np.nan),
    "a core of no class": put("cores", -2),
    "the core of a class that is not there": put("cores", K),
    "cores that are one number": become("cores", lambda a: a[0].reshape(())),
    "fewer cores than items": become("cores", lambda a: a[:-1]),
    "a birth before the first": put("births", -1),
    "a birth that never will be": put("births", 2**63 - 1),
    "a window that is too long": longer,
    "a fit in the future": put("since_fit", -1),
    "a fit ages ago": put("since_fit", 2**63 - 1),
    "two fits": become("since_fit", lambda a: np.repeat(a, 2)),
    "weights of other features": become("fit.weights", lambda a: a[:-1]),
    "weights without end": put("fit.weights", np.inf),
    "shares of other classes": become("fit.shares", lambda a: a[:-1]),
    "a share of nothing": put("fit.shares", 0.0),
    "a share below 0": put("fit.shares", -0.1),
    "a membership of no cluster": put("members.clusters", 0),
    "a membership too few": become("members.rows", lambda a: a[:-1]),
    "memberships of another width": become("members.rows", lambda a: a[:, :-1]),
    "memberships that are one number": become("members.clusters", lambda a: a[0].reshape(())),
    "a membership without reach": put("members.rows", 0.0),
    "a membership that is no number": put("members.rows", np.nan),
    "two memberships of a cluster": lambda arrays: arrays.update(
        {name: np.repeat(arrays[name][:1], 2, axis=0) for name in ("members.rows", "members.clusters")}
    ),
    "memberships without end": many_memberships,
    "memberships without a fit": without_fit,
}


def test_it_comes_back_to_the_bit() -> None:
    """And judges alike."""
    one, again = gate(), gate()
    one.restore(sound())
    again.restore(one.state())
    p, features = np.random.default_rng(0).random(50), sound()["features"][:50]

    assert {name: array.tobytes() for name, array in sound().items()} == {
        name: array.tobytes() for name, array in again.state().items()
    }
    assert len(again.memberships)
    for name in ("p", "clusters"):
        np.testing.assert_array_equal(
            getattr(one.judge(p, features), name), getattr(again.judge(p, features), name)
        )


def test_nothing_seen_is_a_state() -> None:
    """Of a gate that is on, or off for want of held-out items."""
    for held_out in (3000, 400):
        again = gate(held_out=held_out)
        again.restore(gate(held_out=held_out).state())
        assert not again.is_due


@pytest.mark.parametrize("what", DAMAGE)
def test_what_contradicts_itself_is_refused(what: str) -> None:
    """With a text that says what is wrong."""
    arrays = sound()
    DAMAGE[what](arrays)
    with pytest.raises(SnapshotUnreadable, match=r"^The stored state contradicts itself: .+\."):
        gate().restore(arrays)


@pytest.mark.parametrize("has_fit", [True, False])
def test_where_there_is_no_stream_gate_nothing_was_seen(*, has_fit: bool) -> None:
    """A bundle with few held-out items has neither window nor fit."""
    arrays = sound()
    if not has_fit:
        without_fit(arrays)
        arrays |= {name: arrays[name][:0] for name in ("members.rows", "members.clusters")}
    with pytest.raises(SnapshotUnreadable, match="where there is no stream gate"):
        gate(held_out=400).restore(arrays)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_passes_can_be_worked_with(data: st.DataObject) -> None:
    """Numbers changed at random: refused, or gone on from to p-values that are ones, and to another fit."""
    arrays = sound()
    name = data.draw(st.sampled_from(sorted(arrays)))
    flat = arrays[name].reshape(-1)
    value = data.draw(
        st.floats(width=16 if flat.dtype == np.float16 else 32)
        if flat.dtype.kind == "f"
        else st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 9)
    )
    flat[data.draw(st.integers(0, flat.size - 1))] = value
    one = gate()
    try:
        one.restore(arrays)
    except SnapshotUnreadable:
        return
    said = one.judge(np.linspace(0.001, 1, 40), sound()["features"][:40])

    assert ((said.p > 0) & (said.p <= 1)).all()
    one.use(one.solve(one.job({})))
