"""The tier `relaxed` with a real Redis that comes back without its last second."""

import random
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.rig import Rig
from tests.faults.zygote import Zygote
from tests.service.waiting import until

pytestmark = pytest.mark.slow


def test_what_redis_forgot(zygote: Zygote) -> None:
    """The service goes on from what is there, says and counts what is gone, keeps the verdicts that are left, and
    decides anew what is sent again.
    """
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        Rig(rng=random.Random(0), folder=Path(folder), zygote=zygote, binary=None) as rig,
    ):
        redis = rig.redis()
        service = rig.serve(at=redis, durability="relaxed").ready()
        kept, lost = rig.items(40), rig.items(30)
        answers = service.classify(kept)
        redis.shut_down()
        files = redis.folder / "redis" / "appendonlydir"
        shutil.copytree(files, Path(folder) / "copy")
        redis.restart()
        service.ready()
        service.classify(lost)
        before = service.get("/info")["seq"]
        redis.kill()
        shutil.rmtree(files)
        shutil.copytree(Path(folder) / "copy", files)
        redis.restart()
        said = until(lambda: service.said("forgotten"), "it says what is gone")
        service.ready()

        assert before - len(lost) == said[0]["seq"] == service.get("/info")["seq"]
        assert len(lost) == said[0]["items"]
        assert (
            f'firstseen_forgotten_total{{stream="default"}} {len(lost)}.0'
            in service.http.get("/metrics").text
        )
        assert answers == service.classify(kept)
        assert [item["id"] for item in lost] == [answer["id"] for answer in service.classify(lost)]
        assert before == service.get("/info")["seq"]
        assert "relaxed" == service.http.get("/readyz").json()["durability"]
