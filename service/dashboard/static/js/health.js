/** How the known classes fare: the share of each in the recent stream beside its usual one, and what is out of the way. */

import { byId, h, setText, settle } from "./dom.js";
import { clean, count, percent } from "./format.js";
import { on, state } from "./store.js";

export function startHealth() {
  const panel = byId("health-panel");
  const box = byId("health");
  on(["health", "absent"], () => {
    panel.hidden = Boolean(state.absent.health) || state.health.length === 0;
    if (panel.hidden) return;
    const odd = state.health.filter((one) => isOdd(one));
    setText(byId("health-note"), state.health.every((one) => one.status === "too few") ? "too few items to tell" : odd.length === 0 ? "all as usual" : `${odd.length} of ${state.health.length} not as usual`);
    const top = Math.max(1e-9, ...state.health.map((one) => Math.max(one.share ?? 0, one.usual_share ?? 0)));
    const sorted = [...state.health].sort((a, b) => Number(isOdd(b)) - Number(isOdd(a)));
    settle(
      box,
      h(
        "table",
        {},
        h("caption", { class: "hidden" }, "Known classes: recent share, usual share, state"),
        h("thead", {}, h("tr", {}, ["Class", "Share (line: usual)", "Items", "State"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, sorted.map((one) => row(one, top))),
      ),
    );
  });
}

/** @param {any} one */
const isOdd = (one) => one.status !== "steady" && one.status !== "too few";

/** @param {any} one @param {number} top the largest share, which fills the bar */
function row(one, top) {
  const bar = h("span", { class: "share-bar" });
  bar.style.width = `${((one.share ?? 0) / top) * 100}%`;
  const usual = h("span", { class: "share-usual", hidden: one.usual_share === null }); // a class that people made has none
  usual.style.left = `${((one.usual_share ?? 0) / top) * 100}%`;
  return h(
    "tr",
    { class: isOdd(one) ? "odd" : null },
    h("th", { scope: "row" }, clean(one.label, 40)),
    h("td", { class: "shares" }, h("span", { class: "share", "aria-hidden": "true" }, bar, usual), h("span", { class: "share-words" }, one.share === null ? "–" : percent(one.share), one.usual_share === null ? null : h("span", { class: "hidden" }, `, usually ${percent(one.usual_share)}`))),
    h("td", { class: "number" }, count(one.items)),
    h(
      "td",
      { title: one.says ?? null },
      h("span", { class: isOdd(one) ? "chip" : "note", "data-state": isOdd(one) ? "variant" : null }, one.status),
      (one.variants ?? []).map((/** @type {number} */ id) => [" ", h("a", { href: `#/cluster/${id}` }, `cluster ${id}`)]),
    ),
  );
}
