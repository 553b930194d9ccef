"""The embedder: a net, some of its layers, and whether each is brought to length one.

    z = [l_1(x), l_2(x), ...]                              norm "none"
    z = [l_1(x) / |l_1(x)|, l_2(x) / |l_2(x)|, ...]        norm "l2"

Several layers, because they know different things of a class that the net was never trained on: the last one has
been bent to the known classes most, the first ones least.

This is all of a trained net that the service runs. Distances between rows of z are the only thing the rest of
firstseen looks at.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.bundle import Bundle, BundleError
from model.inputs import Payloads
from model.networks.build import build_network, no_larger_than
from model.networks.network import Batch, Network, to_device

_SHORTEST = 1e-12


class Embedder(nn.Module):
    """Layers of a net, one after the other, as the embedding.

    Args:
        net: any `Network`.
        layers: distinct names in `net.widths`, at least one.
        norm: "l2" divides each layer's row by its Euclidean length (a row shorter than 1e-12 stays as it is
            short), "none" leaves it.
    """

    def __init__(self, net: Network, layers: tuple[str, ...], norm: str) -> None:
        super().__init__()
        if not layers or len(set(layers)) != len(layers):
            raise ValueError(f"an embedding needs distinct layers, at least one; not ({', '.join(layers)})")
        for layer in layers:
            if layer not in net.widths:
                raise ValueError(f"the net has no layer {layer!r}; choose among {', '.join(net.widths)}")
        if norm not in {"l2", "none"}:
            raise ValueError(f"no norm is called {norm!r}; choose l2 or none")
        self.net = net
        self.layers = layers
        self.norm = norm

    @property
    def dim(self) -> int:
        """D, the number of values of one embedding."""
        return sum(self.net.widths[layer] for layer in self.layers)

    def forward(self, x: Batch) -> Tensor:
        """Embed a batch, as the net's `collate` makes it -> float32 (B, D)."""
        every = self.net.layers(x)
        parts = [every[layer] for layer in self.layers]
        if self.norm == "l2":
            parts = [nn.functional.normalize(part, dim=1, eps=_SHORTEST) for part in parts]
        return torch.cat(parts, dim=1)


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
        with no_larger_than(bundle.weights):
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
    names = tuple(layer.name for layer in manifest.embedding.layers)
    try:
        embedder = Embedder(net, names, manifest.embedding.norm)
    except ValueError as error:
        raise BundleError(
            f"{bundle.path}: manifest.json describes an embedding that cannot be had: {error}. "
            "Train the bundle again."
        ) from error
    for layer in manifest.embedding.layers:
        if net.widths[layer.name] != layer.dim:
            raise BundleError(
                f"{bundle.path}: manifest.json says that the layer {layer.name} has {layer.dim} numbers, but it "
                f"has {net.widths[layer.name]}. Train the bundle again."
            )
    return embedder.eval().requires_grad_(requires_grad=False)
