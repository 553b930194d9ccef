"""Known items that change: the transforms a schedule's drifts name. Covariate drift is no novelty.

Each takes items and a strength for each, and gives items that a client could have sent: arrays stay within 0..1,
the range every bundle scales to (`model/inputs.py`), and a text keeps one word. Strength 0 leaves an item as it is.

    noise        x + strength * N(0, 1), cut off at 0 and 1
    brightness   x + strength, cut off; strength may be negative
    words        each word of a text is dropped with a chance of `strength`
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from service.records import Float32s, Float64s

Transform = Callable[[Float32s, Float64s, np.random.Generator], Float32s]
"""(x: float32 (B, *shape) in 0..1, strength: float64 (B,), rng) -> float32 (B, *shape) in 0..1."""


def add_noise(x: Float32s, strength: Float64s, rng: np.random.Generator) -> Float32s:
    """Gaussian noise of that standard deviation on every value."""
    return _within(x + _beside(strength, x) * rng.standard_normal(x.shape, dtype=np.float32))


def brighten(x: Float32s, strength: Float64s, rng: np.random.Generator) -> Float32s:  # noqa: ARG001 - a Transform
    """The same amount on every value of an item: light for an image, an offset for a vector."""
    return _within(x + _beside(strength, x))


def drop_words(texts: Sequence[str], strength: Float64s, rng: np.random.Generator) -> list[str]:
    """Drop each word with a chance of `strength`, float64 (B,); one word, drawn, is always left."""
    found = []
    for text, chance in zip(texts, strength.tolist(), strict=True):
        words = text.split()
        keep = rng.random(len(words)) >= chance
        if words and not keep.any():
            keep[rng.integers(len(words))] = True
        kept = [word for word, stays in zip(words, keep.tolist(), strict=True) if stays]
        found.append(text if len(kept) == len(words) else " ".join(kept))
    return found


TRANSFORMS: Mapping[str, Transform] = {"noise": add_noise, "brightness": brighten}
"""The drifts of arrays by kind."""


def _beside(strength: Float64s, x: Float32s) -> Float32s:
    """(B,) to (B, 1, ...), to be added to or multiplied with items."""
    return strength.astype(np.float32).reshape(-1, *[1] * (x.ndim - 1))


def _within(x: Float32s) -> Float32s:
    return np.asarray(np.clip(x, 0.0, 1.0), dtype=np.float32)
