"""200 clusters and 50,000 points: the page draws them, and how long that takes is told, not demanded."""

import json
import sys

import pytest
from playwright.sync_api import expect

from tests.service.dashboard.browser import ARTIFACTS, picture
from tests.service.dashboard.conftest import Open
from tests.service.dashboard.fake import lively

pytestmark = pytest.mark.slow

PAN = """async () => {
    const keys = document.getElementById("map-keys");
    const { drawnMs } = await import("/dashboard/js/map/map.js");
    drawnMs.length = 0;
    const frames = [];
    let last = performance.now();
    for (let k = 0; k < 60; k++) {
        keys.dispatchEvent(new WheelEvent("wheel", { deltaY: k % 40 < 20 ? -30 : 30, clientX: 500, clientY: 300 }));
        await new Promise((go) => requestAnimationFrame(go));
        const now = performance.now();
        frames.push(now - last);
        last = now;
    }
    const sorted = (ms) => [...ms].sort((a, b) => a - b);
    const at = (ms, share) => Math.round(10 * sorted(ms)[Math.floor(share * (ms.length - 1))]) / 10;
    return {
        frame_ms: { median: at(frames, 0.5), p95: at(frames, 0.95), most: at(frames, 1) },
        script_ms: { median: at(drawnMs, 0.5), p95: at(drawnMs, 0.95), most: at(drawnMs, 1) },
    };
}"""


def test_200_clusters_and_50_000_points(open_page: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """All are there; the times of 60 frames of zooming, on whatever draws here, are written beside the pictures."""
    page = open_page(lively(200, points=50_000))
    expect(page.locator("#list .row")).to_have_count(200)
    expect(page.locator("#map-count")).to_have_text("50,000 recent items")

    told = page.evaluate(PAN)
    told["webgl"] = page.evaluate(
        """() => {
            const gl = document.createElement("canvas").getContext("webgl2");
            return gl === null ? null : gl.getParameter(gl.VERSION);
        }"""
    )

    picture(page, "large")
    (ARTIFACTS / "large.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    with capsys.disabled():
        sys.stdout.write(f"\n200 clusters, 50,000 points: {json.dumps(told)}\n")
    page.locator("#search").fill("cluster 1")
    assert told["frame_ms"]["median"] > 0
