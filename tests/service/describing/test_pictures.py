"""Pictures that anybody can look at: PNG of whatever numbers there are."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from service.describing.pictures import LARGEST, average_of, png_of
from service.records import Float32s


def read(png: str) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(png, validate=True)))
    picture.load()
    return picture


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (2, "L"), (5, "L")])
def test_a_picture_is_what_was_sent(channels: int, mode: str) -> None:
    """Grey or colours, pixel by pixel."""
    x = np.linspace(0, 1, channels * 12, dtype=np.float32).reshape(channels, 3, 4)
    picture = read(png_of(x))

    assert ("PNG", mode, (4, 3)) == (picture.format, picture.mode, picture.size)
    wanted = x.transpose(1, 2, 0) if channels == 3 else x.mean(axis=0)
    assert np.abs(np.asarray(picture) - 255 * wanted).max() <= 1.0


@pytest.mark.parametrize("shape", [(1, 1000, 10), (3, 300, 400)])
def test_a_large_picture_is_shown_small(shape: tuple[int, int, int]) -> None:
    """In its proportions."""
    picture = read(png_of(np.zeros(shape, dtype=np.float32)))

    assert max(picture.size) == LARGEST


def test_odd_numbers_are_black_or_white() -> None:
    """Not a number, and beyond the range."""
    x = np.array([[[np.nan, np.inf, -np.inf, 7.0]]], dtype=np.float32)

    assert [[0, 255, 0, 255]] == np.asarray(read(png_of(x))).tolist()


def test_the_average_is_the_mean() -> None:
    """Of one it is that; of none there is none."""
    pictures: list[Float32s] = [np.full((1, 2, 2), v, dtype=np.float32) for v in (0.0, 0.5, 1.0)]
    average = average_of(pictures)

    assert average is not None
    assert average.tolist() == pictures[1].tolist()
    assert average_of([]) is None
