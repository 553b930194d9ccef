import json
from typing import Any

import pydantic
import pytest

from model.inputs import ImageInput, InputSpec, TableColumn, TableInput, TextInput, VectorInput

ANY: pydantic.TypeAdapter[InputSpec] = pydantic.TypeAdapter(InputSpec)


@pytest.mark.parametrize(
    "spec",
    [
        ImageInput(shape=(3, 8, 8), minimum=0, maximum=255),
        VectorInput(shape=(1,), minimum=-1, maximum=1),
        TextInput(),
        TableInput(
            columns=(
                TableColumn(name="bytes", kind="number", example=491),
                TableColumn(name="protocol", kind="category", values=("tcp",), example="tcp"),
                TableColumn(name="rate", kind="number", example=0.5),
            )
        ),
    ],
    ids=lambda spec: spec.kind,
)
def test_a_manifest_tells_kinds_apart(spec: InputSpec) -> None:
    """What was written as JSON is read as the same kind with the same fields, also strictly."""
    assert spec == ANY.validate_json(ANY.dump_json(spec), strict=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "sound"},
        {"shape": [1, 8, 8], "minimum": 0, "maximum": 1},
        {"kind": "vector", "shape": [1, 8, 8], "minimum": 0, "maximum": 1},
        {"kind": "text", "shape": [1]},
        {"kind": "image", "max_characters": 5},
    ],
)
def test_what_is_no_kind_is_refused(wrong: dict[str, Any]) -> None:
    """An unknown kind, none, or the fields of another."""
    with pytest.raises(pydantic.ValidationError):
        ANY.validate_json(json.dumps(wrong))
