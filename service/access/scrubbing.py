"""No key, no ticket and no secret of a webhook in a log, whoever writes the line.

Nothing here logs what a client sent. This is for the day on which something does: a library that tells of a request by
its path and query, or an exception whose message is a header. Of a key its id stays, so that the line is of use.
"""

import re
from typing import Final

from service.access.tokens import PATTERN, TICKET_PATTERN

_SECRETS: Final = re.compile(rf"{PATTERN}|{TICKET_PATTERN}|whsec_[A-Za-z0-9+/]{{16,}}={{0,2}}")
_SHOWN: Final = 12
"""Characters of a key that may be seen: fs_, its id, and a _."""


def scrub(text: str) -> str:
    """The text without the secrets in it."""
    if not any(mark in text for mark in ("fs_", "fst_", "whsec_")):
        return text
    return _SECRETS.sub(_without_secret, text)


def _without_secret(found: re.Match[str]) -> str:
    for mark in ("fst_", "whsec_"):
        if found[0].startswith(mark):
            return f"{mark}***"
    return f"{found[0][:_SHOWN]}***"
