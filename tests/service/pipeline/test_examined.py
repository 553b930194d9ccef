"""An examined item as JSON: a verdict's fields, and what there is more."""

import msgspec

from service.clustering.explanation import Explanation
from service.pipeline.examined import Examined, fields_of
from service.records import Verdict, VerdictKind

VERDICT = Verdict(
    id="a",
    seq=7,
    verdict=VerdictKind.KNOWN,
    label="8",
    cluster_id=None,
    novelty=0.5,
    nearest="8",
    distance=1.5,
)
WHY = Explanation(
    as_of=7,
    verdict=VerdictKind.KNOWN,
    label="8",
    cluster_id=None,
    novelty=0.5,
    p=0.5,
    threshold=0.02,
    margin=0.48,
    reasons=(),
    scores=(),
    classes=(),
    references=(),
    clusters=(),
    by_cluster=None,
    sentence="It is taken for '8'.",
)


def test_a_learnt_item_has_its_place() -> None:
    """All fields of a verdict, in their order, then what is more."""
    shown = fields_of(Examined(id="a", verdict=VERDICT, is_learned=True, explanation=WHY))

    assert [*VERDICT.__dataclass_fields__, "learned", "explanation"] == list(shown)
    assert (7, True) == (shown["seq"], shown["learned"])
    assert list(WHY.__dataclass_fields__) == list(shown["explanation"])
    assert msgspec.json.decode(msgspec.json.encode(shown), type=dict)


def test_a_dry_run_has_none() -> None:
    """And no explanation where none was asked for."""
    shown = fields_of(Examined(id=None, verdict=VERDICT, is_learned=False, explanation=None))

    assert (None, None, False) == (shown["id"], shown["seq"], shown["learned"])
    assert "explanation" not in shown
