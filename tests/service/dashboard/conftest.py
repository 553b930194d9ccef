"""A real service for the files of the page, and a browser: both shared, each test with a page of its own."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from service.dashboard.fetch import missing
from service.settings import Settings
from tests.service import digits
from tests.service.dashboard.browser import CHROMIUM, DESKTOP, PATIENCE_MS, chromium, watch_errors
from tests.service.dashboard.fake import Fake
from tests.service.inside import Inside, running

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def service() -> Iterator[Inside]:
    quiet = {"FIRSTSEEN_LOG_REQUESTS": "false"}
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        running(Settings.read(quiet, data_dir=Path(folder)), digits.bundle()) as inside,
    ):
        yield inside


@pytest.fixture(scope="module")  # Playwright holds the thread's event loop: no later test may find it running
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt install chromium)")
    if missing():
        pytest.skip("the libraries of the dashboard are not here: python -m service.dashboard.fetch")
    with chromium() as found:
        yield found


@pytest.fixture
def open_page(browser: Browser, service: Inside) -> Iterator[Open]:
    """Opens the page, told by a fake or by the service itself. At the end nothing may have been complained of."""
    contexts, complaints = [], []

    def open_page(
        fake: Fake | None = None,
        path: str = "/",
        *,
        url: str | None = None,
        may_complain: bool = False,
        **options: object,
    ) -> Page:
        context = browser.new_context(**({"viewport": DESKTOP, "reduced_motion": "reduce"} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        found = watch_errors(page)
        if not may_complain:
            complaints.append(found)
        if fake is not None:
            fake.attach(page)
        page.goto((url or service.url) + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [found for found in complaints if found] == []
