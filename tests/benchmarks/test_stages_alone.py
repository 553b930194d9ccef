"""Each stage alone, on a tiny bundle."""

from pathlib import Path

import numpy as np

from benchmarks.stages_alone import stages_alone
from tests.service import digits


async def test_the_three_stages(tmp_path: Path) -> None:
    """Embedding, the step, the append: each has a rate."""
    x = np.stack([digits.decoded(n) for n in range(8)])
    rows = await stages_alone(digits.bundle(), x, tmp_path / "s", batch=4, batches=3)

    assert ["embed, torch", "step", "durable append"] == [row["stage"] for row in rows]
    assert all(row["items_per_s"] > 0 for row in rows)
