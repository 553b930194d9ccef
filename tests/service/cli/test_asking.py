"""A question to a person: yes is yes, all else is no, and who is not waited for any more holds nothing up."""

import asyncio
import io
import os

import pytest

from service.cli.asking import confirmed


@pytest.mark.parametrize(
    ("line", "expected"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
async def test_answers(line: str, *, expected: bool) -> None:
    """From a file of the system's and from one in memory."""
    reading, writing = os.pipe()
    os.write(writing, line.encode())
    os.close(writing)
    with os.fdopen(reading) as answers:
        assert expected is await confirmed("Shall it be so?", answers)
    assert expected is await confirmed("Shall it be so?", io.StringIO(line))


def test_nobody_answers() -> None:
    """What is cancelled ends, though no line ever comes: the loop, which waits for its threads, ends as well."""

    async def give_up() -> None:
        with os.fdopen(reading) as answers:
            asking = asyncio.create_task(confirmed("Shall it be so?", answers))
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.get_running_loop().shutdown_default_executor()

    reading, writing = os.pipe()
    asyncio.run(give_up())
    os.close(writing)
