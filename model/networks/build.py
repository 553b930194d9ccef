"""From a bundle's words for a net to the net itself.

`NetworkSpec.name` picks the class, `NetworkSpec.options` are its keyword arguments by name, and nothing is
guessed: an unknown name or option, or an option of the wrong type, is refused with what there is to
choose from. A bundle comes from a disk, so none of this is a programming error.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from model.bundle import NetworkSpec
from model.inputs import InputSpec
from model.networks.cnn import Cnn
from model.networks.mlp import Mlp
from model.networks.network import Network
from model.networks.sentence import Sentence
from model.networks.table import Table
from model.networks.tfidf import TfIdf

NETWORKS: dict[str, type[Cnn | Mlp | Sentence | Table | TfIdf]] = {
    "cnn": Cnn,
    "mlp": Mlp,
    "sentence": Sentence,
    "table": Table,
    "tfidf": TfIdf,
}
_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def build_network(
    spec: NetworkSpec,
    input: InputSpec,  # noqa: A002  # the contract's word
    files: Mapping[str, bytes] | None = None,
) -> Network:
    """Build the net a spec describes, with fresh weights drawn from torch's global generator.

    Args:
        spec: name and options.
        input: what the net will eat.
        files: what the bundle carries beside the arrays; none, for a net that is to be trained.

    Returns:
        The net in training mode, on the CPU.

    Raises:
        ValueError: an unknown name or option, or options that do not fit the input; the message says what to
            choose.
    """
    kind = NETWORKS.get(spec.name)
    if kind is None:
        raise ValueError(f"no network is called {spec.name!r}; choose one of {', '.join(sorted(NETWORKS))}")
    parameters = inspect.signature(kind).parameters.values()
    known = {p.name: p.annotation for p in parameters if p.kind is p.KEYWORD_ONLY}
    takes_files = known.pop("files", None) is not None
    options: dict[str, Any] = {}
    for name, value in spec.options.items():
        if name not in known:
            raise ValueError(f"the network {spec.name} has no option {name!r}; it has {', '.join(known)}")
        wanted = known[name]
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise ValueError(
                f"the option {name} of the network {spec.name} must be {_TYPES[wanted]}, not {value!r}"
            )
        options[name] = value
    if takes_files:
        options["files"] = files
    return kind(input, **options)
