"""What the tests of faults share: the process that services are forked from, and the list of scenarios."""

from collections.abc import Iterator

import pytest

from tests.faults import registry
from tests.faults.zygote import Zygote

registry.load()


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote
