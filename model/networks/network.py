"""What every net promises: named layers of known width.

    B payloads  ──collate──►  batch  ──layers──►  {"penultimate": (B, H), "output": (B, D), ...}

A payload is one decoded item (`model/inputs`). What a batch of them is, is the net's own affair: a float32
tensor (B, *shape) unless the net says otherwise, or several tensors by name. A subclass implements `layers`
and states each layer's width in `widths` when it is built, so that an embedding's dimension is known without
running anything.

Training asks three things more of a net, which most answer with nothing: to `prepare` what gradients do not
learn (a vocabulary), to hold the fitting items as `rows` (which is where a part that stays frozen is run once
and not in every epoch), and for the `files` a bundle must carry beside its arrays.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from model.inputs import Payloads

Batch = Tensor | dict[str, Tensor]
"""What a net eats: a tensor, or tensors by name."""


class Rows(Protocol):
    """The fitting items as a net trains on them."""

    def __getitem__(self, chosen: Tensor, /) -> Batch:
        """Return the batch of the items at the places int64 (B,), fit for `layers`."""


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch; one that is there already stays as it is."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    return {name: tensor.to(device) for name, tensor in batch.items()}


class Network(nn.Module):
    """A net with named intermediate layers.

    Attributes:
        widths: for each layer that `layers` returns, the number of values per item; always with
            "penultimate" and "output".
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.widths = dict(widths)

    def collate(self, items: Payloads) -> Batch:
        """Make one batch of B payloads, on the CPU.

        Args:
            items: payloads of the kind of input the net was built for; B may be 1, not 0.

        Returns:
            float32 (B, *shape), for a net whose payloads are arrays.
        """
        return torch.from_numpy(np.asarray(items, dtype=np.float32))

    def prepare(self, items: Payloads) -> None:
        """Learn from the N fitting items what gradients do not; most nets have nothing of the kind.

        Raises:
            ValueError: nothing can be learnt from these; the message says what to change.
        """

    def rows(self, items: Payloads, device: torch.device) -> Rows:
        """Hold the N fitting items on `device` in the form to train on: a batch of them all, to be indexed."""
        batch = self.collate(items)
        assert isinstance(batch, Tensor), "a net with batches of its own has rows of its own"
        return batch.to(device)

    def files(self) -> Mapping[str, bytes]:
        """Return what a bundle must carry beside the arrays, by file name, to build the net again."""
        return {}

    def parameter_rates(self) -> Iterable[tuple[list[nn.Parameter], float]]:
        """Yield groups of the parameters to train, each with its learning rate as a share of the run's."""
        yield list(self.parameters()), 1.0

    def layers(self, x: Any) -> dict[str, Tensor]:  # noqa: ANN401  # a Batch, as the net's own collate makes it
        """Run the net and keep its named intermediates.

        Args:
            x: what `collate` gives, on the device of the net.

        Returns:
            One float32 tensor (B, widths[name]) for every name in `widths`.
        """
        raise NotImplementedError

    def forward(self, x: Batch) -> Tensor:
        """Return the layer "output": float32 (B, D)."""
        return self.layers(x)["output"]
