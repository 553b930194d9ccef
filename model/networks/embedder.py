"""The embedder: a net, one of its layers, and whether that layer is brought to length one.

    z = layer(x)                     norm "none"
    z = layer(x) / |layer(x)|        norm "l2"

This is all of a trained net that the service runs. Distances between rows of z are the only thing the rest of
firstseen looks at.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.bundle import Bundle, BundleError
from model.inputs import Payloads
from model.networks.build import build_network
from model.networks.network import Batch, Network, to_device

_SHORTEST = 1e-12


class Embedder(nn.Module):
    """One layer of a net as the embedding.

    Args:
        net: any `Network`.
        layer: a name in `net.widths`.
        norm: "l2" divides each row by its Euclidean length (a row shorter than 1e-12 stays as it is short),
            "none" leaves it.
    """

    def __init__(self, net: Network, layer: str, norm: str) -> None:
        super().__init__()
        if layer not in net.widths:
            raise ValueError(f"the net has no layer {layer!r}; choose one of {', '.join(net.widths)}")
        if norm not in {"l2", "none"}:
            raise ValueError(f"no norm is called {norm!r}; choose l2 or none")
        self.net = net
        self.layer = layer
        self.norm = norm

    @property
    def dim(self) -> int:
        """D, the number of values of one embedding."""
        return self.net.widths[self.layer]

    def forward(self, x: Batch) -> Tensor:
        """Embed a batch, as the net's `collate` makes it -> float32 (B, D)."""
        z = self.net.layers(x)[self.layer]
        return nn.functional.normalize(z, dim=1, eps=_SHORTEST) if self.norm == "l2" else z


def embed_items(embedder: Embedder, items: Payloads, *, batch_size: int = 512) -> NDArray[np.float32]:
    """Embed payloads in batches, without gradients, on whatever device the embedder is.

    Args:
        embedder: in eval mode; in training mode batch norm would let items of a batch change each other.
        items: N payloads, or an array of them, float32 (N, *shape). N may be 0.
        batch_size: items at a time; bounds memory.

    Returns:
        float32 (N, D).
    """
    device = next(embedder.parameters()).device
    z = np.empty((len(items), embedder.dim), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(items), batch_size):
            batch = to_device(embedder.net.collate(items[start : start + batch_size]), device)
            z[start : start + batch_size] = embedder(batch).float().cpu().numpy()
    return z


def load_embedder(bundle: Bundle) -> Embedder:
    """Rebuild the embedder a bundle holds.

    Args:
        bundle: as `model.bundle.read_bundle` returned it, so already verified on its own terms.

    Returns:
        The embedder on the CPU, in eval mode, its parameters frozen.

    Raises:
        BundleError: the manifest describes a net this version cannot build, or the weights are not that
            net's.
    """
    manifest = bundle.manifest
    try:
        net = build_network(manifest.network, manifest.input, bundle.files)
    except ValueError as error:
        raise BundleError(
            f"{bundle.path}: manifest.json describes a network that cannot be built: {error}. "
            "Train the bundle again with this version of firstseen."
        ) from error
    try:
        net.load_state_dict({name: torch.tensor(array) for name, array in bundle.weights.items()})
    except RuntimeError as error:
        mismatch = " ".join(str(error).split())  # torch lists names over several lines
        raise BundleError(
            f"{bundle.path}: weights.safetensors does not hold the weights of the network "
            f"{manifest.network.name} in manifest.json: {mismatch}. Train the bundle again."
        ) from error
    embedder = Embedder(net, manifest.network.layer, manifest.embedding.norm)
    if embedder.dim != manifest.embedding.dim:
        raise BundleError(
            f"{bundle.path}: manifest.json says that embeddings have {manifest.embedding.dim} numbers, but "
            f"the layer {embedder.layer} has {embedder.dim}. Train the bundle again."
        )
    return embedder.eval().requires_grad_(requires_grad=False)
