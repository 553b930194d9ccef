r"""application/x-ndjson: one item a line, as JSON.

    {"id": "a", "x": [0, 0, 5, 13]}\n
    {"id": "b", "x": [0, 1, 2, 16]}\n

Lines end with LF or CRLF; the last may have no end, and empty ones are passed over. A line that is not JSON is refused
alone, unlike in JSON, since it is seen where the next one begins. `Lines` cuts chunks into lines as they come and
keeps no more than one that is unfinished; `service/api/lines.py` answers them as they come.
"""

import asyncio

from model.inputs import InputSpec
from service.api.formats.head import Head, Limits
from service.api.formats.item_list import too_many
from service.api.formats.json_body import read_text
from service.api.formats.objects import Read
from service.errors import BodyTooLarge, InvalidBody, InvalidItem
from service.ingest.intake import Refused

_BYTES_A_TURN = 32 * 1024
_LINE = 'Send one item a line, like {"id": "a", "x": [...]}.'


class Lines:
    """Chunks of bytes cut into lines.

    Args:
        max_bytes: Most bytes without a line in them that holds something: an endless line, or endless empty ones.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._idle = 0

    @property
    def held(self) -> int:
        """Bytes of the line that is not finished."""
        return len(self._rest)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines that are complete now, without the empty ones.

        Raises:
            BodyTooLarge: No line came to its end within `max_bytes`.
        """
        end = chunk.rfind(b"\n")
        if end < 0:
            self._rest += chunk
            found = []
        else:
            whole = bytes(self._rest) + chunk[:end]
            self._rest = bytearray(chunk[end + 1 :])
            found = [line for line in whole.split(b"\n") if not _is_empty(line)]
        self._idle = len(self._rest) if found else self._idle + len(chunk)
        if self._idle > self._max_bytes or any(len(line) > self._max_bytes for line in found):
            raise BodyTooLarge(f"A line is over {self._max_bytes} bytes. {_LINE}")
        return found

    def end(self) -> list[bytes]:
        """The last line, where it has no end."""
        line, self._rest = bytes(self._rest), bytearray()
        return [] if _is_empty(line) else [line]


def _is_empty(line: bytes) -> bool:
    return not line or line.isspace()


def read_line(line: bytes, spec: InputSpec) -> Read:
    """One line as an item, or why it is refused."""
    try:
        return read_text(line, spec)
    except InvalidBody as error:
        return Refused(None, InvalidItem(str(error).replace("The body", "The line", 1)))


async def read_lines(
    body: bytearray, _head: Head, spec: InputSpec, limits: Limits
) -> tuple[list[Read], bool]:
    """The items of a body that came whole, since its answer is to be whole.

    Raises:
        BodyTooLarge: More items than may be.
    """
    if body.count(b"\n") > limits.max_items + limits.max_items:  # empty lines among them
        raise too_many(limits.max_items)
    lines = [line for line in bytes(body).split(b"\n") if not _is_empty(line)]
    if len(lines) > limits.max_items:
        raise too_many(limits.max_items)
    read: list[Read] = []
    since = 0
    for line in lines:
        read.append(read_line(line, spec))
        since += len(line)
        if since > _BYTES_A_TURN:
            since = 0
            await asyncio.sleep(0)
    return read, False
