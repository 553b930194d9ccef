"""Digits with 3 and 7 unseen: their clusters are promoted as "3" and "7", and from then on both are known classes."""

from pathlib import Path

import numpy as np
import pytest

from model.bundle import read_bundle
from model.config import TrainConfig
from model.export import run
from model.inputs import decode_item
from service.cli.demo import DATASET, HOLD_OUT, make_stream
from service.clustering import snapshot
from service.clustering.engine import Engine
from service.decisions import Action, Decision
from service.embedding.embedder import Embedder
from service.pipeline.starting import starting_params
from service.records import ANNOUNCED, VerdictKind
from service.settings import Settings
from tests.service.digits import CREATED

LEAST = 0.95
"""Of all later 3s and 7s, .97 as it was measured; other seeds move it by hundredths: docs/decisions/036-curation.md."""

_SEED = 1
_BATCH = 16


@pytest.mark.slow
def test_promoted_digits_are_known_from_then_on(tmp_path: Path) -> None:
    """Nearly all later ones by name, also after a restart; and known digits stay what they were."""
    config = TrainConfig(dataset=DATASET, hold_out=HOLD_OUT, seed=_SEED, threads=1)
    run(config, data_dir=None, out=tmp_path / "bundle", created=CREATED, progress=lambda *_: None)
    stream, bundle = make_stream(_SEED), read_bundle(tmp_path / "bundle")
    items = (*stream.items, *stream.later)
    embedder = Embedder(bundle, device="cpu", threads=1)
    z = embedder.embed([decode_item(item["x"], bundle.manifest.input) for item in items])
    ids, promoted_at = tuple(item["id"] for item in items), len(stream.items)
    calibration = bundle.manifest.calibration
    params = starting_params(
        Settings(),
        bundle.known,
        known_error_rate=calibration.known_error_rate,
        cluster_radius=calibration.cluster_radius,
    )
    engine = Engine(bundle.known, bundle.manifest.labels, params)
    for start in range(0, promoted_at, _BATCH):
        part = slice(start, min(start + _BATCH, promoted_at))
        engine.step(z[part], ids[part], np.zeros(part.stop - part.start))
    named: set[str] = set()
    for life in [life for life in engine.lives.values() if life.state in ANNOUNCED]:
        digit = majority([stream.truth[id] for id in life.members.ids])
        action = Action.LINK if digit in named else Action.PROMOTE
        engine.curate(
            Decision(key=f"k{life.id}", action=action, cluster=life.id, t=0.0, who="me", label=digit)
        )
        named.add(digit)
    engine = snapshot.load(snapshot.dump(engine), bundle.known, bundle.manifest.labels)
    said: dict[str, str] = {}
    for start in range(promoted_at, len(ids), _BATCH):
        part = slice(start, start + _BATCH)
        for v in engine.step(z[part], ids[part], np.zeros(len(ids[part]))).verdicts:
            said[v.id] = str(v.label) if v.verdict is VerdictKind.KNOWN else v.verdict.value

    assert {"3", "7"} == named
    new = [id for id in said if stream.truth[id] in named]
    right = float(np.mean([said[id] == stream.truth[id] for id in new]))
    known = float(np.mean([said[id] == stream.truth[id] for id in said if id not in new]))
    assert right >= LEAST, f"{right:.3f} of {len(new)} later 3s and 7s"
    assert known >= 0.9, f"{known:.3f} of later digits of known classes"


def majority(digits_: list[str]) -> str:
    """What most of them are."""
    return max(set(digits_), key=digits_.count)
