"""Clusters and their evidence as the engine tells of them, to be changed where a test asks something of them."""

from dataclasses import replace
from typing import Any

from service.client import Exemplar
from service.records import Cluster, ClusterState, Evidence

EVIDENCE = Evidence(
    trials=1,
    hits=1,
    repeats=0,
    p0=0.1,
    log10_e=1.0,
    log10_threshold=2.0,
    unexplained=None,
    cohesion=None,
    usual_cohesion=None,
    separation=None,
    usual_separation=None,
)

_CLUSTER = Cluster(
    id=1,
    state=ClusterState.EMERGING,
    name=None,
    label=None,
    dismissed=False,
    items=8,
    items_to_emerge=8,
    weight=8.0,
    micro_clusters=1,
    born_seq=0,
    emerged_seq=1,
    last_seq=1,
    first_t=0.0,
    last_t=0.0,
    nearest=None,
    nearest_distance=None,
    exemplars=(),
    parent_id=None,
    merged_into=None,
    variant_of=None,
    missing=None,
    evidence=EVIDENCE,
)


def cluster(**changes: Any) -> Cluster:
    """A small announced cluster, with other fields."""
    return replace(_CLUSTER, **changes)


def exemplar(id: str, **changes: Any) -> Exemplar:
    """A member to look at, as the client has it."""
    given: dict[str, Any] = {"role": "medoid", "id": id, "seq": 1, "t": 0.0, "distance": 0.0}
    return Exemplar(**(given | changes))
