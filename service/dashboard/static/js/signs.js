/** What sets a cluster apart: a suggested name, terms of texts, an average picture, features of rows and vectors. */

import { h } from "./dom.js";
import { clean, decimal, percent } from "./format.js";
import { png } from "./payload.js";
import { state } from "./store.js";

/**
 * @param {any} evidence GET /clusters/{id}/evidence
 * @param {() => void} takeName
 * @returns {Node[]}
 */
export function signsOf(evidence, takeName) {
  const parts = [];
  if (evidence.suggested_name && !state.absent.curation) {
    parts.push(h("p", { class: "suggested" }, "Suggested name: ", h("strong", {}, clean(evidence.suggested_name, 100)), " ", h("button", { type: "button", onclick: takeName }, "Use it")));
  }
  if (evidence.average !== null) parts.push(h("figure", { class: "average" }, png(evidence.average, "The average of its pictures"), h("figcaption", {}, "Average")));
  if (evidence.terms.length > 0) {
    parts.push(
      h("ul", { class: "terms", "aria-label": "Terms that set it apart" }, evidence.terms.slice(0, 20).map((/** @type {any} */ t) => h("li", { title: `in ${percent(t.share)} of its texts, in ${percent(t.elsewhere)} of others` }, clean(t.term, 40)))),
    );
  }
  if (evidence.features.length > 0) {
    parts.push(
      h(
        "table",
        { class: "features" },
        h("caption", { class: "hidden" }, "Features that set it apart"),
        h("thead", {}, h("tr", {}, ["Feature", "Here", "Usually"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, evidence.features.map((/** @type {any} */ f) => h("tr", {}, h("th", { scope: "row" }, clean(f.feature, 60)), h("td", {}, here(f)), h("td", {}, usual(f))))),
      ),
    );
  }
  return parts.length === 0 ? [] : [h("h3", {}, "What sets it apart"), ...parts];
}

/** @param {any} f */
function here(f) {
  const value = f.kind === "missing" ? "missing" : typeof f.value === "number" ? decimal(f.value) : clean(f.value, 60);
  return f.share === null ? value : `${value} (${percent(f.share)})`;
}

/** @param {any} f */
function usual(f) {
  if (f.usual === null) return "";
  return f.kind === "number" ? decimal(f.usual) : percent(f.usual);
}
