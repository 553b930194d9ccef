/** What sets a cluster apart: a suggested name, terms of texts, an average picture, columns of tables. */

import { h } from "./dom.js";
import { clean, decimal } from "./format.js";
import { drawn } from "./payload.js";

/**
 * @param {any} evidence GET /clusters/{id}/evidence
 * @param {() => void} takeName
 * @returns {Node[]}
 */
export function signsOf(evidence, takeName) {
  const parts = [];
  if (evidence.suggested_name) parts.push(h("p", { class: "suggested" }, "Suggested name: ", h("strong", {}, clean(evidence.suggested_name, 100)), " ", h("button", { type: "button", onclick: takeName }, "Use it")));
  const signs = evidence.distinguishing ?? {};
  if (signs.terms?.length > 0) parts.push(h("ul", { class: "terms", "aria-label": "Terms that set it apart" }, signs.terms.slice(0, 20).map((/** @type {any} */ t) => h("li", {}, clean(t.term ?? t, 40)))));
  if (signs.average) {
    const picture = drawn(signs.average, 72);
    if (picture !== null) parts.push(h("figure", { class: "average" }, picture, h("figcaption", {}, "Its average")));
  }
  if (signs.features?.length > 0)
    parts.push(
      h("table", { class: "features" }, h("caption", {}, "What sets it apart"), h("thead", {}, h("tr", {}, ["Feature", "Here", "Usually"].map((n) => h("th", { scope: "col" }, n)))), h("tbody", {}, signs.features.slice(0, 12).map((/** @type {any} */ f) => h("tr", {}, h("th", { scope: "row" }, clean(f.name, 60)), h("td", {}, valueOf(f.here)), h("td", {}, valueOf(f.usual)))))),
    );
  return parts.length === 0 ? [] : [h("h3", {}, "What sets it apart"), ...parts];
}

/** @param {unknown} value */
const valueOf = (value) => (typeof value === "number" ? decimal(value) : clean(value ?? "", 60));
