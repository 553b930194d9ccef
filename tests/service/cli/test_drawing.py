"""A picture in characters: its pixels, two a character, and no larger than a corner of the terminal."""

import numpy as np

from service.cli.drawing import LARGEST, drawn
from service.describing.pictures import png_of


def test_two_pixels_a_character() -> None:
    """The upper in the foreground, the lower behind it; of an odd last line both."""
    x = np.zeros((1, 3, 2), dtype=np.float32)
    x[0, 0, 1] = x[0, 2, 0] = 1.0
    text = drawn(png_of(x))
    styles = [str(span.style) for span in text.spans]

    assert ["\u2580\u2580", "\u2580\u2580"] == text.plain.split("\n")
    assert ["#000000 on #000000", "#ffffff on #000000", "#ffffff on #ffffff", "#000000 on #000000"] == styles


def test_a_large_one_is_shown_small() -> None:
    """In its proportions."""
    lines = drawn(png_of(np.ones((3, 64, 128), dtype=np.float32))).plain.split("\n")

    assert [LARGEST] * (LARGEST // 4) == [len(line) for line in lines]
