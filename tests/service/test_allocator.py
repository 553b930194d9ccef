"""Threads share what is free."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import ctypes, sys, threading
from service.allocator import share_one_arena

if sys.argv[1] == "shared":
    assert share_one_arena()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
meet = threading.Barrier(4)

def work():
    meet.wait()
    for _ in range(1000):
        libc.malloc(512)
    meet.wait()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
def test_one_arena() -> None:
    """Threads that allocate have an arena each, unless they are told to share one."""

    def arenas(how: str) -> int:
        told = subprocess.run(
            [sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True, timeout=60
        )
        return told.stdout.count("<heap nr=")

    assert arenas("own") > 1
    assert arenas("shared") == 1
