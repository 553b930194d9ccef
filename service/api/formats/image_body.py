"""image/png and image/jpeg: the body is one picture, one item, without an id (`Idempotency-Key` gives it one)."""

from model.inputs import ImageInput, InputSpec
from service.api.formats.head import Head, Limits
from service.api.formats.objects import Read
from service.api.formats.pictures import Picture
from service.errors import InvalidBody


async def read_image(
    body: bytearray, _head: Head, spec: InputSpec, _limits: Limits
) -> tuple[list[Read], bool]:
    """One picture on its own.

    Raises:
        InvalidBody: The bundle takes no images.
    """
    if not isinstance(spec, ImageInput):
        raise InvalidBody(f"This bundle takes no pictures; send {spec.describe()} as x, as JSON.")
    return [Picture(id=None, data=bytes(body))], True
