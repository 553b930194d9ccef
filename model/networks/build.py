"""From a bundle's words for a net to the net itself.

`NetworkSpec.name` picks the class, `NetworkSpec.options` are its keyword arguments by name, and nothing is
guessed: an unknown name or option, or an option of the wrong type, is refused with what there is to
choose from. A bundle comes from a disk, so none of this is a programming error.
"""

import inspect

from model.bundle import NetworkSpec
from model.inputs import InputSpec
from model.networks.cnn import Cnn
from model.networks.mlp import Mlp
from model.networks.network import Network

NETWORKS: dict[str, type[Cnn] | type[Mlp]] = {"cnn": Cnn, "mlp": Mlp}


def build_network(spec: NetworkSpec, input: InputSpec) -> Network:  # noqa: A002  # the contract's word
    """Build the net a spec describes, with fresh weights drawn from torch's global generator.

    Args:
        spec: name and options.
        input: what the net will eat.

    Returns:
        The net in training mode, on the CPU.

    Raises:
        ValueError: an unknown name or option, or options that do not fit the input; the message says what to
            choose.
    """
    kind = NETWORKS.get(spec.name)
    if kind is None:
        raise ValueError(f"no network is called {spec.name!r}; choose one of {', '.join(sorted(NETWORKS))}")
    known = [p.name for p in inspect.signature(kind).parameters.values() if p.kind is p.KEYWORD_ONLY]
    options: dict[str, int] = {}
    for name, value in spec.options.items():
        if name not in known:
            raise ValueError(f"the network {spec.name} has no option {name!r}; it has {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(  # noqa: TRY004  # one kind of error for all that a manifest can get wrong
                f"the option {name} of the network {spec.name} must be a whole number, not {value!r}"
            )
        options[name] = value
    return kind(input, **options)
