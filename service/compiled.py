"""Compiling: numba, with what it made kept on disk, so that only the first start of all has to wait.

numba names a file of its cache by the source of the one function it is for, not of those that function calls. So
the folder here carries a digest of all kernels: an edit of any of them is never answered by old code. The cache
is for this machine's own use, like Python's own `__pycache__`, and lies beside it where that can be written, else
where NUMBA_CACHE_DIR says; without either, every process compiles for itself.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

# numba's annotations lack the options for functions that Python never calls, and its settings.
_njit: Any = numba.njit
_config: Any = numba.config

P = ParamSpec("P")
R = TypeVar("R")

_INNER = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_FOLDER = Path(__file__).parent / "clustering" / "kernels"


def digest_of_sources(folder: Path = _FOLDER) -> str:
    """Of all that ends up in the compiled code."""
    sources = [*sorted(folder.glob("*.py")), Path(__file__)]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile as written: no reordered sums, no fused operations; division by zero gives inf or NaN.

    It becomes part of its callers: handing over the state's many arrays would take longer than most of the work.
    """
    made: Callable[P, R] = _njit(forceinline=True, **_INNER)(function)
    return made


def seldom(function: Callable[P, R]) -> Callable[P, R]:
    """Compile likewise, but once and apart: what few items need should not make the others' code long."""
    made: Callable[P, R] = _njit(**_INNER)(function)
    return made


def compiled_loosely(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with sums in any order and fused multiply-adds: for what only proposes."""
    made: Callable[P, R] = _njit(error_model="numpy", fastmath={"contract", "reassoc"})(function)
    return made


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls, and keep the result on disk."""
    given = _config.CACHE_DIR
    own = Path(given) if given else _FOLDER / "__pycache__"
    _config.CACHE_DIR = str(own / f"numba-{digest_of_sources()}")
    try:
        made: Any = _njit(error_model="numpy", cache=True)(function)
    except RuntimeError:  # nowhere to write: numba says so at once
        made = _njit(error_model="numpy")(function)
    finally:
        _config.CACHE_DIR = given
    result: Callable[P, R] = made
    return result
