"""What a bundle says of the data that it was trained on, looked at once.

A manifest's `config` may be any JSON: it is the trainer's, and another version of it has other fields. A replay goes by
ten of them, so these are held to what they must be before anything is done with them. Fields that are missing are
None or empty; those that no replay needs are not looked at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import Field

from model.bundle import BundleError

_Place = Annotated[str, Field(min_length=1, max_length=4096)]
_Name = Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedOn:
    """Fields of the trainer's configuration, by the names they have there.

    Attributes:
        dataset: A data set as the trainer's loader takes it.
        beside: Another one that was put beside it.
        label, text: Columns that hold classes and texts.
        categories, drop: Columns of a table to take as categories, and to leave out.
        image_size: Side that images of a folder were brought to.
        hold_out: Classes that were kept from the net; None: it does not say.
        max_items: At most so many items were used.
        seed: Of the split; None: it does not say.
    """

    dataset: _Place | None = None
    beside: _Place | None = None
    label: _Name | None = None
    text: _Name | None = None
    categories: tuple[_Name, ...] | None = None
    drop: tuple[_Name, ...] | None = None
    image_size: Annotated[int, Field(ge=1)] | None = None
    hold_out: tuple[_Name, ...] | None = None
    max_items: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] | None = None


_FIELDS = frozenset(TrainedOn.__dataclass_fields__)
_FROM_CONFIG = pydantic.TypeAdapter(TrainedOn)


def trained_on(config: Mapping[str, Any], *, bundle: Path) -> TrainedOn:
    """Read a manifest's `config`; `bundle` is what messages call the bundle.

    Raises:
        BundleError: A field is not what the trainer writes.
    """
    own = {name: value for name, value in config.items() if name in _FIELDS}
    try:
        return _FROM_CONFIG.validate_json(json.dumps(own), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BundleError(
            f"The bundle {str(bundle)!r} cannot be replayed: what manifest.json says of its training is wrong at "
            f"config.{place}: {first['msg']}. Copy the bundle again from its source, or train it again."
        ) from None
