"""Pictures as raw items: the pixels of a net's size, spread over its range."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.inputs import ImageInput, InvalidInput
from model.inputs.picture import BadPicture, TooManyPixels, picture_values, read_picture

GREY = ImageInput(shape=(1, 4, 6), minimum=0, maximum=255)
COLOUR = ImageInput(shape=(3, 4, 6), minimum=-1, maximum=1)
PIXELS = (np.arange(24, dtype=np.uint8) * 10).reshape(4, 6)


def png(pixels: NDArray[np.uint8] | NDArray[np.uint16], **options: object) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    file.seek(0)
    return file


def test_one_of_the_size_of_the_net_is_left_as_it_is() -> None:
    """To the pixel, for one channel and for three."""
    np.testing.assert_array_equal(PIXELS[None], picture_values(png(PIXELS), GREY, most_pixels=100))

    colour = np.stack([PIXELS, PIXELS // 2, 255 - PIXELS], axis=-1)
    wide = ImageInput(shape=(3, 4, 6), minimum=0, maximum=255)
    np.testing.assert_array_equal(
        colour.transpose(2, 0, 1), picture_values(png(colour), wide, most_pixels=100)
    )


def test_values_are_spread_over_the_range() -> None:
    """0 becomes the minimum and 255 the maximum; every value is one that the input takes."""
    pixels = np.array([[0, 255, 51, 0, 0, 0]] * 4, dtype=np.uint8)
    values = picture_values(png(pixels), COLOUR, most_pixels=100)

    assert (3, 4, 6) == values.shape
    assert [-1, 1, -0.6] == values[0, 0, :3].tolist()
    assert (0, 1) == (COLOUR.decode(values).min(), COLOUR.decode(values).max())


def test_another_size_is_cut_and_resized() -> None:
    """The largest part of the wanted shape in the middle; Lanczos looks a little beyond its edges."""
    pixels = np.zeros((8, 30), dtype=np.uint8)
    pixels[:, 9:21] = 200
    values = picture_values(png(pixels), GREY, most_pixels=1000)

    assert np.abs(values.astype(int) - 200).max() < 20


def test_colours_become_grey() -> None:
    """By the weights of ITU-R 601."""
    red = np.zeros((4, 6, 3), dtype=np.uint8)
    red[..., 0] = 200

    assert (picture_values(png(red), GREY, most_pixels=100) == round(0.299 * 200)).all()


def test_only_as_many_pixels_as_allowed() -> None:
    """One more is refused by the header."""
    picture_values(png(PIXELS), GREY, most_pixels=24)
    with pytest.raises(TooManyPixels, match="6x4 pixels, more than 23"):
        picture_values(png(PIXELS), GREY, most_pixels=23)


@pytest.mark.parametrize(
    "data", [b"", b"abc", b"GIF89a" + bytes(40), b"\x89PNG\r\n\x1a\n", b"BM" + bytes(60)]
)
def test_what_is_no_picture(data: bytes) -> None:
    """Other formats are not even tried."""
    with pytest.raises(
        BadPicture, match=r"cannot be decoded \((it is neither PNG nor JPEG|image file is truncated)"
    ):
        read_picture(io.BytesIO(data), height=4, width=6, most_pixels=100)


def test_one_that_ends_early() -> None:
    """It is refused, not filled up with grey."""
    data = png(np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)).getvalue()
    with pytest.raises(BadPicture):
        read_picture(io.BytesIO(data[:600]), height=4, width=6, most_pixels=10_000)


def test_a_net_of_other_channels() -> None:
    """No picture has two."""
    with pytest.raises(InvalidInput, match="1 or 3 channels, not 2: send 48 numbers"):
        picture_values(png(PIXELS), ImageInput(shape=(2, 4, 6), minimum=0, maximum=1), most_pixels=100)
