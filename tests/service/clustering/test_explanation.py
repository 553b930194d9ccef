"""The sentence for people says what was decided, and by what."""

from dataclasses import replace

import pytest

from service.clustering.explanation import By, NearCluster, Reason, sentence_of
from service.records import NO_CLUSTER, ClusterState, VerdictKind

NEAR = NearCluster(
    id=17, state=ClusterState.EMERGING, name=None, items=9, distance=2.25, radius=1.6, exemplars=("a",)
)


def reason(by: By, margin: float) -> Reason:
    return Reason(by=by, value=1.0, p=0.02 + margin, threshold=0.02, margin=margin, cluster_id=None)


def test_of_a_known_item() -> None:
    """The class, the share, and the limit."""
    said = sentence_of(
        VerdictKind.KNOWN,
        NO_CLUSTER,
        p=0.43,
        threshold=0.02,
        reasons=(reason("item", 0.4),),
        nearest="8",
        clusters=(),
    )

    assert "It is taken for '8': 43 % of known items are as strange, and the limit is 2 %." == said


@pytest.mark.parametrize(
    ("by", "words"),
    [("item", "No known class"), ("stream", "The recent stream"), ("claim", "A cluster claims it")],
)
def test_of_a_new_item_the_reason_that_decided(by: By, words: str) -> None:
    """The one below its threshold is named, the others are not."""
    others = [reason(other, 0.1) for other in ("item", "stream", "claim") if other != by]  # type: ignore[arg-type]
    said = sentence_of(
        VerdictKind.CLUSTER,
        17,
        p=0.003,
        threshold=0.02,
        reasons=(reason(by, -0.01), *others),
        nearest="8",
        clusters=(NEAR,),
    )

    assert said.startswith("It is new: 0.3 % of known items are as strange, and the limit is 2 %. " + words)
    assert said.endswith("; it goes to cluster 17.")
    assert " and " not in said.partition("limit")[2]


def test_of_an_outlier_the_nearest_cluster() -> None:
    """Or that there is none; one of a clusterer without a radius is near to everything, and is not named."""
    for clusters, words in (
        ((NEAR,), "it is in no announced cluster (the nearest is 17, emerging, at 2.2)."),
        ((replace(NEAR, radius=None),), "there is no cluster near."),
        ((), "there is no cluster near."),
    ):
        said = sentence_of(
            VerdictKind.OUTLIER,
            NO_CLUSTER,
            p=0.003,
            threshold=0.02,
            reasons=(reason("item", -0.01),),
            nearest="8",
            clusters=clusters,
        )

        assert said.endswith(words)


def test_what_clusters_claim_may_decide_alone() -> None:
    """Where no reason is below its own threshold."""
    said = sentence_of(
        VerdictKind.OUTLIER, NO_CLUSTER, p=0.01, threshold=0.02, reasons=(), nearest="8", clusters=()
    )

    assert "Announced clusters claim" in said
