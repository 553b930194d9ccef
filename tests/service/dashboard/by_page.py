"""Decisions by the page, as a person makes them: keys, dialogs and buttons, in a real browser."""

import re
from typing import Any

from playwright.sync_api import Page, Response, expect

Json = dict[str, Any]

KEYS = {"name": "n", "promote": "p", "link": "l", "merge": "m", "split": "s", "dismiss": "d"}
FIELDS = {"label": "label", "why": "why", "until_rate": "rate", "into": "into"}


class ByPage:
    """A way to decide, as those of `tests/service/api/test_curation.py`; the page is never loaded again."""

    def __init__(self, page: Page, url: str, stream: str) -> None:
        self._page = page
        self._url, self._stream = url, stream
        page.goto(f"{url}/?stream={stream}")

    def decide(self, action: str, cluster: int, **what: Any) -> Json:
        if action == "undo":
            return self._undo(**what)
        dialog = self._ask(action, cluster)
        for name, value in what.items():
            if name == "parts":  # all but the first are ticked
                continue
            field = dialog.locator(f"[name={FIELDS[name]}]")
            if field.evaluate("e => e.tagName") == "SELECT":
                field.select_option(str(value))
            else:
                field.fill(str(value))
        with self._page.expect_response(re.compile(rf"/clusters/{cluster}/{action}\b")) as told:
            dialog.locator("button[type=submit]").click()
        expect(dialog).to_have_count(0)
        return self._made(told.value)

    def _ask(self, action: str, cluster: int) -> Any:
        page = self._page
        expect(page.locator("#status-words")).to_have_text("live")
        page.evaluate(f"location.hash = '#/cluster/{cluster}'")
        expect(page.locator("#cluster-title")).to_contain_text(re.compile(rf"^Cluster {cluster}\b"))
        page.keyboard.press(KEYS[action])
        dialog = page.locator("dialog[open]")
        expect(dialog).to_be_visible()
        return dialog

    def _undo(self, **_what: Any) -> Json:
        """What was decided last, which is what is asked for; the page asks for no reason then."""
        with self._page.expect_response(re.compile(r"/clusters/\d+/undo\b")) as told:
            self._page.keyboard.press("u")
        return self._made(told.value)

    def _made(self, told: Response) -> Json:
        made: Json = told.json()
        assert told.status == 200, made
        return made

    def parts(self, cluster: int) -> list[list[int]]:
        with self._page.expect_response(re.compile(rf"/clusters/{cluster}/split\b")) as told:
            dialog = self._ask("split", cluster)
        self._page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        return [part["members"] for part in told.value.json()["parts"]]

    def _get(self, path: str, **asked: Any) -> Json:
        found: Json = self._page.request.get(
            f"{self._url}{path}", params={"stream": self._stream, **asked}
        ).json()
        return found

    def clusters(self, **asked: Any) -> list[Json]:
        found: list[Json] = self._get("/clusters", **asked)["clusters"]
        return found

    def decisions(self, cluster: int) -> list[Json]:
        made: list[Json] = self._get("/decisions", cluster=cluster)["decisions"]
        return made

    def close(self) -> None:
        pass
