"""What people give a clusterer as its parameters; and what is wrong with it, in words, before anything is made of it.

They come from code, grids and files, as Python's numbers or numpy's. All that a kernel could stumble over is refused
here by name: what is no number, or so large that no clock or memory suffices for it. The ranges that make sense are
`ClustererParams`'s to check (params.py).
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from service.clustering.params import ClustererParams

_AT_MOST = {"fading_factor": 1e12, "max_micro_clusters": 10**9, "max_degree": 2**16}
_SHORTEST = 1e-12
"""Limits of parameters: beyond them the clock's integers overflow, or no memory suffices for one micro-cluster."""


def number(name: str, value: object, kind: Callable[[Any], Any] = float) -> Any:  # noqa: ANN401 - int or float
    """Of the kind asked for; raises ValueError, by name, for what is no such number."""
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        what = "a whole number" if kind is operator.index else "a number"
        raise ValueError(f"{name} must be {what}, not {value!r}.") from None


def parameters(**given: object) -> ClustererParams:
    """Those that the micro-clusters work with, of any type that is a number; `river_online` is a bool.

    Raises:
        ValueError: One is out of range or of another type, by name.
    """
    river_online = given.pop("river_online")
    if not isinstance(river_online, bool | np.bool_):
        raise ValueError(f"river_online must be True or False, not {river_online!r}.")  # noqa: TRY004 - as for any parameter
    numbers = {
        name: number(name, value, operator.index if name in {"max_micro_clusters", "max_degree"} else float)
        for name, value in given.items()
    }
    for name, most in _AT_MOST.items():
        if numbers[name] > most:
            raise ValueError(f"{name} must be at most {most:g}, not {numbers[name]}.")
    if numbers["cleanup_interval"] < _SHORTEST:
        raise ValueError(
            f"cleanup_interval must be at least {_SHORTEST:g}, not {numbers['cleanup_interval']}."
        )
    return ClustererParams(**numbers, river_online=bool(river_online))
