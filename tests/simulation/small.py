"""A bundle of two classes in three dimensions, a net that is a table, and parameters with which little happens soon.

An item is two numbers: which class (2 and 3 are unseen), and which of its items. A dozen items of an unseen class make
a cluster, and a stream gate, where there is one, is fitted every twelve items: a run of sixty items has it all.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from model.bundle import (
    Bundle,
    CalibrationSpec,
    EmbeddingSpec,
    Golden,
    KnownArrays,
    LayerSpec,
    Manifest,
    NetworkSpec,
    ScoreSpec,
)
from model.calibrate import calibrate, fit
from model.inputs import ImageInput
from model.scores import Gate, LayerSlice
from service.clustering.params import EngineParams
from service.clustering.stream_gate import constants
from service.records import Float32s, Item
from service.state import snapshots, store

LABELS = ("ant", "bee")
D, OF_CLASS = 3, 512
_PLACES = 3.0 * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, 0]])
_SPREAD = 0.15
_HELD_OUT = 100

PARAMS = EngineParams(
    known_error_rate=0.05,
    clustering_threshold=1.9,
    minimum_weight=2,
    min_items_to_emerge=3,
    false_alarm_rate=0.2,
    items_to_establish=6,
    fade_after_items=20,
    gone_after_items=40,
)
"""What a process is started with, unless told otherwise."""

_SMALL: tuple[tuple[ModuleType, dict[str, int]], ...] = (
    (
        constants,
        {
            "WINDOW": 64,
            "EVERY": 12,
            "FEWEST_ITEMS": 20,
            "FEWEST_OF_CLASS": 10,
            "FEWEST_MEMBERS": 4,
            "FEWEST_HELD_OUT": 40,
        },
    ),
    (snapshots, {"CHUNK_BYTES": 2000}),
    (store, {"_PAGE": 5, "_MGET": 2}),
)
"""What is counted in thousands elsewhere: so that a short run has fits, snapshots of chunks, and replays of pages."""


@functools.cache
def table() -> Float32s:
    """float32 (4, OF_CLASS, D): the embedding of every item."""
    rng = np.random.default_rng(5)
    return (_PLACES[:, None] + rng.normal(0, _SPREAD, (4, OF_CLASS, D))).astype(np.float32)


class TableNet:
    """The embedder."""

    def embed(self, items: Sequence[Float32s]) -> Float32s:
        """float32 (B, D)."""
        x = np.array(items, dtype=np.int64)
        return table()[x[:, 0], x[:, 1]]


def item(id: str | None, kind: int, n: int) -> Item:
    """The n-th item of a class."""
    return Item(id=id, x=np.array([kind, n % OF_CLASS], dtype=np.float32))


@functools.cache
def _known() -> KnownArrays:
    rng = np.random.default_rng(7)
    y = np.tile(np.arange(2), _HELD_OUT)
    z = (_PLACES[y] + rng.normal(0, _SPREAD, (len(y), D))).astype(np.float32)
    own, held = slice(0, _HELD_OUT), slice(_HELD_OUT, None)
    gate = Gate.fit(
        [("relative-mahalanobis", "output")],
        [LayerSlice(name="output", start=0, stop=D)],
        z_fit=z[own],
        y_fit=y[own],
        z_cal=z[held],
        y_cal=y[held],
    )
    known, _ = calibrate(
        fit(z[own], y[own], cluster_dim=D),
        gate,
        z[held],
        y[held],
        z_fit=z[own],
        y_fit=y[own],
        known_error_rate=PARAMS.known_error_rate,
    )
    return known


@functools.cache
def bundle() -> Bundle:
    """The bundle."""
    manifest = Manifest(
        format_version=1,
        bundle_id="5" * 32,
        created="2026-03-01T12:00:00Z",
        input=ImageInput(shape=(1, 1, 2), minimum=0, maximum=OF_CLASS),
        network=NetworkSpec(name="mlp", options={}),
        embedding=EmbeddingSpec(layers=(LayerSpec(name="output", dim=D),), norm="none"),
        labels=LABELS,
        calibration=CalibrationSpec(
            scores=(ScoreSpec(score="relative-mahalanobis", layer="output", mean=0, scale=1),),
            known_error_rate=PARAMS.known_error_rate,
            cluster_dim=D,
            cluster_radius=PARAMS.clustering_threshold,
            stream_dim=D,
            pooled_labels=(),
        ),
        config={},
        metrics={},
        files={},
    )
    nothing = Golden(items=(), embeddings=np.zeros((0, D), np.float32))
    return Bundle(path=Path("small"), manifest=manifest, weights={}, known=_known(), golden=nothing, card="")


@contextmanager
def small_numbers(*, gated: bool) -> Iterator[None]:
    """Have few items be enough for all there is; for a stream gate only where there shall be one."""
    before = [(module, name, getattr(module, name)) for module, values in _SMALL for name in values]
    for module, values in _SMALL:
        for name, value in values.items():
            setattr(module, name, value)
    if not gated:
        constants.FEWEST_HELD_OUT = 10**9
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
