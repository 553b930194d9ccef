"""The trained part of a net for texts: from features that stay as they are to an embedding.

    features (B, S) ─ dropout ─ linear(hidden) ─ batch norm ─ ReLU = "penultimate" (B, hidden)
                                                        └─ linear(D) = "output" (B, D)

A text's features come from counting (`model/networks/tfidf.py`) or from an encoder that has read far more
than the data set (`model/networks/sentence.py`). Either way they hold what tells *unknown* classes apart,
too; one hidden layer bends them towards the known classes without forgetting that. While training, dropout
takes the place that moving and turning has for images: a random share of the features is left out of each
item, another in each epoch (Srivastava et al. 2014; as two views of one text: Gao, Yao and Chen 2021,
"SimCSE").
"""

from typing import cast

from torch import Tensor, nn


class Head(nn.Module):
    """One hidden layer with batch norm, then a linear output.

    Args:
        features: S.
        hidden: width of the layer "penultimate".
        output_dim: D.
        dropout: the share of features left out while training, in 0..1, 1 excluded.
    """

    def __init__(self, features: int, *, hidden: int, output_dim: int, dropout: float) -> None:
        super().__init__()
        if min(features, hidden, output_dim) < 1:
            raise ValueError("features, hidden and output_dim must be at least 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a share from 0 to below 1, such as 0.2; not {dropout}")
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Sequential(nn.Linear(features, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        self.output = nn.Linear(hidden, output_dim)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Map float32 (B, S) to "penultimate" (B, hidden), at least 0, and "output" (B, D)."""
        penultimate = cast("Tensor", self.hidden(self.dropout(features)))
        return {"penultimate": penultimate, "output": self.output(penultimate)}
