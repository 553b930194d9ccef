"""How much freed memory the process keeps: told to glibc's malloc, once, before there are threads.

glibc gives threads arenas of their own, up to eight a core, and an arena gives back only what is free at its end. In a
service whose requests, answers and batches are made in one thread and let go in another, each arena comes to hold
pieces of all of them: under mixed clients memory grew by 10 MB a minute, though nothing was kept (`make soak`). With
one arena it does not. Arenas are there for threads that allocate at the same time, and here the interpreter lets one
run at a time.

References:
    mallopt(3), M_ARENA_MAX. Other C libraries have no such arenas, and are left alone.
"""

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8


def share_one_arena() -> bool:
    """Let all threads share one arena; whether the C library knows what that is."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, 1))
