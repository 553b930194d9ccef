"""The parts of a split as they are shown: members of each to look at, with their payloads as far as they are kept."""

import numpy as np

from model.inputs import decode_item
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.describing.parts import describe_parts, look_at_parts
from service.evaluation.replay import run
from service.records import ANNOUNCED
from tests.service import digits


def test_members_of_each_part_are_shown() -> None:
    """Of the part they are of, the medoid first, and no payload but those that are there."""
    bundle = digits.bundle()
    engine = Engine(bundle.known, bundle.manifest.labels, EngineParams())
    z = -bundle.known.calibration_embeddings[:200]
    z = (z + np.random.default_rng(0).normal(size=z.shape) * 0.05).astype(np.float32)
    run(engine, z, tuple(f"i{n}" for n in range(len(z))), batch=16)
    cluster = next(life for life in engine.lives.values() if life.state in ANNOUNCED)
    seen = look_at_parts(engine, cluster.id, bundle)
    looks = decode_item(bundle.golden.items[0], bundle.manifest.input)
    there = dict.fromkeys(seen.wanted[1:], looks)
    shown = describe_parts(seen, there, bundle)
    seq_of = {member.id: member.seq for member in cluster.members}

    assert (cluster.id, engine.seq) == (shown.cluster, shown.seq)
    assert sorted(seq_of.values()) == sorted(seq for part in shown.parts for seq in part.members)
    for part in shown.parts:
        assert "medoid" == part.exemplars[0].role
        assert all(seq_of[one.id] == one.seq and one.seq in part.members for one in part.exemplars)
    assert [seen.wanted[0]] == [one.id for part in shown.parts for one in part.exemplars if not one.kept]
