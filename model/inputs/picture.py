"""From a PNG or JPEG to the pixels a net is fitted on: one way, for the trainer's folders and for what clients send.

What becomes of a picture, always in this order:

1. it is turned upright, as its EXIF orientation says;
2. what is transparent becomes white, 16-bit greys are divided by 257;
3. the largest part in its middle that has the shape wanted (a square, where height is width) is cut out and resized to
   height x width (Lanczos); one that has this size is left as it is, to the pixel;
4. for a net of one channel it becomes grey (ITU-R 601: .299 red, .587 green, .114 blue).

Its values 0..255 are spread over the range of the input: v becomes minimum + v / 255 (maximum - minimum), which changes
nothing where the range is 0..255.

Pictures come from anywhere. Only the decoders for PNG and JPEG run; one of more pixels than allowed is refused by its
header, before a pixel is decoded; one that ends early or does not decode is refused.
"""

import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.inputs.image import ImageInput
from model.inputs.kind import InvalidInput

FORMATS = ("PNG", "JPEG")

CHANNELS = (1, 3)
"""Of nets that pictures can be made for."""

_WHITE = 255
_UNDECODABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    MemoryError,
    OverflowError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
    Warning,
)
"""What Pillow's decoders raise on hostile or broken files; a SyntaxError is its word for "not of this format", and a
warning is one where warnings are errors.
"""


class BadPicture(ValueError):
    """The picture cannot be decoded. The message says what is wrong, to follow the picture's name."""


class TooManyPixels(BadPicture):
    """It is too large."""


def read_picture(file: Path | IO[bytes], *, height: int, width: int, most_pixels: int) -> NDArray[np.uint8]:
    """Decode one picture and bring it to a size: see the top of this file.

    Args:
        file: PNG or JPEG.
        height, width: Wanted.
        most_pixels: A larger one is refused by its header.

    Returns:
        uint8 (height, width, 3), red, green, blue.

    Raises:
        BadPicture: It is too large or does not decode.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            across, down = image.size
            if across * down > most_pixels:
                raise TooManyPixels(f"has {across}x{down} pixels, more than {most_pixels:,}")
            image.draft(None, (2 * width, 2 * height))  # a large JPEG is decoded at a fraction of its size
            image.load()
            upright = ImageOps.exif_transpose(image)
            fitted = ImageOps.fit(_rgb(upright), (width, height), Image.Resampling.LANCZOS)
            return np.asarray(fitted, dtype=np.uint8)
    except BadPicture:
        raise
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"has more than {most_pixels:,} pixels") from error
    except UnidentifiedImageError as error:  # whose message is the address of what was read
        raise BadPicture("cannot be decoded (it is neither PNG nor JPEG)") from error
    except _UNDECODABLE as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadPicture(f"cannot be decoded ({why})") from error


def picture_values(
    file: Path | IO[bytes], spec: ImageInput, *, most_pixels: int
) -> NDArray[np.uint8] | NDArray[np.float64]:
    """Read a picture as a raw item of an input.

    Returns:
        (C, H, W) that `spec.decode` accepts.

    Raises:
        BadPicture: It is too large or does not decode.
        InvalidInput: The input has neither one channel nor three.
    """
    channels, height, width = spec.shape
    if channels not in CHANNELS:
        raise InvalidInput(f"A picture has 1 or 3 channels, not {channels}: send {spec.describe()} as x.")
    rgb = read_picture(file, height=height, width=width, most_pixels=most_pixels)
    pixels = rgb.transpose(2, 0, 1) if channels == 3 else np.asarray(Image.fromarray(rgb).convert("L"))[None]
    if (spec.minimum, spec.maximum) == (0, _WHITE):
        return pixels
    values = spec.minimum + pixels / _WHITE * (spec.maximum - spec.minimum)
    return np.clip(values, spec.minimum, spec.maximum)


def _rgb(image: Image.Image) -> Image.Image:
    """Bring any mode to RGB; transparent pixels become white, 16 bits become 8."""
    if image.mode.startswith("I"):
        wide = np.asarray(image, dtype=np.int64)
        return Image.fromarray((wide.clip(0, 65535) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (_WHITE, _WHITE, _WHITE, _WHITE))
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")
