"""The composition root: started and stopped as a whole, in order."""

from pathlib import Path

import pytest

from model.bundle import Bundle
from service.app import create_app, drain
from service.settings import Settings
from service.state.errors import DataFolderInUse, StoreMisconfigured
from tests.service.waiting import soon


def settings(folder: Path, **options: object) -> Settings:
    return Settings.read({}, data_dir=folder, **options)


async def test_starts_and_stops(tmp_path: Path, digits_bundle: Bundle) -> None:
    """It becomes ready, drains twice without harm, and gives the folder back for the next one."""
    for epoch in (1, 2):
        fatal: list[BaseException] = []
        app = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append)
        async with app.router.lifespan_context(app):
            pipeline = app.state.context.pipeline
            await soon(lambda pipeline=pipeline: pipeline.reason is None, "it is ready")  # type: ignore[misc]
            assert epoch == pipeline.epoch
            await drain(app)
            await drain(app)

        assert [] == fatal
        assert app.state.running.done()


async def test_folder_in_use(tmp_path: Path, digits_bundle: Bundle) -> None:
    """A folder in use is told to the caller, and nothing is started."""
    fatal: list[BaseException] = []
    first = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append)
    second = create_app(settings(tmp_path), digits_bundle, on_fatal=fatal.append)
    async with first.router.lifespan_context(first):
        assert [] == fatal
        async with second.router.lifespan_context(second):
            await drain(second)

    assert [DataFolderInUse] == [type(error) for error in fatal]


@pytest.mark.parametrize("url", ["ftp://example", "nonsense"])
async def test_bad_address(tmp_path: Path, digits_bundle: Bundle, url: str) -> None:
    """An address of Redis that is none is told to the caller."""
    fatal: list[BaseException] = []
    app = create_app(settings(tmp_path, redis_url=url), digits_bundle, on_fatal=fatal.append)
    async with app.router.lifespan_context(app):
        pass

    assert [StoreMisconfigured] == [type(error) for error in fatal]
