"""Hostile text in a real browser, and what the sources of the page may not do."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.dashboard.files import STATIC
from tests.service.dashboard.browser import picture
from tests.service.dashboard.conftest import Open
from tests.service.dashboard.fake import Fake, cluster_of

HOSTILE = (
    "<script>hacked()</script>",
    '"><script>hacked()</script>',
    "'><img src=x onerror=hacked()>",
    "<svg onload=hacked()>",
    "<svg><animate onbegin=hacked() attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.hacked()</script>'>",
    "<math><mi//xlink:href='data:x,<script>hacked()</script>'>",
    "javascript:hacked()",
    "JaVaScRiPt:hacked()//",
    "data:text/html,<script>hacked()</script>",
    "</textarea><script>hacked()</script>",
    "</title><script>hacked()</script>",
    "<!--><script>hacked()</script>-->",
    "<a href=javascript:hacked()>click</a>",
    "<details open ontoggle=hacked()>",
    "<input autofocus onfocus=hacked()>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "{{constructor.constructor('hacked()')()}}",
    "${hacked()}",
    "%3Cscript%3Ehacked()%3C/script%3E",
    "\u202egnp.exe\u2066<b>",
    "\u0000\u0007\u001b[31mred",
    "../../../etc/passwd",
    "CON.png\n<script>hacked()</script>",
    "__proto__",
    "constructor",
    "A" * 5000,
)
"""Texts, labels, names and file names that try to be more than text."""


def is_clean(page: Page, origin: str) -> None:
    """Nothing ran, nothing was asked elsewhere, and there is no element that we did not make."""
    assert page.evaluate("window.ran === undefined")
    assert page.evaluate("location.origin") == origin
    assert [] == page.evaluate(
        """() => [...document.querySelectorAll("script, img, iframe, object, embed, base, link, style, a, form, svg")]
            .filter((e) => {
                const to = e.getAttribute("src") ?? e.getAttribute("href") ?? "";
                if (["SCRIPT", "LINK"].includes(e.tagName)) return !to.startsWith("/dashboard/");
                if (e.tagName === "IMG") return !to.startsWith("/dashboard/") && !to.startsWith("blob:");
                if (e.tagName === "A") return !/^#\\/cluster\\/\\d+$|^#clusters$|^\\/docs$/.test(to);
                if (e.tagName === "FORM") return e.method !== "dialog";
                return !["svg"].includes(e.tagName) || e.getAttribute("class") !== "line";
            }).map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert [] == page.evaluate(
        """() => [...document.querySelectorAll("*")]
            .filter((e) => [...e.attributes].some((a) => a.name.startsWith("on")))
            .map((e) => e.outerHTML.slice(0, 200))"""
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "table", "image"])
def test_hostile_text_is_text(open_page: Open, kind: str) -> None:
    """In names, labels, ids (file names), payloads, terms, columns and reasons: on every part of the page."""
    inputs = {
        "text": {"kind": "text", "max_characters": 500, "example": HOSTILE[0]},
        "table": {
            "kind": "table",
            "columns": [{"name": h[:60], "kind": "number"} for h in HOSTILE],
            "example": {},
        },
        "image": {"kind": "image", "shape": [1, 8, 8], "minimum": 0, "maximum": 16, "example": HOSTILE[2]},
    }
    payloads = {
        "text": HOSTILE[1],
        "table": list(HOSTILE),
        "image": "data:image/svg+xml,<svg onload=hacked()>",
    }
    clusters = {
        k: cluster_of(k, name=text[:100], nearest=text, exemplars=[text], label=text if k % 4 == 0 else None)
        for k, text in enumerate(HOSTILE, 1)
    }
    fake = Fake(clusters=clusters, points=500, labels=[*HOSTILE], input=inputs[kind], payload=payloads[kind])
    fake.suggested = HOSTILE[4]
    fake.terms = [{"term": text, "z": 9.0, "share": 0.5, "elsewhere": 0.1} for text in HOSTILE[:20]]
    fake.features = [
        {"feature": text, "kind": "category", "z": 3.0, "value": text, "share": 0.5, "usual": 0.2}
        for text in HOSTILE[:8]
    ]
    fake._decide(clusters[3], "name", {"label": HOSTILE[3], "why": HOSTILE[16]})
    page = open_page(fake)
    foreign: list[str] = []
    page.on(
        "request",
        lambda asked: (
            foreign.append(asked.url)
            if not asked.url.startswith(("http://127.0.0.1", "blob:", "data:"))
            else None
        ),
    )
    page.on("dialog", lambda dialog: foreign.append(dialog.message))
    page.evaluate("() => { window.hacked = () => { window.ran = true; }; }")
    expect(page.locator("#list .row")).to_have_count(len(HOSTILE))
    origin = page.evaluate("location.origin")
    page.locator("#map-table-toggle").click()
    page.mouse.move(400, 300)
    is_clean(page, origin)
    for id in (1, 3, 7, 25):
        page.goto(f"{origin}/#/cluster/{id}")
        expect(page.locator("#cluster-title")).to_contain_text(f"Cluster {id}: ")
        expect(page.locator(".exemplars").first).to_be_visible()
        is_clean(page, origin)
        for key in "lm":
            page.keyboard.press(key)
            expect(page.locator("dialog")).to_be_visible()
            is_clean(page, origin)
            page.keyboard.press("Escape")
    page.goto(f"{origin}/#/cluster/3")
    expect(page.locator("#cluster-title")).to_contain_text("Cluster 3: ")
    page.keyboard.press("n")
    page.get_by_role("textbox", name="Name").fill(HOSTILE[0])
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text(HOSTILE[0])
    is_clean(page, origin)
    picture(page, f"hostile-{kind}")
    page.keyboard.press("Escape")
    page.locator("#search").fill(HOSTILE[5])
    is_clean(page, origin)
    assert [] == foreign


@pytest.mark.slow
def test_the_policy_holds_where_the_page_would_not(open_page: Open) -> None:
    """No code from text, no markup from text, nothing inline, nothing from elsewhere: the browser itself refuses."""
    page = open_page(Fake(), may_complain=True)
    expect(page.locator("#status")).to_have_attribute("data-link", "live")

    refused = page.evaluate(
        """async () => {
            await new Promise((go) => setTimeout(go)); // what a debugger runs may eval; what comes later may not
            const refused = [];
            const tries = {
                eval: () => eval("1"),
                Function: () => new Function("1"),
                innerHTML: () => { document.createElement("p").innerHTML = "<b>x</b>"; },
                policy: () => trustedTypes.createPolicy("mine", { createHTML: (s) => s }),
            };
            for (const [name, run] of Object.entries(tries)) {
                try { run(); } catch { refused.push(name); }
            }
            try { await fetch("https://evil.example/"); } catch { refused.push("fetch"); }
            const style = document.createElement("style");
            style.textContent = "body { --seen: 1 }";
            document.head.append(style);
            if (getComputedStyle(document.body).getPropertyValue("--seen") === "") refused.push("style");
            return refused;
        }"""
    )

    assert ["eval", "Function", "innerHTML", "policy", "fetch", "style"] == refused


SOURCES = sorted(STATIC.rglob("*.js"))

FORBIDDEN = {
    "markup from text": (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc"
    ),
    "code from text": r"\beval\(|new Function|setTimeout\(\s*[\"'`]|setInterval\(\s*[\"'`]|javascript:",
    "styles from text": r"cssText|setAttribute\(\s*[\"']style|insertRule|[\"']style[\"']\s*:",
    "other places": r"https?://(?!www\.w3\.org/2000/svg)",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_sources_of_the_page(path: Path) -> None:
    """One idea a file, opened by what it is; nothing that makes markup, code or styles of text; own files alone."""
    text = path.read_text(encoding="utf-8")

    assert text.startswith("/**")
    assert len(text.splitlines()) <= 400
    code = re.sub(r"/\*.*?\*/|^\s*//.*$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert [] == [what for what, pattern in FORBIDDEN.items() if re.search(pattern, code)]
    for imported in re.findall(r"from \"([^\"]+)\"", code):
        assert imported.startswith(("./", "../"))
        target = (path.parent / imported).resolve()
        assert target.is_file() or "vendor" in imported


def test_the_html_has_nothing_inline() -> None:
    """No script, style or handler in it, and every file that it asks for is there."""
    text = (STATIC / "index.html").read_text(encoding="utf-8")

    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    for address in re.findall(r"(?:src|href)=\"(/[^\"]*)\"", text):
        assert address.startswith("/dashboard/")
        if "/vendor/" not in address:
            assert (STATIC / address.removeprefix("/dashboard/")).is_file()
    ids = re.findall(r"\sid=\"([^\"]+)\"", text)
    assert len(ids) == len(set(ids))
