"""Random changes of items that leave their class what it is, one a file.

    affine    an image is moved, turned and sized a little
    light     an image gets another brightness and contrast
    erase     a rectangle of an image is painted over
    flip      an image is mirrored, left to right; for kinds of image where the mirrored one is as likely
    corrupt   some features of a vector come from other items of the batch
    noise     the features of a vector are shaken

Every one is a function (items of a batch, generator, limits) -> items, that changes each item by numbers of its
own. Random numbers are always drawn on the CPU from the generator passed in, so a run sees the same changes
whatever device it trains on. Which of them a run uses is decided in `model/augment/views.py`.
"""

from model.augment.affine import AffineLimits, affine
from model.augment.corrupt import corrupt
from model.augment.erase import EraseLimits, erase
from model.augment.flip import flip
from model.augment.light import LightLimits, light
from model.augment.noise import noise
from model.augment.views import View, gentle_view, strong_view

__all__ = [
    "AffineLimits",
    "EraseLimits",
    "LightLimits",
    "View",
    "affine",
    "corrupt",
    "erase",
    "flip",
    "gentle_view",
    "light",
    "noise",
    "strong_view",
]
