"""The front end of a net for tables: from codes to features of about unit size, learnt from the fitting items.

    number v     ─►  u = sign(v - m) log(1 + |v - m| / s)      m median, s typical distance from it
                     f = (u - mean) / spread, kept within +-10; 0 where v is missing
                     and, beside it, 1 where v is missing, else 0
    category     ─►  one value for each of: missing, any other, and the known values; 0 where it is not this, else 1,
                     and 3 for any other

**Numbers.** The logarithm leaves what is near the median as it is and tames the tails: bytes of a connection span nine
orders of magnitude, and no linear scale shows both a packet and a download. What was never seen still moves the
feature, which a rank or a quantile would hide: novelty lives in the tails. s is half the interquartile range; where
that is 0, since most items have one value, the median of the distances that are not 0.

**Categories.** A net knows at most 100 values of a category, those that occur in 5 fitting items or more, the most
frequent first. The others, and those that the data set never had, are "any other". Fitting items seldom show it, if
ever, so its weights stay near where they were drawn: small. The 3 makes up for that, since an item with a value that
nobody has seen should not pass as a known one (measured with a new protocol in a made-up table of connections: AUROC
.993 with 1, .999 with 3).

Everything learnt is a buffer, so it is in the bundle's weights; the widths depend on the columns alone.
"""

import torch
from torch import Tensor, nn

from model.inputs import TableInput

_FEWEST_ITEMS = 5
_MOST_KNOWN = 100
_FURTHEST = 10.0
_NARROWEST = 0.1
_OTHER = 1
_OTHER_SIZE = 3.0


class TableFront(nn.Module):
    """Codes to features.

    Args:
        input: the columns.

    Attributes:
        width: E, the number of features.
    """

    def __init__(self, input: TableInput) -> None:  # noqa: A002  # the contract's word
        super().__init__()
        columns = input.columns
        self._numbers = [i for i, column in enumerate(columns) if column.kind == "number"]
        self._categories = [i for i, column in enumerate(columns) if column.kind == "category"]
        listed = [len(columns[i].values) for i in self._categories]
        self._widths = [2 + min(n, _MOST_KNOWN) for n in listed]
        numbers = len(self._numbers)
        self.width = 2 * numbers + sum(self._widths)
        self.median: Tensor
        self.scale: Tensor
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("median", torch.zeros(numbers))
        self.register_buffer("scale", torch.ones(numbers))
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("spread", torch.ones(numbers))
        for j, n in enumerate(listed):  # a code + 1 -> a place among the features of its category
            self.register_buffer(f"place_{j}", torch.tensor([0, *[_OTHER] * (n + 1)]))
            sizes = torch.ones(self._widths[j])
            sizes[_OTHER] = _OTHER_SIZE
            self.register_buffer(f"size_{j}", sizes)

    def fit(self, x: Tensor) -> None:
        """Learn from codes float32 (N, F), N at least 1."""
        for j, i in enumerate(self._numbers):
            v = x[:, i][~torch.isnan(x[:, i])].double()
            if not len(v):
                continue
            low, middle, high = torch.quantile(v, torch.tensor([0.25, 0.5, 0.75], dtype=v.dtype))
            away = (v - middle).abs()
            scale = (high - low) / 2
            if scale == 0:
                scale = away[away > 0].median() if (away > 0).any() else torch.ones(())
            u = _signed_log((v - middle) / scale)
            self.median[j], self.scale[j], self.mean[j] = middle, scale, u.mean()
            self.spread[j] = max(float(u.std(correction=0)), _NARROWEST)
        for j, (i, width) in enumerate(zip(self._categories, self._widths, strict=True)):
            places = self.get_buffer(f"place_{j}")
            counts = torch.bincount((x[:, i] + 1).long(), minlength=len(places))[1:-1]
            order = counts.argsort(descending=True, stable=True)[: width - 2]
            known = order[counts[order] >= _FEWEST_ITEMS]
            places[1 + known] = torch.arange(2, 2 + len(known))

    def forward(self, x: Tensor) -> Tensor:
        """Return features: codes float32 (B, F) -> float32 (B, E)."""
        v = x[:, self._numbers]
        missing = torch.isnan(v)
        f = (_signed_log((v - self.median) / self.scale) - self.mean) / self.spread
        parts = [torch.where(missing, 0.0, f.clamp(-_FURTHEST, _FURTHEST)), missing.to(x.dtype)]
        for j, (i, width) in enumerate(zip(self._categories, self._widths, strict=True)):
            places = self.get_buffer(f"place_{j}")[(x[:, i] + 1).long()].clamp(0, width - 1)
            marks = nn.functional.one_hot(places, width).to(x.dtype)
            parts.append(marks * self.get_buffer(f"size_{j}"))
        return torch.cat(parts, dim=1)


def _signed_log(x: Tensor) -> Tensor:
    return x.sign() * x.abs().log1p()
