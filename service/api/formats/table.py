"""All forms of a body, by content type."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from model.inputs import InputSpec
from service.api.formats.answers import JSON, LINES, MSGPACK
from service.api.formats.arrow_body import ARROW, read_arrow
from service.api.formats.head import Head, Limits
from service.api.formats.image_body import read_image
from service.api.formats.json_body import read_json
from service.api.formats.lines_body import read_lines
from service.api.formats.msgpack_body import read_msgpack
from service.api.formats.objects import Read
from service.api.formats.raw_body import read_octets
from service.errors import UnsupportedMediaType

OCTETS = "application/octet-stream"
IMAGES = ("image/png", "image/jpeg")


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyForm:
    """One form.

    Attributes:
        media_type: Its name; `aliases` are others in use.
        read: From a body, its headers, what the bundle takes, and the limits, to the items, and whether it was one item
            on its own (whose answer is then a verdict and not a list of them). Raises ClientError.
        answer: The media type of the answer to who does not mind.
    """

    media_type: str
    read: Callable[[bytearray, Head, InputSpec, Limits], Awaitable[tuple[list[Read], bool]]]
    aliases: tuple[str, ...] = ()
    answer: str = JSON


BODY_FORMS = (
    BodyForm(media_type=JSON, read=read_json),
    BodyForm(media_type=OCTETS, read=read_octets),
    BodyForm(
        media_type=MSGPACK,
        read=read_msgpack,
        aliases=("application/vnd.msgpack", "application/msgpack"),
    ),
    BodyForm(media_type=ARROW, read=read_arrow),
    BodyForm(
        media_type=LINES,
        read=read_lines,
        aliases=("application/jsonl", "application/jsonlines"),
        answer=LINES,
    ),
    *(BodyForm(media_type=name, read=read_image) for name in IMAGES),
)

_BY_TYPE = {name: form for form in BODY_FORMS for name in (form.media_type, *form.aliases)}


def form_of(head: Head) -> BodyForm:
    """The form that a request says its body has.

    Raises:
        UnsupportedMediaType: None that is read here. A body must say what it is: what a form or a script of another
            site may send unasked is not read.
    """
    media_type = head.media_type
    form = _BY_TYPE.get(media_type)
    if form is not None:
        return form
    what = f"The content type {media_type[:100]!r}" if media_type else "A body without a content type"
    others = ", ".join(one.media_type for one in BODY_FORMS[1:])
    raise UnsupportedMediaType(
        f"{what} is not read here: send JSON with 'content-type: application/json', or one of {others}."
    )
