"""What all tests need: no hub, which libraries would otherwise ask, with tries and pauses, for encoders that are not
there; the certificates of the web read once; and the clusterer compiled, so that none of them runs into its time limit
by compiling.
"""

import os
import ssl
from functools import cache

from service.clustering.kernels.warm_up import are_kept
from service.compiling import precompile

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the library is imported

# Every client of httpx reads them anew, which takes 20 ms of a core, and the tests make thousands of clients.
ssl.create_default_context = cache(ssl.create_default_context)


def pytest_sessionstart() -> None:
    """Compile what an edit left uncompiled; tests and the processes they start then load it."""
    if not are_kept():
        precompile.main()
