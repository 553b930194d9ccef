"""Exponentials that do not depend on the processor."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.exact import exp, exp2

_DIGEST = """
import hashlib, json
import numpy as np
from service.clustering.exact import exp, exp2
x = -np.random.default_rng(0).exponential(20.0, 20_000)
print(json.dumps(hashlib.sha256(exp2(x).tobytes() + exp(x).tobytes()).hexdigest()))
"""


@given(st.lists(st.floats(-1000, 8), max_size=20))
def test_they_are_right_to_a_few_units_in_the_last_place(values: list[float]) -> None:
    """2^x and e^x, to a relative error of 1e-15 (e^x: times |x|)."""
    x = np.array(values, dtype=np.float64)

    np.testing.assert_allclose(exp2(x), np.exp2(x), rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(exp(x / 2), np.exp(x / 2), rtol=2e-13, atol=1e-300)


def test_whole_powers_are_exact() -> None:
    """2^-3 is .125, 2^0 is 1, and far below it underflows to 0."""
    assert [0.125, 1.0, 0.0] == exp2(np.array([-3.0, 0.0, -1e6])).tolist()


@pytest.mark.skipif(
    sys.platform != "linux", reason="numpy's processor features are switched off as on Linux x86"
)
def test_they_are_the_same_without_the_newest_instructions() -> None:
    """The bits are equal when numpy may use no vector extension that not every processor has."""

    def digest(**environment: str) -> str:
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _DIGEST],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return str(json.loads(run.stdout))

    features = np._core._multiarray_umath.__cpu_dispatch__
    found = [name for name in features if np._core._multiarray_umath.__cpu_features__.get(name)]

    assert digest() == digest(NPY_DISABLE_CPU_FEATURES=" ".join(found))
