"""When a message is tried again: the schedule that Standard Webhooks recommends, over some three days.

    try      1    2     3      4      5     6     7      8      9      10
    after    0   5 s  5 min  30 min  2 h   5 h  10 h   14 h   20 h   24 h   of the one before

Each pause is lengthened by up to a fifth, by luck, so that messages which failed together do not come back together.
After the last try a message is given up.
"""

from typing import Final

PAUSES_S: Final = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER: Final = 0.2


def next_try(tries: int, now: float, luck: float) -> float | None:
    """When to try again.

    Args:
        tries: How often it was tried, the last time just now.
        now: When that was.
        luck: In [0, 1).

    Returns:
        The time; None: never.
    """
    if tries >= len(PAUSES_S):
        return None
    return now + PAUSES_S[tries] * (1 + JITTER * luck)
