"""W3C Trace Context: which trace a request belongs to, as the header `traceparent` says.

    version - trace-id (16 bytes) - parent-id (8 bytes) - flags          lower-case hexadecimal
       00   - 0af7651916cd43dd8448eb211c80319c - b7ad6b7169203331 - 01

W3C Recommendation "Trace Context" (2021), section 3.2. Version 00 has these four fields and nothing else. A higher one,
but not ff, begins with the same four, and more may follow behind a dash. Ids that are all zeros are invalid, and so are
capital letters. What is not valid is as if it were not there: the request is served all the same, and begins a trace of
its own. Pure.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)

_LONGEST = 512


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace: the span that what follows is a part of, or came from.

    Attributes:
        trace_id: 32 hexadecimal digits, not all zeros.
        span_id: 16.
        is_sampled: Whether the caller records the trace.
    """

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def header(self) -> str:
        """As a `traceparent` of version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


def parse_traceparent(header: str) -> TraceContext | None:
    """What a `traceparent` says; None where it is not valid."""
    if len(header) > _LONGEST:
        return None
    found = _HEADER.fullmatch(header)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))


current_trace: ContextVar[TraceContext | None] = ContextVar("current_trace", default=None)
"""Of the request being served: its own span where spans are made, else what its header said."""
