import json
from typing import Any

import numpy as np
import pytest

from model.inputs import (
    ImageInput,
    InputSpec,
    InvalidInput,
    TableColumn,
    TableInput,
    TextInput,
    VectorInput,
)
from model.inputs.kind import count, kind_of

SPECS = [
    ImageInput(shape=(1, 2, 2), minimum=0, maximum=16),
    VectorInput(shape=(3,), minimum=-1, maximum=1),
    TextInput(max_characters=40),
    TableInput(
        columns=(
            TableColumn(name="bytes", kind="number", example=491),
            TableColumn(name="protocol", kind="category", values=("tcp",), example="tcp"),
        )
    ),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_every_kind_keeps_its_promises(spec: InputSpec) -> None:
    """The example survives JSON and decodes, is a column of one, and words for people are there."""
    example = json.loads(json.dumps(spec.example()))
    payload = spec.decode(example)
    dtype: Any = np.dtypes.StringDType() if isinstance(example, str) else np.float32
    one: Any = (
        payload if isinstance(example, dict) else example
    )  # a table's rows are coded when they are read
    column = np.array([one], dtype=dtype).reshape(1, *np.shape(payload))

    assert spec.column_problem(column) is None
    np.testing.assert_array_equal(payload, spec.decode_column(column)[0])
    np.testing.assert_array_equal(payload, spec.decode(spec.raw_item(column[0])))
    assert spec.most_values >= len(str(example).split(","))
    assert spec.describe()
    assert spec.summary().startswith(spec.kind)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
@pytest.mark.parametrize("item", [None, True, {}, [], [[]], [{}], "", 1e300, {"x": "a"}])
def test_every_kind_refuses_with_what_to_send(spec: InputSpec, item: object) -> None:
    """No kind raises anything else, and each says what x must be."""
    with pytest.raises(InvalidInput, match=r"^x must be .*; got .*\.$"):
        spec.decode(item)


def test_values_are_named_in_words_of_json() -> None:
    """Never their content."""
    assert ["null", "a boolean", "a single number", "a string", "a list", "an object", "a set"] == [
        kind_of(value) for value in (None, True, 1.5, "secret", (), {}, set())
    ]


def test_counts_have_their_plural() -> None:
    """One is one."""
    assert ["0 texts", "1 text", "1,000 texts"] == [count(n, "text") for n in (0, 1, 1000)]
