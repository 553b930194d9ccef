"""PNG and JPEG on their way in, decoded in one thread that does nothing else.

Decoding takes a millisecond for a small picture and a second for the largest allowed: too long for the event loop. One
thread, so that the pixels of one picture at most are in memory at once, whatever is sent. What waits for it is bounded
by the bodies that wait (`Context.bodies`): each picture is a part of one.

How a picture becomes an item is written in `model/inputs/picture.py`.
"""

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from model.inputs import ImageInput, InputSpec, InvalidInput
from model.inputs.picture import BadPicture, picture_values
from service.errors import ClientGone, InvalidItem, Overloaded
from service.ingest.intake import Refused
from service.records import Item

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture that was sent as an item; not decoded yet."""

    id: str | None
    data: bytes


async def develop(
    read: Sequence[Item | Refused | Picture],
    spec: InputSpec,
    *,
    max_pixels: int,
    within_s: float,
    is_gone: Callable[[], bool] | None = None,
) -> list[Item | Refused]:
    """The items, with the pictures among them decoded, each on its own, so that others have their turn.

    Args:
        read: What was sent.
        spec: What the bundle takes.
        max_pixels: Of one picture.
        within_s: How long all may take: a few bytes may be millions of pixels, and a body holds thousands of pictures.
        is_gone: Says whether the client has gone.

    Raises:
        Overloaded: They took longer.
        ClientGone: Nobody waits for them.
    """
    loop = asyncio.get_running_loop()
    done: list[Item | Refused] = []
    try:
        async with asyncio.timeout(within_s):
            for one in read:
                if not isinstance(one, Picture):
                    done.append(one)
                    continue
                if is_gone is not None and is_gone():
                    raise ClientGone("The client closed its connection. None of them was counted.")
                done.append(await loop.run_in_executor(_thread, decode_picture, one, spec, max_pixels))
    except TimeoutError:
        raise Overloaded(
            f"The pictures were not decoded within {within_s:g} s, and none was counted; send fewer at once."
        ) from None
    return done


def decode_picture(picture: Picture, spec: InputSpec, max_pixels: int) -> Item | Refused:
    """One picture as an item, or why it is refused."""
    if not isinstance(spec, ImageInput):
        return Refused(
            picture.id, InvalidItem(f"This bundle takes no pictures: send {spec.describe()} as x.")
        )
    try:
        values = picture_values(io.BytesIO(picture.data), spec, most_pixels=max_pixels)
        return Item(id=picture.id, x=spec.decode(values))
    except BadPicture as bad:
        return Refused(picture.id, InvalidItem(f"The image {bad}: send a sound PNG or JPEG."))
    except InvalidInput as invalid:
        return Refused(picture.id, InvalidItem(str(invalid)))
