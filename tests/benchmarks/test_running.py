"""A service that cannot start is reported with its log."""

from pathlib import Path

import pytest

from benchmarks.running import DidNotStart, serving


@pytest.mark.long
async def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The message of the service itself is in the error."""
    with pytest.raises(DidNotStart, match="does not exist"):
        async with serving(tmp_path / "no-bundle", tmp_path):
            pass
