"""Chromium, as Playwright drives it; and where its pictures go."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ARTIFACTS = Path(__file__).parents[3] / "tests-artifacts"
"""Screenshots of the last run; not in git."""

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium on this machine (apt install chromium)"
)

DESKTOP = {"width": 1360, "height": 850}
PHONE = {"width": 390, "height": 844}

PATIENCE_MS = 30_000
"""How long what is expected may take: the machine may be busy."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, until the context ends."""
    assert CHROMIUM is not None
    os.environ.setdefault("NODE_NO_WARNINGS", "1")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def watch_errors(page: Page) -> list[str]:
    """All that a page complains of from now on: exceptions, console errors, and what its policy refused."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(f"exception: {error}"))
    page.on(
        "console",
        lambda message: (
            found.append(f"console: {message.text} {message.location}") if message.type == "error" else None
        ),
    )
    return found


def row(page: Page, id: int) -> Locator:
    """A cluster in the list."""
    return page.locator(f"#list [data-id='{id}']")


def picture(page: Page, name: str) -> Path:
    """Keep what is seen, as an artifact."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    page.screenshot(path=path)
    return path
