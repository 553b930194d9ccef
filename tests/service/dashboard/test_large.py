"""200 clusters and 50,000 points: what comes costs what it is and not what is there; figures are told, not demanded.

`docs/decisions/040-dashboard.md` has them. They are of Chromium's own account of the main thread, so that what the page
computes is told apart from what draws its pixels: here the CPU does, too.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.service.dashboard.browser import ARTIFACTS, picture
from tests.service.dashboard.conftest import Open
from tests.service.dashboard.fake import Fake, cluster_of, lively

pytestmark = pytest.mark.slow

ACCOUNTS = {
    "script": "ScriptDuration",
    "style": "RecalcStyleDuration",
    "layout": "LayoutDuration",
    "all": "TaskDuration",
}

ZOOM = """async () => {
    const keys = document.getElementById("map-keys");
    const frames = [];
    let last = performance.now();
    for (let k = 0; k < 60; k++) {
        keys.dispatchEvent(new WheelEvent("wheel", { deltaY: k % 40 < 20 ? -30 : 30, clientX: 500, clientY: 300 }));
        await new Promise((go) => requestAnimationFrame(go));
        const now = performance.now();
        frames.push(now - last);
        last = now;
    }
    frames.sort((a, b) => a - b);
    return frames[30];
}"""

UPLOADS = """async () => {
    const { drawnMs } = await import("/dashboard/js/map/map.js");
    window.uploaded = 0;
    window.drawn = () => drawnMs.length;
    const send = WebGL2RenderingContext.prototype.bufferSubData;
    WebGL2RenderingContext.prototype.bufferSubData = function (target, at, part) {
        window.uploaded += part.byteLength;
        return send.call(this, target, at, part);
    };
}"""


def spent(chrome: CDPSession, does: Callable[[], object], n: int) -> dict[str, float]:
    """Milliseconds of the main thread for each of `n` things that `does` does together, by what they went into."""

    def read() -> dict[str, float]:
        found = {one["name"]: one["value"] for one in chrome.send("Performance.getMetrics")["metrics"]}
        return {name: found[metric] for name, metric in ACCOUNTS.items()}

    before = read()
    does()
    after = read()
    return {name: round(1000 * (after[name] - before[name]) / n, 2) for name in ACCOUNTS}


def asks(page: Page, n: int, path: str = "**/map*") -> None:
    """The page has asked `n` times more, and had its answers."""
    for _ in range(n):
        with page.expect_response(path):
            pass


def opened(open_page: Open, **options: Any) -> tuple[Page, Fake]:
    fake = lively(200, points=50_000)
    page = open_page(fake, **options)
    expect(page.locator("#list .row")).to_have_count(200)
    expect(page.locator("#map-count")).to_have_text("50,000 recent items")
    return page, fake


def test_200_clusters_and_50_000_points(open_page: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """All are there; what zooming, what comes and what does not costs is written beside the pictures."""
    page, fake = opened(open_page)
    picture(page, "large")
    chrome = page.context.new_cdp_session(page)
    chrome.send("Performance.enable", {"timeDomain": "threadTicks"})
    frames: list[float] = []

    def come() -> None:
        for _ in range(3):
            fake.grow(100)
            asks(page, 1)

    told: dict[str, Any] = {
        "zoom, a frame": spent(chrome, lambda: frames.append(page.evaluate(ZOOM)), 60),
        "100 items, an update": spent(chrome, come, 3),
        "nothing new, an update": spent(chrome, lambda: asks(page, 3), 3),
    }
    told["zoom, from frame to frame"] = round(frames[0], 1)

    (ARTIFACTS / "large.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    with capsys.disabled():
        sys.stdout.write(f"\n200 clusters, 50,000 points, ms: {json.dumps(told)}\n")
    expect(page.locator("#map-count")).to_have_text("50,000 recent items")


def test_what_comes_is_all_that_is_sent_to_be_drawn(open_page: Open) -> None:
    """100 points more are 100 points uploaded; and where nothing comes, no frame is drawn."""
    page, fake = opened(open_page)
    page.evaluate(UPLOADS)
    bytes_a_point = 2 * 4 + 4 + 4 + 4

    fake.grow(100)
    fake.tell("established", fake.clusters[1])  # so that it asks at once
    for path in ("**/clusters", "**/map*", "**/map*"):  # all of it has come, and a second later is drawn
        asks(page, 1, path)
    drawn = page.evaluate("drawn()")
    asks(page, 2)

    assert 100 * bytes_a_point == page.evaluate("uploaded")
    assert drawn == page.evaluate("drawn()")


def test_one_more_cluster_makes_one_more_row(open_page: Open) -> None:
    """The other 200 are left as they are."""
    page, fake = opened(open_page)
    page.evaluate(
        """() => {
            window.added = 0;
            new MutationObserver((seen) => {
                for (const one of seen) window.added += [...one.addedNodes].filter((e) => e.matches?.(".row")).length;
            }).observe(document.getElementById("list"), { childList: true });
        }"""
    )

    fake.emerge(cluster_of(201))

    expect(page.locator("#list [data-id='201']")).to_be_visible()
    assert 1 == page.evaluate("window.added")
