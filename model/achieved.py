"""The rate that was asked for, against the rate that fresh items show.

Conformal calibration promises that an item of a known class is called new with a chance of at most about the rate
asked for, if it is drawn as the calibration items were. Whether it is so, fresh items tell: of n of them k were called
new, and the rates that such a k does not speak against are, after Clopper and Pearson 1934,

    low   the rate at which k or more of n have a chance of 2.5 %       Beta(k, n - k + 1) at .025;   0 for k = 0
    high  the rate at which k or fewer of n have a chance of 2.5 %      Beta(k + 1, n - k) at .975;   1 for k = n

which cover the true rate at least 95 times in a hundred. A rate outside is said: the calibration items were unlucky
(the rate of one calibration with m items varies by about sqrt(rate / m) itself), or the fresh ones are not like them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import beta

_MISSED = 0.025  # at each end


@dataclass(frozen=True, kw_only=True)
class Achieved:
    """A rate asked for, and what came of it.

    Attributes:
        asked: the rate.
        found: share of the fresh items.
        low, high: the 95 % interval around it.
        items: how many fresh items there were, at least 1.
    """

    asked: float
    found: float
    low: float
    high: float
    items: int

    @property
    def holds(self) -> bool:
        """Whether the fresh items do not speak against the rate."""
        return self.low <= self.asked <= self.high

    def __str__(self) -> str:
        return (
            f"asked {_short(self.asked)}, found {_short(self.found)}, 95 % interval {_short(self.low)} to "
            f"{_short(self.high)}, on {self.items:,} fresh items"
        )


def interval(called: int, items: int) -> tuple[float, float]:
    """Return the 95 % interval of Clopper and Pearson for `called` of `items`, at least 1: low, high."""
    low = float(beta.ppf(_MISSED, called, items - called + 1)) if called else 0.0
    high = float(beta.ppf(1 - _MISSED, called + 1, items - called)) if called < items else 1.0
    return low, high


def achieved(metrics: Mapping[str, float | None], asked: float) -> Achieved | None:
    """Return what the figures of `model.evaluate.evaluate` say of a rate; None where they lack it, as old ones do."""
    names = ("known_error_rate", "known_error_rate_low", "known_error_rate_high", "fresh_items")
    found, low, high, items = (metrics.get(name) for name in names)
    if found is None or low is None or high is None or items is None:
        return None
    return Achieved(asked=asked, found=found, low=low, high=high, items=int(items))


def _short(rate: float) -> str:
    """Two figures that tell, without the leading 0."""
    shown = f"{rate:.2g}" if rate >= 1e-4 else f"{rate:.4f}"
    return shown.removeprefix("0") if shown.startswith("0.") else shown


def warnings(metrics: Mapping[str, float | None], asked: float, *, is_rehearsed: bool) -> list[str]:
    """Return what whoever trained a bundle should know before it serves; the card says more."""
    found = []
    rate = achieved(metrics, asked)
    if rate is not None and not rate.holds:
        found.append(f"the known error rate does not hold on fresh items: {rate}")
    if is_rehearsed and "expected/items" not in metrics:
        found.append("what to expect in a stream is not known; card.md says why")
    return found
