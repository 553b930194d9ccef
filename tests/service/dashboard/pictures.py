"""`make pictures`: the pictures of the dashboard in docs/images, each below 200 kB; half a minute.

A real service, digits, a real browser.
"""

import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from service.cli.demo import make_stream
from service.settings import Settings
from tests.service import digits
from tests.service.dashboard.browser import PHONE, chromium
from tests.service.inside import running

IMAGES = Path(__file__).parents[3] / "docs" / "images"
DESKTOP = {"width": 1440, "height": 900}
AT_ONCE = 40


def opened(browser: Browser, url: str, *, theme: str, phone: bool = False) -> Page:
    context = browser.new_context(
        viewport=PHONE if phone else DESKTOP, color_scheme=theme, reduced_motion="reduce", has_touch=phone
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#status-words")).to_have_text("live")
    return page


def taken(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    with page.expect_response("**/map*"):  # all that was asked for before has come, and is drawn
        pass
    page.screenshot(path=IMAGES / f"{name}.png")
    page.context.close()


def main() -> None:
    """A stream with two new digits in it, as it is found; one of them promoted; the same on a phone."""
    with (
        tempfile.TemporaryDirectory(prefix="fs-") as folder,
        running(
            Settings.read({"FIRSTSEEN_LOG_REQUESTS": "false"}, data_dir=Path(folder)), digits.bundle()
        ) as service,
        chromium() as browser,
        httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http,
    ):
        stream = make_stream(0)
        items = (*stream.items, *stream.later)
        truth: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for start in range(0, len(items), AT_ONCE):
            answer = http.post("/classify", json={"items": items[start : start + AT_ONCE]})
            for result in answer.raise_for_status().json()["results"]:
                truth[result["cluster_id"] or 0][stream.truth[result["id"]]] += 1
        clusters = http.get("/clusters").json()["clusters"]
        largest = max(clusters, key=lambda cluster: cluster["items"])["id"]
        ((label, _),) = truth[largest].most_common(1)

        page = opened(browser, service.url, theme="light")
        expect(page.locator("#list .picture").nth(len(clusters))).to_be_visible()
        taken(page, "dashboard")

        page = opened(browser, f"{service.url}/#/cluster/{largest}", theme="light", phone=True)
        expect(page.locator(".exemplars .picture").first).to_be_visible()
        taken(page, "dashboard-phone")

        page = opened(browser, f"{service.url}/#/cluster/{largest}", theme="dark")
        expect(page.locator(".exemplars .picture").first).to_be_visible()
        page.keyboard.press("p")
        page.get_by_label("Label of the new class").fill(label)
        page.keyboard.press("Enter")
        expect(page.locator(".decisions")).to_contain_text(f"promoted to “{label}”")
        taken(page, "dashboard-cluster")


if __name__ == "__main__":
    main()
