"""What all tests need: no hub, which libraries would otherwise ask, with tries and pauses, for encoders that are not
there; and the clusterer compiled, so that none of them runs into its time limit by compiling.
"""

import os

from service.clustering.kernels.warm_up import are_kept
from service.compiling import precompile

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the library is imported


def pytest_sessionstart() -> None:
    """Compile what an edit left uncompiled; tests and the processes they start then load it."""
    if not are_kept():
        precompile.main()
