"""From a bundle's words for a net to the net itself.

`NetworkSpec.name` picks the class, `NetworkSpec.options` are its keyword arguments by name, and nothing is
guessed: an unknown name or option, or an option of the wrong type, is refused with what there is to
choose from. A bundle comes from a disk, so none of this is a programming error.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

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
LARGEST_OPTION = 10**6
"""Of options that are whole numbers: widths, depths, counts."""

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
        if type(value) is int and not abs(value) <= LARGEST_OPTION:
            raise ValueError(
                f"the option {name} of the network {spec.name} must be at most {LARGEST_OPTION:,}; it is larger"
            )
        options[name] = value
    if takes_files:
        options["files"] = files
    try:
        return kind(input, **options)
    except (
        RuntimeError,
        MemoryError,
        OverflowError,
    ) as error:  # torch's word for no memory is a RuntimeError
        raise ValueError(
            f"the network {spec.name} is too large with {_options(spec)} ({_first_line(error)})"
        ) from error


def _options(spec: NetworkSpec) -> str:
    """Return the options a spec gives, such as "width 520, depth 7"."""
    return ", ".join(f"{name} {value}" for name, value in spec.options.items()) or "its own options"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


@contextmanager
def no_larger_than(arrays: Mapping[str, NDArray[Any]]) -> Iterator[None]:
    """While a net is built inside, stop it once it has clearly more parameters than there are arrays to fill it.

    The options in a manifest are a few digits, and the net that they ask for may be larger than any memory; the arrays
    beside them are as long as they are. A parameter is counted when it has its place in the net and no values yet, so
    nothing is spent on one that is too large. Twice as many are let pass: `load_state_dict` is what compares exactly.

    Raises:
        ValueError: by what is built inside.
    """
    most_numbers = 2 * sum(array.size for array in arrays.values())
    most_parameters = 2 * len(arrays)
    numbers = parameters = 0

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal numbers, parameters
        if parameter is not None:
            numbers, parameters = numbers + parameter.numel(), parameters + 1
            if numbers > most_numbers or parameters > most_parameters:
                raise ValueError("it has far more weights than the bundle")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()
