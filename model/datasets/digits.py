"""Digits: 1797 handwritten digits of 8x8 pixels, values 0 to 16, ten classes. Comes with scikit-learn.

The default data set: it needs no download and trains in seconds. It is the test part of the UCI "Optical
Recognition of Handwritten Digits" set (Alpaydin and Kaynak, 1998).
"""

import numpy as np
from sklearn.datasets import load_digits as _load

from model.datasets.labelled import LabelledData
from model.inputs import ImageInput


def load_digits() -> LabelledData:
    """Return all 1797 digits: x float32 (1797, 1, 8, 8) in 0..16, labels "0" to "9"."""
    raw = _load()
    return LabelledData(
        name="digits",
        input=ImageInput(shape=(1, 8, 8), minimum=0, maximum=16),
        x=np.asarray(raw.images, dtype=np.float32).reshape(-1, 1, 8, 8),
        y=np.asarray(raw.target, dtype=np.int64),
        labels=tuple(str(digit) for digit in raw.target_names),
        source="UCI Optical Recognition of Handwritten Digits, test part, as shipped with scikit-learn",
    )
