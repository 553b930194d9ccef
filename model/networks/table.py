"""The net for tables: features of the cells, then hidden layers with batch norm.

    codes (B, F) ─ front end = "features" (B, E) ─ dropout ─ [linear(width) ─ batch norm ─ ReLU] x depth
                    └─ linear(hidden) ─ batch norm ─ ReLU = "penultimate" (B, hidden) ─ linear(D) = "output" (B, D)

The front end (`model/networks/front.py`) is fitted, not trained: scales, known categories, what is missing. On
tables a plain net of this form, well scaled and regularised, is hard to beat (Gorishniy et al. 2021, "Revisiting
Deep Learning Models for Tabular Data"; Kadra et al. 2021, "Well-tuned Simple Nets Excel on Tabular Datasets").
"""

from typing import cast

from torch import Tensor, nn

from model.inputs import InputSpec, Payloads
from model.networks.front import TableFront
from model.networks.network import Network


class Table(Network):
    """Front end, hidden layers, a linear output.

    Args:
        input: a table.
        output_dim: D.
        width: units of each hidden layer but the last.
        depth: how many of these, at least 1.
        hidden: width of the layer "penultimate".
        dropout: the share of features left out of each item while training, in 0..1, 1 excluded.
    """

    def __init__(
        self,
        input: InputSpec,  # noqa: A002  # the contract's word
        *,
        output_dim: int = 32,
        width: int = 256,
        depth: int = 2,
        hidden: int = 128,
        dropout: float = 0.2,
    ) -> None:
        if input.kind != "table":
            raise ValueError("the network table takes tables; choose cnn for images or mlp for vectors")
        front = TableFront(input)
        super().__init__({"features": front.width, "penultimate": hidden, "output": output_dim})
        if min(output_dim, width, depth, hidden) < 1:
            raise ValueError("a table net needs output_dim, width, depth and hidden of at least 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a share from 0 to below 1, such as 0.2; not {dropout}")
        self.front = front
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Sequential()
        fan_in = front.width
        for units in [*[width] * depth, hidden]:
            self.hidden.extend([nn.Linear(fan_in, units), nn.BatchNorm1d(units), nn.ReLU()])
            fan_in = units
        self.output = nn.Linear(hidden, output_dim)

    def prepare(self, items: Payloads) -> None:
        """Fit the front end."""
        batch = self.collate(items)
        assert isinstance(batch, Tensor)
        self.front.fit(batch)

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        """Return "features" (B, E), "penultimate" (B, hidden), at least 0, and "output" (B, D): codes (B, F)."""
        features = cast("Tensor", self.front(x))
        penultimate = cast("Tensor", self.hidden(self.dropout(features)))
        return {"features": features, "penultimate": penultimate, "output": self.output(penultimate)}
