import numpy as np
import pydantic
import pytest

from model.inputs import ImageInput, InvalidInput, decode_item, describe

GREY = ImageInput(shape=(1, 2, 2), minimum=0, maximum=16)
COLOUR = ImageInput(shape=(3, 2, 2), minimum=0, maximum=255)


def test_channels_come_first() -> None:
    """A flat colour image is read channel after channel, as its nested form is."""
    nested = np.arange(12).reshape(3, 2, 2)

    np.testing.assert_array_equal(
        decode_item(nested.tolist(), COLOUR), decode_item(list(range(12)), COLOUR), strict=True
    )


def test_only_one_channel_may_be_left_out() -> None:
    """(H, W) is an image of one channel; of three it is none."""
    assert decode_item([[0, 4], [8, 16]], GREY).shape == (1, 2, 2)
    with pytest.raises(InvalidInput, match="lists nested 2 deep"):
        decode_item([[0, 4], [8, 16]], COLOUR)


def test_in_words() -> None:
    """What to send, and what the input is."""
    assert "4 numbers from 0 to 16 (image 1x2x2, flat or nested)" == describe(GREY)
    assert "image of 3x2x2 numbers, each from 0 to 255" == COLOUR.summary()


def test_an_image_has_three_dimensions() -> None:
    """Another shape is refused with the one there is."""
    with pytest.raises(pydantic.ValidationError, match=r"an image input is \(C, H, W\), not \(8, 8\)"):
        ImageInput(shape=(8, 8), minimum=0, maximum=1)
