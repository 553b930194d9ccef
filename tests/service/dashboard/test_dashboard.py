"""The page in a real browser, told by a fake: what is seen first, keys, decisions, themes, a phone, and axe."""

import json
import re

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.service.dashboard.browser import picture, row
from tests.service.dashboard.conftest import Open
from tests.service.dashboard.fake import Fake, cluster_of, lively

pytestmark = pytest.mark.slow

RING = """async () => {
    const canvas = document.getElementById("map-marks");
    const { width, height, clientWidth } = canvas;
    for (;;) {
        await new Promise((go) => requestAnimationFrame(go));
        const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
        let [n, x, y] = [0, 0, 0];
        for (let k = 0; k < width * height; k++) {
            const [red, green, blue, alpha] = data.subarray(4 * k, 4 * k + 4);
            if (alpha < 200 || Math.max(red, green, blue) - Math.min(red, green, blue) < 60) continue;
            n += 1;
            x += k % width;
            y += Math.floor(k / width);
        }
        if (n > 0) return [x, y].map((sum) => ((sum / n) * clientWidth) / width);
    }
}"""
"""Where the only ring on the map is."""


class TestEmpty:
    def test_says_what_to_send(self, open_page: Open) -> None:
        """With a line to paste that has an item of the bundle's own kind."""
        page = open_page(Fake())

        expect(page.get_by_role("heading", name="Nothing has come yet")).to_be_visible()
        line = page.locator("#empty code").first.inner_text()
        body = re.search(r"-d '(.*)'$", line, re.DOTALL)
        assert body
        assert {"id": "first-1", "x": [[0] * 8] * 8} == json.loads(body[1])
        picture(page, "empty")

    def test_goes_when_something_comes(self, open_page: Open) -> None:
        """Without a reload."""
        fake = Fake()
        page = open_page(fake)
        expect(page.locator("#empty")).to_be_visible()

        fake.points = 30
        fake.emerge(cluster_of(1))

        expect(page.locator("#empty")).to_be_hidden()
        expect(row(page, 1)).to_be_visible()

    def test_an_apostrophe_in_the_example_stays_in_the_quotes_of_the_shell(self, open_page: Open) -> None:
        """What is pasted is one argument."""
        fake = Fake(input={"kind": "text", "max_characters": 500, "example": "it's"})
        page = open_page(fake)

        expect(page.locator("#empty code").first).to_contain_text("it'\\''s")


class TestList:
    def test_groups_by_state(self, open_page: Open) -> None:
        """Those that want a decision first."""
        page = open_page(lively(6))

        expect(page.locator("#list h3").first).to_have_text("Emerging · 1")
        assert ["Emerging", "Established", "Fading", "Drifts of a known class"] == [
            text.split(" · ")[0] for text in page.locator("#list h3").all_inner_texts()
        ]

    def test_a_cluster_that_emerges_is_there_and_is_said(self, open_page: Open) -> None:
        """For eyes and for ears."""
        fake = lively(3)
        page = open_page(fake)
        expect(row(page, 3)).to_be_visible()

        fake.emerge(cluster_of(9, state="emerging"))

        expect(row(page, 9)).to_be_visible()
        expect(page.locator("#live")).to_have_text("Cluster 9 emerged.")

    def test_what_is_to_be_decided_is_counted(self, open_page: Open) -> None:
        """In the list and in the title of the tab; what has a name, or went away, is not."""
        page = open_page(
            Fake(
                clusters={
                    1: cluster_of(1),
                    2: cluster_of(2, name="seven"),
                    3: cluster_of(3, state="emerging"),
                    4: cluster_of(4, state="fading"),
                    5: cluster_of(5, label="7"),
                    6: cluster_of(6, dismissed=True),
                },
                points=100,
            )
        )

        expect(page.locator("#clusters-note")).to_have_text("6, 2 to decide")
        expect(page).to_have_title("(2) firstseen")

    def test_what_the_socket_missed_is_told_all_the_same(self, open_page: Open) -> None:
        """By the timeline; once, and in order."""
        fake = lively(3)
        page = open_page(fake)
        expect(page.locator("#events li")).to_have_count(3)

        fake.clusters[9] = cluster_of(9, state="emerging")
        fake.points += 1

        expect(page.locator("#events li")).to_have_count(4)
        expect(page.locator("#events li").first).to_contain_text("Cluster 9 emerged")

    def test_search(self, open_page: Open) -> None:
        """By name; Esc ends it."""
        fake = lively(6)
        fake.clusters[4]["name"] = "scratched glass"
        page = open_page(fake)
        expect(row(page, 4)).to_be_visible()

        page.keyboard.press("/")
        page.keyboard.type("GLASS scr")

        expect(page.locator("#list .row")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("#list .row")).to_have_count(6)


class TestTriage:
    def test_by_keys_alone(self, open_page: Open) -> None:
        """To a cluster with j, p, a label, Enter; it is in another group; u: it is back."""
        fake = Fake(clusters={1: cluster_of(1), 2: cluster_of(2)}, points=100)
        page = open_page(fake)
        expect(row(page, 2)).to_be_visible()

        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(row(page, 1)).to_be_focused()
        page.keyboard.press("p")
        expect(page.get_by_label("Label of the new class")).to_be_focused()
        page.keyboard.type("7")
        page.keyboard.press("Enter")

        expect(page.locator(".toast")).to_contain_text("Cluster 1 is promoted: class “7”")
        expect(row(page, 1)).to_contain_text("is 7")
        (path, body, headers), *rest = fake.posts
        assert ("/clusters/1/promote", {"label": "7", "why": ""}) == (path, body)
        assert re.fullmatch(r'"page-[0-9a-f]{24}"', headers["idempotency-key"])
        assert not rest
        page.keyboard.press("u")
        expect(page.locator(".toast").last).to_contain_text("Undone")
        expect(page.locator("#list h3")).to_have_text(["Established · 2"])
        assert ("/clusters/1/undo", {"decision": fake.decisions[0]["decision"]}) == fake.posts[1][:2]

    @pytest.mark.parametrize(
        ("key", "fill", "sent"),
        [
            ("n", {"label": "odd ones"}, ("name", {"label": "odd ones", "why": "because"})),
            ("l", {"label": "4"}, ("link", {"label": "4", "why": "because"})),
            ("m", {"into": "2"}, ("merge", {"into": 2, "why": "because"})),
            ("d", {"rate": "3"}, ("dismiss", {"until_rate": 3, "until": None, "why": "because"})),
            ("s", {}, ("split", {"parts": [[0], [1], [2]], "why": "because"})),
        ],
    )
    def test_every_action(
        self, open_page: Open, key: str, fill: dict[str, str], sent: tuple[str, object]
    ) -> None:
        """What is asked is what is sent, with the reason."""
        fake = Fake(clusters={1: cluster_of(1), 2: cluster_of(2)}, points=100)
        page = open_page(fake, "/#/cluster/1")
        expect(page.locator("#cluster-title")).to_have_text("Cluster 1")

        page.keyboard.press(key)
        for name, value in fill.items():
            field = page.locator(f"dialog [name={name}]")
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        page.locator("dialog [name=why]").fill("because")
        page.locator("dialog button.main").click()

        expect(page.locator("dialog")).to_have_count(0)
        action, body = sent
        assert [(f"/clusters/1/{action}", body)] == [post[:2] for post in fake.posts]
        expect(page.locator(".toast button").first).to_have_text("Undo")

    def test_asked_at_once_and_what_was_typed_stays(self, open_page: Open) -> None:
        """A name that is suggested later is filled in only where nothing was typed: keys wait for no answer."""
        held: list[Route] = []

        class Slow(Fake):
            def attach(self, page: Page) -> None:
                """Evidence takes its time."""
                super().attach(page)
                page.route("**/clusters/1/evidence*", self.hold)

            def hold(self, route: Route) -> None:
                held.append(route)

        page = open_page(Slow(clusters={1: cluster_of(1)}, points=100), "/#/cluster/1")
        expect(page.locator("#cluster-title")).to_have_text("Cluster 1")
        page.keyboard.press("n")
        name = page.get_by_role("textbox", name="Name")
        expect(name).to_be_focused()
        page.keyboard.type("mine")

        for route in held:
            route.fallback()

        expect(page.locator(".exemplars").first).to_be_visible()
        expect(name).to_have_value("mine")
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        expect(name).to_have_value("seven")

    def test_a_decision_that_nobody_answers_is_sent_again_as_the_same(self, open_page: Open) -> None:
        """It says so, and Enter tries again, under the same key."""
        fake = Fake(clusters={1: cluster_of(1)}, points=100)
        page = open_page(fake, "/#/cluster/1", may_complain=True)
        expect(page.locator("#cluster-title")).to_have_text("Cluster 1")
        lost: list[Request] = []

        def lose(route: Route) -> None:
            lost.append(route.request)
            route.abort()

        page.route("**/promote*", lose, times=1)
        page.keyboard.press("p")
        page.get_by_label("Label of the new class").fill("7")
        page.keyboard.press("Enter")
        expect(page.locator("dialog .trouble")).to_have_text("The service does not answer.")
        page.keyboard.press("Enter")

        expect(page.locator(".toast")).to_contain_text("Cluster 1 is promoted")
        assert [lost[0].headers["idempotency-key"]] == [post[2]["idempotency-key"] for post in fake.posts]

    def test_a_refusal_is_told_where_it_was_asked(self, open_page: Open) -> None:
        """The dialog stays, with what to do, and what was typed."""
        page = open_page(Fake(clusters={1: cluster_of(1)}, points=10), "/#/cluster/1", may_complain=True)
        expect(page.locator("#cluster-title")).to_have_text("Cluster 1")

        page.keyboard.press("p")
        page.get_by_label("Label of the new class").fill("9")
        page.keyboard.press("Enter")

        expect(page.locator("dialog .trouble")).to_contain_text("is a known class already")
        expect(page.get_by_label("Label of the new class")).to_have_value("9")

    def test_decisions_are_on_the_page_of_the_cluster_and_can_be_taken_back_there(
        self, open_page: Open
    ) -> None:
        """Also later, also those of others."""
        fake = Fake(clusters={1: cluster_of(1)}, points=10)
        fake._decide(fake.clusters[1], "name", {"label": "round", "why": "seen twice"})
        page = open_page(fake, "/#/cluster/1")

        expect(page.locator(".decisions")).to_contain_text("named “round”")
        expect(page.locator(".decisions")).to_contain_text("seen twice")
        page.get_by_role("button", name="Undo: named “round”").click()

        expect(page.locator("#cluster-title")).to_have_text("Cluster 1")
        assert fake.clusters[1]["name"] is None

    def test_keys_go_on_from_where_the_decided_one_was(self, open_page: Open) -> None:
        """It goes to the end of the list; j is for the one after it, in the list and on its page."""
        fake = Fake(clusters={id: cluster_of(id) for id in range(1, 6)}, points=100)
        page = open_page(fake)
        expect(row(page, 5)).to_be_visible()
        for _ in range(2):
            page.keyboard.press("j")
        page.keyboard.press("d")
        expect(page.locator("dialog")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#list h3")).to_have_text(["Established · 4", "Dismissed · 1"])

        page.keyboard.press("j")

        expect(row(page, 3)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#cluster-title")).to_have_text("Cluster 3")
        page.keyboard.press("d")
        expect(page.locator("dialog")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#cluster-view .chip")).to_have_text("dismissed")
        page.keyboard.press("j")
        expect(page.locator("#cluster-title")).to_have_text("Cluster 2")

    def test_what_others_decide_is_seen(self, open_page: Open) -> None:
        """At the command line, say, while the page of the cluster is open."""
        fake = Fake(clusters={1: cluster_of(1)}, points=100)
        page = open_page(fake, "/#/cluster/1")
        expect(page.locator(".exemplars").first).to_be_visible()

        fake._decide(fake.clusters[1], "promote", {"label": "seven", "why": "by hand"})
        fake.tell("promoted", fake.clusters[1])

        expect(page.locator("#cluster-title")).to_have_text("Cluster 1: seven")
        expect(page.locator(".decisions")).to_contain_text("by hand")
        expect(page.locator("#events")).to_contain_text("1 · seven promoted")

    def test_keys_are_the_field_s_while_one_types(self, open_page: Open) -> None:
        """And nobody's where they were switched off."""
        page = open_page(lively(3))
        expect(row(page, 1)).to_be_visible()

        page.locator("#search").fill("")
        page.keyboard.type("np")
        expect(page.locator("dialog")).to_have_count(0)
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        page.get_by_label("Single keys do these things").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("?")

        expect(page.locator("dialog")).to_have_count(0)


class TestParts:
    def test_what_the_service_has_not_is_left_out(self, open_page: Open) -> None:
        """An older service: the rest goes on."""
        fake = lively(3)
        fake.absent = {"/map", "/timeline", "/health/classes", "/evidence", "/decisions"}
        page = open_page(fake, may_complain=True)

        expect(row(page, 1)).to_be_visible()
        for panel in ("#map-panel", "#timeline-panel", "#health-panel"):
            expect(page.locator(panel)).to_be_hidden()
        row(page, 1).click()
        expect(page.locator("#cluster-view")).to_contain_text("Why it was announced")
        expect(page.locator("#cluster-view")).to_contain_text("digit-1-0")

    def test_the_stream_of_the_last_hours(self, open_page: Open) -> None:
        """Over time as well as over items; and a pointer on it is told what came there."""
        page = open_page(lively(3, points=600))
        expect(page.locator("#timeline-note")).to_contain_text("600 items")

        with page.expect_request(re.compile(r"/timeline\?by=time&from=\d+$")):
            page.get_by_label("How far back").select_option("2 hours")
        page.locator("#timeline .u-over").hover()

        expect(page.locator("#timeline-note")).to_contain_text(
            re.compile(r"^\d+ items, \d+ May 2026, \d\d:\d\d$")
        )
        expect(page.locator("#share-known")).to_have_text("8")

    def test_the_stream_as_a_file(self, open_page: Open) -> None:
        """With the key, which a link could not carry; an older service says what to do instead."""
        fake = lively(3)
        page = open_page(fake, may_complain=True)
        page.get_by_role("button", name="Export").click()
        page.locator("dialog [name=table]").select_option("decisions")
        with page.expect_download() as download:
            page.locator("dialog button.main").click()

        assert "default-decisions.csv" == download.value.suggested_filename
        assert "id,verdict" == download.value.path().read_text(encoding="utf-8").strip()
        fake.absent = {"/export"}
        page.get_by_role("button", name="Export").click()
        page.locator("dialog button.main").click()
        expect(page.locator("dialog .trouble")).to_contain_text("`firstseen export` does")

    def test_a_long_name_leaves_its_row_and_the_map_in_order(self, open_page: Open) -> None:
        """Some of it is read, beside its chip; and opening a cluster does not move the map."""
        long = cluster_of(1, name="W" * 100, label="W" * 100)
        page = open_page(Fake(clusters={1: long, 2: cluster_of(2)}, points=200))
        expect(row(page, 1)).to_be_visible()
        before = page.locator("#map").bounding_box()

        title = row(page, 1).locator(".title").bounding_box()
        line = row(page, 1).locator(".head").bounding_box()
        row(page, 1).click()
        expect(page.locator("#cluster-title")).to_contain_text("WWW")
        height = page.locator("#cluster-title").bounding_box()

        assert title is not None
        assert line is not None
        assert title["width"] > line["width"] / 3
        assert height is not None
        assert height["height"] < 100
        assert before == page.locator("#map").bounding_box()

    def test_a_split_shows_what_its_parts_look_like(self, open_page: Open) -> None:
        """Those of their items that were kept; names of items alone tell nobody anything."""
        page = open_page(
            Fake(clusters={1: cluster_of(1)}, points=100, payload=[0.0, 9.0] * 32), "/#/cluster/1"
        )
        expect(page.locator("#cluster-title")).to_have_text("Cluster 1")

        page.keyboard.press("s")

        expect(page.locator("dialog .part")).to_have_count(3)
        expect(page.locator("dialog .part").first).to_contain_text("digit-1-0")
        expect(page.locator("dialog .part .picture").first).to_be_visible()

    def test_a_key_is_asked_for_once(self, open_page: Open) -> None:
        """It goes in the header, and stays for the tab; a wrong one is asked for again."""
        fake = lively(3)
        fake.key = "fs_right"
        fake.streams = ["default", "other"]
        page = open_page(fake, may_complain=True)

        page.get_by_label("Key (fs_...)").fill("fs_wrong")
        page.keyboard.press("Enter")
        expect(page.locator("dialog")).to_contain_text("is not valid")
        page.get_by_label("Key (fs_...)").fill("fs_right")
        page.keyboard.press("Enter")
        expect(row(page, 1)).to_be_visible()
        expect(page.locator("#stream")).to_be_visible()
        page.reload()

        expect(row(page, 1)).to_be_visible()
        expect(page.locator("dialog")).to_have_count(0)
        assert "fs_right" not in page.url
        assert page.evaluate("localStorage.length") == 0

    def test_the_map_and_the_stream_are_tables_as_well(self, open_page: Open) -> None:
        """For who does not see them."""
        page = open_page(lively(3, points=600))
        expect(row(page, 1)).to_be_visible()

        page.locator("#map-table-toggle").click()
        page.locator("#timeline-table-toggle").click()

        expect(page.locator("#map-table tbody tr")).to_have_count(11)
        expect(page.locator("#timeline-table tbody tr")).to_have_count(60)
        expect(page.locator("#health tbody tr")).to_have_count(8)

    def test_a_click_on_the_map_opens_the_cluster_there(self, open_page: Open) -> None:
        """In the middle of its ring, which is all that has a colour among the marks."""
        page = open_page(Fake(clusters={5: cluster_of(5)}, points=200))
        expect(row(page, 5)).to_be_visible()
        expect(page.locator("#map-count")).to_have_text("200 recent items")
        page.locator("#map-keys").focus()
        page.keyboard.press("0")

        x, y = page.evaluate(RING)
        page.locator("#map-keys").click(position={"x": x, "y": y})

        expect(page.locator("#cluster-title")).to_have_text("Cluster 5")

    def test_without_webgl_it_is_drawn_all_the_same(self, open_page: Open) -> None:
        """On a plain canvas."""
        page = open_page(lively(3, points=600), "/?flat")
        expect(row(page, 1)).to_be_visible()
        expect(page.locator("#map-count")).to_have_text("600 recent items")

        drawn = page.evaluate(
            """async () => {
                const canvas = document.getElementById("map-points");
                for (let frame = 0; frame < 100; frame++) {
                    await new Promise((go) => requestAnimationFrame(go));
                    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                    if (data.some((v) => v > 0)) return true;
                }
                return false;
            }"""
        )

        assert drawn

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_themes(self, open_page: Open, theme: str) -> None:
        """As the system has it, until one is chosen; the choice stays."""
        page = open_page(lively(), color_scheme=theme)
        expect(row(page, 1)).to_be_visible()
        assert theme == page.evaluate("document.documentElement.dataset.theme")
        picture(page, f"lively-{theme}")

        other = "light" if theme == "dark" else "dark"
        while other != page.evaluate("localStorage.getItem('firstseen.theme')"):
            page.locator("#theme").click()
        page.reload()

        assert other == page.evaluate("document.documentElement.dataset.theme")
