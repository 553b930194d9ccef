"""An order of things in which like stands beside like: a short round trip through all of them.

Nearest neighbour first, then 2-opt (Croes 1958): while exchanging two edges makes the trip shorter, the best exchange
at each place is made. Deterministic; of two that are as good the first is taken.
"""

import numpy as np

from service.records import Float64s

_ROUNDS = 40
"""Most rounds of exchanges: a bound for very many classes; some ten do for a hundred and fifty."""

_LEAST_GAIN = 1e-9


def tour(apart: Float64s) -> list[int]:
    """The round trip.

    Args:
        apart: float64 (K, K), symmetric: how far apart each two are.
    """
    K = len(apart)
    if not K:
        return []
    order, left = [0], set(range(1, K))
    while left:
        here = apart[order[-1]]
        order.append(min(left, key=lambda k: (here[k], k)))
        left.discard(order[-1])
    found = np.array(order)
    for _ in range(_ROUNDS):
        if not _shortened(found, apart):
            break
    return [int(k) for k in found]


def _shortened(order: "np.ndarray[tuple[int], np.dtype[np.int64]]", apart: Float64s) -> bool:
    """One round of exchanges, in place; whether there was one."""
    K, has_changed = len(order), False
    for i in range(K - 2):
        a, b = order[i], order[i + 1]
        ends = order[i + 2 :]
        nexts = np.append(order[i + 3 :], order[0])
        gains = apart[a, b] + apart[ends, nexts] - apart[a, ends] - apart[b, nexts]
        if i == 0:
            gains[-1] = 0.0  # the two edges meet at the first
        best = int(gains.argmax())
        if gains[best] > _LEAST_GAIN:
            order[i + 1 : i + 3 + best] = order[i + 1 : i + 3 + best][::-1].copy()
            has_changed = True
    return has_changed
