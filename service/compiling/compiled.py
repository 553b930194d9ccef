"""Compiling: numba, with what it made kept on disk, so that only the first start of all has to wait.

What is kept is for this machine's own use, like Python's own `__pycache__`, and lies beside it where that can be
written or has it already; else in the user's cache folder. NUMBA_CACHE_DIR names another place. Without any, every
process compiles for itself. code_cache.py says how it is kept and what is trusted; NUMBA_CPU_NAME and
NUMBA_CPU_FEATURES compile for another processor than this one.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import llvmlite
import numba
from llvmlite.binding import get_host_cpu_name
from numba.core.codegen import get_host_cpu_features

from service.compiling.code_cache import CodeCache, digest, place

# numba's annotations lack the options for functions that Python never calls, and its settings.
_njit: Any = numba.njit
_config: Any = numba.config

P = ParamSpec("P")
R = TypeVar("R")

_INNER = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_FOLDER = Path(__file__).parents[1] / "clustering" / "kernels"


def digest_of_sources(folder: Path = _FOLDER) -> str:
    """Of all sources that end up in the compiled code."""
    return digest(source.read_bytes() for source in [*sorted(folder.glob("*.py")), Path(__file__)])


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
    """Compile a function that Python calls, when it is called first, and keep the result on disk."""
    made: Any = _njit(error_model="numpy")(function)
    folder = _place()
    if folder is not None and hasattr(made, "_cache"):  # under NUMBA_DISABLE_JIT it is the function itself
        made._cache = CodeCache(function, folder)  # noqa: SLF001 - `cache=True` sets this very attribute
    result: Callable[P, R] = made
    return result


def kept_in(function: Callable[..., Any]) -> Path | None:
    """The folder in which the code of an entry is or will be kept; None if it is not."""
    kept: object = getattr(function, "_cache", None)
    return kept.folder if isinstance(kept, CodeCache) else None


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether the code of an entry is on disk, for this processor and as it was written."""
    kept: object = getattr(function, "_cache", None)
    return isinstance(kept, CodeCache) and kept.is_whole()


@cache
def _place() -> Path | None:
    """Where this process keeps code."""
    name, features = _config.CPU_NAME, _config.CPU_FEATURES  # None: this processor's
    processor = get_host_cpu_name() if name is None else name
    extensions = get_host_cpu_features() if features is None else features
    settings = (_config.OPT, _config.BOUNDSCHECK, _config.DEBUGINFO_DEFAULT)  # numba has them from NUMBA_...
    versions = (numba.__version__, llvmlite.__version__)
    made_of = (digest_of_sources(), *versions, *map(str, settings), processor, extensions)
    folder = f"numba-{digest(part.encode() for part in made_of)[:16]}"
    return place(folder, _folders(), owners=[Path(__file__).stat().st_uid])


def _folders() -> Iterator[Path]:
    if _config.CACHE_DIR:
        yield Path(_config.CACHE_DIR)
        return
    yield _FOLDER / "__pycache__"
    try:
        yield Path.home() / ".cache" / "firstseen"
    except RuntimeError:  # a user without a home
        return
