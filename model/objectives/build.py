"""From an objective's name to the objective."""

import torch

from model.objectives.hinge import Hinge
from model.objectives.normalised_softmax import NormalisedSoftmax
from model.objectives.objective import Objective
from model.objectives.proxy_anchor import ProxyAnchor
from model.objectives.rbf import Rbf
from model.objectives.supcon import SupCon

OBJECTIVES: dict[
    str, type[ProxyAnchor] | type[SupCon] | type[NormalisedSoftmax] | type[Hinge] | type[Rbf]
] = {
    "proxy-anchor": ProxyAnchor,
    "supcon": SupCon,
    "normalised-softmax": NormalisedSoftmax,
    "hinge": Hinge,
    "rbf": Rbf,
}


def build_objective(name: str, *, classes: int, dim: int, generator: torch.Generator) -> Objective:
    """Build an objective with its published settings.

    Args:
        name: a key of `OBJECTIVES`.
        classes: K, the classes to tell apart.
        dim: D, the width of the net's output.
        generator: a CPU generator; draws where proxies or centres start.

    Returns:
        The objective on the CPU.

    Raises:
        ValueError: no objective has this name; the message lists them.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"no objective is called {name!r}; choose one of {', '.join(sorted(OBJECTIVES))}")
    return OBJECTIVES[name](classes, dim, generator)
