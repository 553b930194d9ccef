"""NSL-KDD with the 18 attacks held out that its training file does not have.

AUROC Duration:
TODO
"""

from model.config import TrainConfig
from model.datasets.nsl_kdd import NEW

CONFIG = TrainConfig(
    dataset="nsl-kdd", hold_out=NEW, network="table", epochs=10, batch_size=256, learning_rate=2e-3
)
