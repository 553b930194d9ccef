"""What all tests need: no hub, which libraries would otherwise ask, with tries and pauses, for encoders that are not
there; the clusterer compiled, so that none of them runs into its time limit by compiling; and a process that services
are forked from. And what makes thousands of tests fast: certificates that are read once, folders in memory, plain
tracebacks, and no search for garbage among what stays.
"""

import gc
import os
import shutil
import ssl
import tempfile
from collections.abc import Callable, Generator, Iterator
from functools import cache, partial
from pathlib import Path

import pytest
import structlog

from service.clustering.kernels.warm_up import are_kept
from service.compiling import precompile
from tests.faults.zygote import Zygote
from tests.service.processes import Serve

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the library is imported

# Every write of a server is synced, which takes milliseconds on a disk and none in memory; what kills a process there
# loses no more.
_MEMORY = Path("/dev/shm")  # noqa: S108 - for folders with names of their own
if (
    _MEMORY.is_dir()
    and shutil.disk_usage(_MEMORY).free > 4 << 30
    and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC  # some tests run what they write
):
    os.environ.setdefault("TMPDIR", str(_MEMORY))
    tempfile.tempdir = None  # asked for anew

# Every client of httpx reads them anew, which takes 20 ms of a core, and the tests make thousands of clients.
ssl.create_default_context = cache(ssl.create_default_context)


# Out of the box a traceback in a log is a picture of every frame and its variables, which takes half a second to draw.
_PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])


def pytest_sessionstart() -> None:
    """Compile what an edit left uncompiled; tests and the processes they start then load it."""
    if not are_kept():
        precompile.main()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: a million objects, which no search for garbage needs to look through."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote


@pytest.fixture
def forked(zygote: Zygote) -> Callable[..., Serve]:
    """Serve, without the three seconds that a start from a command line takes."""
    return partial(Serve, launch=zygote.spawn)
