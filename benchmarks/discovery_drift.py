"""The items of a cell before they are embedded, for streams in which known ones change (service/evaluation/drift.py).

A cell keeps embeddings, and what changes is the item: an image gets noise, a text loses words. So the data set is read
again, and the items of a stream go through the bundle's embedder as `firstseen replay` sends them.
"""

from pathlib import Path

import numpy as np

from benchmarks.discovery_cells import bundle_of, parts_of
from model.config import TrainConfig
from model.datasets import load_dataset
from service.embedding import Embedder
from service.evaluation.backtest import Embeddings
from service.evaluation.drift import transforms_of
from service.evaluation.labelled_stream import Stream
from service.records import Float32s


class DriftingItems:
    """The items of a cell's pool.

    Args:
        config: The cell's; it has been trained.
        data_dir: Where data sets lie.
        cache: The folder that keeps trained cells.

    Raises:
        DataError, BundleError: Data or bundle cannot be read.
    """

    def __init__(self, config: TrainConfig, *, data_dir: Path | None, cache: Path) -> None:
        bundle = bundle_of(config, cache)
        data = load_dataset(config.dataset, data_dir=data_dir)
        parts = parts_of(config, data)
        self._rows = np.concatenate([parts["fresh"][1], parts["unseen"][1]])
        self._embeddings = Embeddings(bundle, data, Embedder(bundle, device="cpu", threads=config.threads))
        self.kinds = tuple(transforms_of(bundle.manifest.input))

    def embed(self, stream: Stream, *, seed: int) -> Float32s:
        """Those of a stream, changed as it says: float32 (N, D)."""
        return self._embeddings.of(stream, self._rows[stream.rows], seed=seed)
