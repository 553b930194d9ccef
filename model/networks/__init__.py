"""Nets: from a batch of items to named intermediates, one of which is the embedding.

A net here does not have one output but several named ones, because which layer serves as the embedding is a
choice the trainer makes and the bundle records: on MNIST, classes never trained on come apart in the
L2-normalised layer *before* the output far better than in the output that the objective shaped. Every net
names at least

    penultimate   (B, H)   the last hidden layer
    output        (B, D)   what the objective is applied to while training

A bundle describes a net by `NetworkSpec` (a name and its options) and carries its weights; the code is in this
package. `build_network` rebuilds the net, `load_embedder` fills in the weights.
"""

from model.networks.build import NETWORKS, build_network
from model.networks.cnn import Cnn
from model.networks.embedder import Embedder, embed_items, load_embedder
from model.networks.mlp import Mlp
from model.networks.network import Batch, Network, Rows, to_device
from model.networks.sentence import Sentence
from model.networks.tfidf import TfIdf

__all__ = [
    "NETWORKS",
    "Batch",
    "Cnn",
    "Embedder",
    "Mlp",
    "Network",
    "Rows",
    "Sentence",
    "TfIdf",
    "build_network",
    "embed_items",
    "load_embedder",
    "to_device",
]
