"""What a stream sets out with: the calibration of its bundle, under what the operator has set."""

from model.bundle import KnownArrays
from service.clustering.params import EngineParams
from service.clustering.stream_gate.held_out import widened
from service.evaluation.fewest_scores import fewest_scores
from service.settings import Settings


def starting_params(
    settings: Settings, known: KnownArrays, *, known_error_rate: float, cluster_radius: float
) -> EngineParams:
    """The engine's parameters for a bundle.

    Args:
        settings: The operator's.
        known: The bundle's arrays.
        known_error_rate: The bundle's, which holds unless the operator set one.
        cluster_radius: The bundle's; wider where there is a stream gate, which parts what micro-clusters join.

    Raises:
        InvalidSetting: At the rate nothing would ever be called new.
    """
    return settings.engine_params(
        known_error_rate=known_error_rate,
        cluster_radius=cluster_radius if settings.gates == "items" else widened(cluster_radius, known),
        calibration_scores=fewest_scores(known),
    )
