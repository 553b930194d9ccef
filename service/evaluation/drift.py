"""Known items that change: the transforms a schedule's drifts name. Covariate drift is no novelty.

Each takes payloads (`model/inputs`) and a strength for each, and gives payloads that a client could have sent: images
and vectors stay within 0..1, a text keeps one word, a cell of a table is a cell or missing. Strength 0 leaves an item
as it is.

    image, vector   noise        x + strength * N(0, 1), cut off at 0 and 1
                    brightness   x + strength, cut off; strength may be negative
    text            words        each word is dropped with a chance of `strength`
                    vocabulary   each word is called by another, made-up one with a chance of `strength`
    table           noise        each number times 1 + strength * N(0, 1)
                    missing      each cell is missing with a chance of `strength`
"""

import zlib
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from model.inputs import InputSpec, Payloads, TableInput, TextInput
from service.records import Bools, Float32s, Float64s

Transform = Callable[[Payloads, Float64s, np.random.Generator], Payloads]
"""(B payloads, strength: float64 (B,), rng) -> B payloads."""


_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")


def transforms_of(spec: InputSpec) -> Mapping[str, Transform]:
    """The drifts that such items can have, by kind of drift."""
    if isinstance(spec, TextInput):
        return {"words": drop_words, "vocabulary": rename_words}
    if isinstance(spec, TableInput):
        is_number = np.array([column.kind == "number" for column in spec.columns], dtype=np.bool_)
        return {"noise": partial(shake_numbers, is_number), "missing": partial(lose_cells, is_number)}
    return {"noise": add_noise, "brightness": brighten}


def add_noise(items: Payloads, strength: Float64s, rng: np.random.Generator) -> Float32s:
    """Gaussian noise of that standard deviation on every value."""
    x = _array(items)
    return _within(x + _beside(strength, x) * rng.standard_normal(x.shape, dtype=np.float32))


def brighten(items: Payloads, strength: Float64s, rng: np.random.Generator) -> Float32s:  # noqa: ARG001 - a Transform
    """The same amount on every value of an item: light for an image, an offset for a vector."""
    x = _array(items)
    return _within(x + _beside(strength, x))


def drop_words(items: Payloads, strength: Float64s, rng: np.random.Generator) -> list[str]:
    """Drop each word of a text with a chance of `strength`; one word, drawn, is always left."""
    found = []
    for text, chance in zip(map(str, items), strength.tolist(), strict=True):
        words = text.split()
        keep = rng.random(len(words)) >= chance
        if words and not keep.any():
            keep[rng.integers(len(words))] = True
        kept = [word for word, stays in zip(words, keep.tolist(), strict=True) if stays]
        found.append(text if len(kept) == len(words) else " ".join(kept))
    return found


def rename_words(items: Payloads, strength: Float64s, rng: np.random.Generator) -> list[str]:
    """Replace each word of a text by its made-up one, `new_word`, with a chance of `strength`."""
    found = []
    for text, chance in zip(map(str, items), strength.tolist(), strict=True):
        words = text.split()
        is_new = rng.random(len(words)) < chance
        renamed = [new_word(word) if new else word for word, new in zip(words, is_new.tolist(), strict=True)]
        found.append(" ".join(renamed) if is_new.any() else text)
    return found


def new_word(word: str) -> str:
    """What a word is called after a change of vocabulary: always the same for the same word, as jargon is.

    Three syllables of 70, picked by the word's letters, whatever their case: no language has most of these.
    """
    rest = zlib.crc32(word.lower().encode("utf-8", "surrogatepass"))
    syllables = []
    for _ in range(3):
        rest, place = divmod(rest, len(_SYLLABLES))
        syllables.append(_SYLLABLES[place])
    return "".join(syllables)


def shake_numbers(
    is_number: Bools, items: Payloads, strength: Float64s, rng: np.random.Generator
) -> Float32s:
    """Multiply the numbers of rows: float32 (B, F), `is_number` being bool (F,). What is missing stays so."""
    x = _array(items)
    factor = 1.0 + _beside(strength, x) * rng.standard_normal(x.shape, dtype=np.float32)
    largest = float(np.finfo(np.float32).max)
    with np.errstate(over="ignore"):
        return np.asarray(np.where(is_number, np.clip(x * factor, -largest, largest), x), dtype=np.float32)


def lose_cells(is_number: Bools, items: Payloads, strength: Float64s, rng: np.random.Generator) -> Float32s:
    """Lose cells of rows: float32 (B, F); a number is then NaN, a category -1."""
    x = _array(items)
    lost = rng.random(x.shape) < strength[:, None]
    return np.asarray(np.where(lost, np.where(is_number, np.nan, -1.0), x), dtype=np.float32)


def _array(items: Payloads) -> Float32s:
    return np.asarray(items, dtype=np.float32)


def _beside(strength: Float64s, x: Float32s) -> Float32s:
    """(B,) to (B, 1, ...), to be added to or multiplied with items."""
    return strength.astype(np.float32).reshape(-1, *[1] * (x.ndim - 1))


def _within(x: Float32s) -> Float32s:
    return np.asarray(np.clip(x, 0.0, 1.0), dtype=np.float32)
