"""The page and a real service: a stream of digits comes, clusters emerge, one is promoted, and that is taken back."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.settings import Settings
from tests.service import digits
from tests.service.dashboard.browser import picture
from tests.service.dashboard.conftest import Open
from tests.service.inside import Inside, running

pytestmark = pytest.mark.slow


@pytest.fixture
def fresh() -> Iterator[Inside]:
    """A stream of its own, without items."""
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({"FIRSTSEEN_LOG_REQUESTS": "false"}, data_dir=Path(folder))
        with running(settings, digits.bundle()) as inside:
            yield inside


@pytest.fixture
def http(fresh: Inside) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fresh.url, timeout=60, trust_env=False) as client:
        yield client


def send(http: httpx.Client, items: Any) -> list[dict[str, Any]]:
    answer = http.post("/classify", json={"items": list(items)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def places(page: Page) -> list[list[float]]:
    """Where each item lies on the map, by its place in the stream."""
    found: list[list[float]] = page.evaluate(
        """async () => {
            const { points } = await import("/dashboard/js/points.js");
            const { count, seq, place } = points;
            return Array.from({ length: count }, (_, k) => [seq[k], place[2 * k], place[2 * k + 1]]);
        }"""
    )
    return found


def test_a_stream_as_it_comes(open_page: Open, fresh: Inside, http: httpx.Client) -> None:
    """Empty, then points that stay where they are, then clusters, without a reload; all of it by the real routes."""
    page = open_page(url=fresh.url, may_complain=True)
    expect(page.locator("#empty")).to_be_visible()
    items = digits.stream_items()

    send(http, items[:200])
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#map-count")).to_have_text("200 recent items")
    early = {seq: xy for seq, *xy in places(page)}
    for k in range(200, len(items), 40):
        send(http, items[k : k + 40])
    clusters = http.get("/clusters").json()["clusters"]

    assert clusters
    for cluster in clusters:
        expect(page.locator(f"#list [data-id='{cluster['id']}']")).to_be_visible()
    expect(page.locator("#map-count")).to_have_text(f"{len(items)} recent items")
    late = {seq: xy for seq, *xy in places(page)}
    assert early == {seq: late[seq] for seq in early}
    expect(page.locator("#events li").first).to_be_visible()
    expect(page.locator("#health tbody tr")).to_have_count(8)
    picture(page, "live")


def test_promoted_and_the_next_one_is_known_and_undone(
    open_page: Open, fresh: Inside, http: httpx.Client
) -> None:
    """By keys: from the next item on it is the class; after the undo it is the cluster again."""
    if http.get("/decisions").status_code == 404:
        pytest.skip("this service takes no decisions")
    items = digits.stream_items()
    verdicts = [v for k in range(0, len(items), 40) for v in send(http, items[k : k + 40])]
    clusters = {c["id"]: c for c in http.get("/clusters").json()["clusters"]}
    cluster = max(clusters, key=lambda id: clusters[id]["items"])
    like = next(
        item["x"]
        for item, v in zip(reversed(items), reversed(verdicts), strict=True)
        if v["cluster_id"] == cluster
    )
    page = open_page(url=fresh.url)
    expect(page.locator(f"#list [data-id='{cluster}']")).to_be_visible()
    page.locator(f"#list [data-id='{cluster}']").click()
    expect(page.locator("#cluster-title")).to_have_text(f"Cluster {cluster}")
    expect(page.locator(".exemplars .picture").first).to_be_visible()
    picture(page, "live-cluster")

    page.keyboard.press("p")
    page.get_by_label("Label of the new class").fill("three")
    page.get_by_label("Why").fill("they are 3s")
    page.keyboard.press("Enter")

    expect(page.locator(".toast")).to_contain_text("promoted")
    (after,) = send(http, [{"id": "after", "x": like}])
    assert ("known", "three") == (after["verdict"], after["label"])
    expect(page.locator("#cluster-title")).to_have_text(f"Cluster {cluster}: three")
    expect(page.locator(".decisions")).to_contain_text("they are 3s")
    picture(page, "live-promoted")
    page.get_by_role("button", name="Export").click()
    page.locator("dialog [name=table]").select_option("decisions")
    with page.expect_download() as download:
        page.locator("dialog button.main").click()
    exported = download.value.path().read_bytes()
    assert b"they are 3s" in exported
    assert http.get("/export?table=decisions&format=csv").content == exported
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator(".toast").last).to_contain_text("Undone")
    (undone,) = send(http, [{"id": "undone", "x": like}])
    assert "three" != undone["label"]
    expect(page.locator("#cluster-title")).to_have_text(f"Cluster {cluster}")


def test_while_the_service_is_away(open_page: Open, http: httpx.Client, fresh: Inside) -> None:
    """It says so, and goes on where it was when the service is back: nothing has to be reloaded."""
    send(http, digits.many("before", 30))
    page = open_page(url=fresh.url, may_complain=True)
    expect(page.locator("#map-count")).to_have_text("30 recent items")
    page.context.set_offline(True)

    expect(page.locator("#status")).to_contain_text("The service does not answer.")
    page.context.set_offline(False)
    send(http, digits.many("after", 20))

    expect(page.locator("#map-count")).to_have_text("50 recent items", timeout=60_000)
