"""The name of a request, which its log lines, its answer and its problem share.

A client may name it (`X-Request-Id`), in up to 64 letters, digits, dots, underscores or hyphens; another name, or none,
is replaced: a log must not hold what somebody wants it to hold. Names given here are of one process and a number.
"""

import itertools
import re
from collections.abc import Callable
from contextvars import ContextVar

_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)
"""Of the request being served."""


def namer(process: str) -> Callable[[bytes | None], str]:
    """What gives each request its name, from the header that came with it.

    Args:
        process: Tells this process from others.
    """
    numbers = itertools.count(1)

    def name(header: bytes | None) -> str:
        if header is not None and _SANE.fullmatch(header):
            return header.decode("ascii")
        return f"{process}-{next(numbers)}"

    return name
