"""Parameters that cannot work are refused by name."""

import pytest

from service.clustering.params import EngineParams


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("known_error_rate", 0.0),
        ("known_error_rate", 1.0),
        ("false_alarm_rate", float("nan")),
        ("intersection_factor", -0.1),
        ("clustering_threshold", 0.0),
        ("clustering_threshold", float("inf")),
        ("fading_factor", -1.0),
        ("minimum_weight", 0.0),
        ("cleanup_interval", 0),
        ("max_micro_clusters", 0),
        ("min_items_to_emerge", 0),
        ("items_to_establish", 0),
        ("fade_after_items", 0),
        ("exemplars", 0),
        ("gone_after_items", 10),
    ],
)
def test_what_cannot_work_is_refused_by_name(name: str, value: float) -> None:
    """The message names the parameter."""
    with pytest.raises(ValueError, match=name):
        EngineParams().with_changes(**{name: value})


def test_a_backend_that_is_none_is_refused_with_those_there_are() -> None:
    """As is what it cannot do: river cleans up when its count is a whole multiple of the interval."""
    with pytest.raises(ValueError, match="backend must be one of firstseen, river, not 'moa'"):
        EngineParams().with_changes(backend="moa")
    with pytest.raises(ValueError, match=r"cleanup_interval must be a whole number for river, not 7\.5"):
        EngineParams(backend="river", cleanup_interval=7.5)


def test_changes_that_are_none_change_nothing() -> None:
    """None means: as it was."""
    assert EngineParams() == EngineParams().with_changes(known_error_rate=None)
