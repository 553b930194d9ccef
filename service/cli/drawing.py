"""A picture on a terminal: two pixels a character, the upper half block in the colour of one on that of the other.

Pictures come as PNG in base64, from the service that drew them. Where the terminal has no colours there is nothing to
be seen of one.
"""

import base64
import io
from collections.abc import Sequence
from typing import Final

from rich.color import Color
from rich.style import Style
from rich.text import Text

LARGEST: Final = 16
"""Columns of a picture, and twice the lines."""

_HALF: Final = "\u2580"


def drawn(png: str) -> Text:
    """A picture."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(png)), formats=("PNG",)).convert("RGB")
    picture.thumbnail((LARGEST, LARGEST))
    lines = []
    for y in range(0, picture.height, 2):
        line = Text(no_wrap=True)
        for x in range(picture.width):
            below = min(y + 1, picture.height - 1)
            colours = [Color.from_rgb(*_rgb(picture.getpixel((x, row)))) for row in (y, below)]
            line.append(_HALF, Style(color=colours[0], bgcolor=colours[1]))
        lines.append(line)
    return Text("\n").join(lines)


def _rgb(pixel: object) -> Sequence[int]:
    assert isinstance(pixel, tuple)  # as a picture converted to RGB gives it
    return pixel
