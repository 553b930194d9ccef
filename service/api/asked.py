"""What a request for verdicts asks for beside them, in its query: `learn=false`, `explain=true`."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import InvalidParameter

MOST_EXPLAINED = 100
"""Items of one request that are explained. An explanation takes up to a millisecond of the engine's time, and some
3 kB of the answer; others wait meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """How the items of a request are to be treated.

    Attributes:
        learn: False: a dry run.
        explain: Whether to say why as well.
    """

    learn: bool = True
    explain: bool = False

    def check(self, items: int) -> None:
        """Raises InvalidParameter for more items than are explained at once."""
        if self.explain and items > MOST_EXPLAINED:
            raise InvalidParameter(
                f"explain=true is for at most {MOST_EXPLAINED} items in one request, not {items}: send fewer at once."
            )


PLAIN = Asked()
"""What is asked for where nothing is said: verdicts."""


def asked_in(query: Mapping[str, str]) -> Asked:
    """What a query asks for.

    Raises:
        InvalidParameter: A value is neither true nor false.
    """
    return Asked(learn=_flag(query, "learn", default=True), explain=_flag(query, "explain", default=False))


def _flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = query.get(name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise InvalidParameter(f"{name} must be true or false, not {value[:20]!r}.")
    return value == "true"


def _parameter(name: str, description: str, *, default: bool) -> dict[str, object]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "boolean", "default": default},
        "description": description,
    }


PARAMETERS = [
    _parameter(
        "learn",
        "false: a dry run. Nothing is looked up, written or counted; the verdict is the one that the item would get, "
        "were it the next, and has no place in the stream (`seq` is null).",
        default=True,
    ),
    _parameter(
        "explain",
        f"true: every answer says why as well, for up to {MOST_EXPLAINED} items in one request. An id that had its "
        "verdict keeps it, and is explained as of now. Where keys are needed, needs `read`, too.",
        default=False,
    ),
]
"""For OpenAPI."""
