"""What the client takes from outside: its key from the environment, ids from luck, time from the loop.

The only file of it that may. Ids are those of RFC 9562, version 4: 122 random bits, so two clients never meet.
"""

import os
import uuid
from collections.abc import Callable

API_KEY = "FIRSTSEEN_API_KEY"


def api_key(given: str | None) -> str | None:
    """The key to send: the one given, else the environment's; an empty one is none."""
    return (os.environ.get(API_KEY) if given is None else given) or None


def ids() -> Callable[[], str]:
    """A maker of ids that nobody else makes."""
    return lambda: uuid.uuid4().hex
