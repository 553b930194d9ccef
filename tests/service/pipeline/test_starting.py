"""What a stream sets out with."""

import pytest

from service.clustering.stream_gate import constants
from service.pipeline.starting import starting_params
from service.settings import InvalidSetting, Settings
from tests.service.clustering.conftest import World, world
from tests.service.clustering.overlapping import overlapping

__all__ = ["world"]  # a fixture


def radius(settings: dict[str, str], world: World | None = None, of: float = 1.0) -> float:
    known = overlapping().known if world is None else world.known
    params = starting_params(Settings.read(settings), known, known_error_rate=0.02, cluster_radius=of)
    return params.clustering_threshold


def test_with_a_stream_gate_micro_clusters_are_wider(world: World) -> None:
    """Up to a bound, never narrower than the bundle's; without one, or where nobody wants it, as the bundle says."""
    assert radius({}) == pytest.approx(constants.WIDER)
    assert constants.WIDEST == radius({}, of=1.5)
    assert 2.5 == radius({}, of=2.5)
    assert 1.0 == radius({"FIRSTSEEN_GATES": "items"})
    assert 1.0 == radius({}, world)


def test_a_rate_that_calls_nothing_new_is_refused(world: World) -> None:
    """As many scores as the bundle has are what p-values rest on."""
    with pytest.raises(InvalidSetting, match="Raise the known error rate"):
        starting_params(Settings.read({}), world.known, known_error_rate=1e-4, cluster_radius=1.0)
