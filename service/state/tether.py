"""Run a program that ends when its parent does: `python tether.py PARENT_PID PROGRAM ARGUMENT...`

A server started as a child must not outlive a parent that was killed. On Linux the kernel can send a signal
at the parent's death (prctl(2), PR_SET_PDEATHSIG), but the child has to ask for it, between fork and exec.
Code that runs there in a copy of a multi-threaded Python can deadlock; so this file is executed instead, as a
fresh process, and becomes the program:

    parent ──fork, exec──► tether.py: ask for SIGTERM at the parent's death
                                      parent gone already? then end
                                      exec ──► the program, same pid, the request still standing

The signal comes when the *thread* that started the child ends, so that thread must live as long as the
server. On other systems the request does not exist and the program is run untied; `embedded.py` clears a
left-over at its next start. Imports nothing of firstseen: it is run with `-I -S`, which starts in a few
milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Tie this process to `parent` and become `command`. Exits with 1 when the parent has died meanwhile."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted: this process becomes the program


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
