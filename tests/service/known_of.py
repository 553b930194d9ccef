"""A bundle's arrays made of embeddings, by the trainer's own functions: one Mahalanobis score on one layer."""

from model.bundle import KnownArrays
from model.calibrate import calibrate, fit
from model.scores import Gate, LayerSlice
from service.records import Float32s, Int64s


def known_of(
    z_fit: Float32s, y_fit: Int64s, z_cal: Float32s, y_cal: Int64s, *, rate: float = 0.02
) -> KnownArrays:
    """Fit on some items, float32 (N, D) of classes int64 (N,), calibrate on others."""
    D = z_fit.shape[1]
    gate = Gate.fit(
        [("mahalanobis", "embedding")],
        [LayerSlice(name="embedding", start=0, stop=D)],
        z_fit=z_fit,
        y_fit=y_fit,
        z_cal=z_cal,
        y_cal=y_cal,
    )
    geometry = fit(z_fit, y_fit, cluster_dim=D)
    return calibrate(geometry, gate, z_cal, y_cal, z_fit=z_fit, y_fit=y_fit, known_error_rate=rate)[0]
