"""The page for everybody: on a phone, by keys, and by axe's rules in both themes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.service.dashboard.browser import PHONE, picture, row
from tests.service.dashboard.conftest import Open
from tests.service.dashboard.fake import Fake, cluster_of, lively

pytestmark = pytest.mark.slow


class TestPhone:
    def test_one_part_at_a_time(self, open_page: Open) -> None:
        """Tabs at the bottom, no sideways scrolling, targets of 44 pixels."""
        page = open_page(lively(), viewport=PHONE, has_touch=True, is_mobile=True)
        for tab, panel in (
            ("Map", "#map-panel"),
            ("Clusters", "#clusters"),
            ("Stream", "#timeline-panel"),
            ("Classes", "#health-panel"),
        ):
            page.locator("#tabs").get_by_role("button", name=tab).tap()
            expect(page.locator(panel)).to_be_visible()
            assert 1 == len([p for p in page.locator("main > .panel").all() if p.is_visible()])
            picture(page, f"phone-{tab.lower()}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            small = page.evaluate(
                """() => [...document.querySelectorAll("button, select, input, a.row")].filter((e) => {
                    const box = e.getBoundingClientRect();
                    return box.width > 0 && (box.height < 44 || box.width < 44);
                }).map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert [] == small

    def test_a_tap_opens_a_cluster_and_back(self, open_page: Open) -> None:
        """As an app would."""
        page = open_page(lively(4), viewport=PHONE, has_touch=True, is_mobile=True)
        page.locator("#tabs").get_by_role("button", name="Clusters").tap()
        row(page, 3).tap()
        expect(page.locator("#cluster-title")).to_have_text("Cluster 3")
        picture(page, "phone-cluster")
        page.go_back()
        expect(row(page, 3)).to_be_visible()


class TestAccessibility:
    @pytest.mark.parametrize(
        ("path", "does"),
        [
            ("/", ""),
            ("/#/cluster/5", ""),
            ("/#/cluster/5", "p"),
            ("/", "?"),
            ("/", "empty"),
            ("/", "tables"),
            ("/", "phone"),
        ],
    )
    def test_axe_finds_nothing(self, open_page: Open, path: str, does: str) -> None:
        """WCAG 2.2 A and AA, and axe's own advice, in both themes."""
        options = {"viewport": PHONE} if does == "phone" else {}
        page = open_page(Fake() if does == "empty" else lively(), path, color_scheme="light", **options)
        expect(page.locator("#status")).to_have_attribute("data-link", "live")
        if does == "tables":
            page.locator("#map-table-toggle").click()
            page.locator("#timeline-table-toggle").click()
        elif does in ("p", "?"):
            page.keyboard.press(does)
            expect(page.locator("dialog")).to_be_visible()
        elif does == "" and path == "/":
            expect(row(page, 5)).to_be_visible()
        elif does == "":
            expect(page.locator(".exemplars").first).to_be_visible()

        light = Axe().run(page)
        page.emulate_media(color_scheme="dark")
        dark = Axe().run(page)

        assert light.violations_count == 0, light.generate_report()
        assert dark.violations_count == 0, dark.generate_report()

    def test_news_take_neither_focus_nor_selection(self, open_page: Open) -> None:
        """A page that is told something every second would be of no use otherwise."""
        fake = Fake(clusters={1: cluster_of(1, parent_id=2), 2: cluster_of(2)}, points=100)
        page = open_page(fake, "/#/cluster/1")
        link = page.locator(".facts-list a")
        link.focus()
        page.evaluate("getSelection().selectAllChildren(document.querySelector('.verdict'))")

        fake.grow(20)
        fake.tell("established", fake.clusters[2])  # so that it asks at once

        expect(page.locator(".facts-list dd").first).to_have_text("42")
        expect(link).to_be_focused()
        assert page.locator(".verdict").inner_text() == page.evaluate("getSelection().toString()")

    def test_the_focus_is_kept(self, open_page: Open) -> None:
        """In a dialog, and back where it was when that closes; on the title of what was opened."""
        page = open_page(lively(4))
        expect(row(page, 4)).to_be_visible()
        row(page, 4).focus()
        page.keyboard.press("n")
        expect(page.get_by_role("textbox", name="Name")).to_be_focused()
        page.keyboard.press("Escape")
        expect(row(page, 4)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#cluster-title")).to_be_focused()
        page.keyboard.press("Escape")
        expect(row(page, 4)).to_be_focused()
