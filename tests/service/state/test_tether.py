"""The tether by itself."""

import os
import subprocess
import sys

import pytest

from service.state import tether

FILE = tether.__file__

# Starts a tethered `cat` that waits for input, says its pid, then waits too.
MIDDLE = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), "/bin/cat"], stdin=subprocess.PIPE
)
child.stdin.write(b"up\\n"); child.stdin.flush()
sys.stdin.readline()
"""


def test_it_becomes_the_program() -> None:
    """The program runs with its arguments under the pid that was started."""
    command = [
        sys.executable,
        "-I",
        "-S",
        FILE,
        str(os.getpid()),
        "/bin/sh",
        "-c",
        "echo $$ $0 $1",
        "a",
        "b c",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        output = child.communicate()[0]

    assert output == f"{child.pid} a b c\n"


def test_a_parent_that_is_gone_already() -> None:
    """When the parent died before the tether was tied, the program never runs."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", FILE, "1", "/bin/echo", "ran"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_it_ends_with_its_parent() -> None:
    """Kill -9 of the parent ends the program, although its input is still open."""
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", MIDDLE, FILE], stdin=subprocess.PIPE, stdout=write, text=True
    ) as middle:
        os.close(write)
        with os.fdopen(read) as output:
            assert output.readline() == "up\n"
            middle.kill()
            rest = output.read()  # ends when the last holder of the pipe, the program, has ended

    assert rest == ""
