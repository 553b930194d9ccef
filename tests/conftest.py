"""What all tests need: the clusterer compiled, so that none of them runs into its time limit by compiling."""

from service import precompile
from service.clustering.kernels.warm_up import are_kept


def pytest_sessionstart() -> None:
    """Compile what an edit left uncompiled; tests and the processes they start then load it."""
    if not are_kept():
        precompile.main()
